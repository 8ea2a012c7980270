import { once } from 'node:events';
import http from 'node:http';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { Dispatcher } from 'undici';
import type { Call } from './call.js';
import { Drains } from './drains.js';
import type { Exchange } from './exchange.js';
import { KEY, ProxyWorld } from './memory.proxy-world.js';
import { type Metering, Relay } from './relay.js';
import { SendQueues } from './send-queues.js';

const CHUNK = Buffer.alloc(65_536, 'x');
const CHUNKS = 800;

let world: ProxyWorld;
beforeEach(async () => {
  world = await new ProxyWorld().start();
});
afterEach(() => world.close());

it('a client that does not read stops the provider, and gets everything once it reads', async () => {
  let written = 0;
  const stopped = Promise.withResolvers<void>();
  world.answer = (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/octet-stream' });
    const write = (): void => {
      while (written < CHUNKS) {
        written += 1;
        if (response.write(CHUNK)) continue;
        stopped.resolve();
        response.once('drain', write);
        return;
      }
      response.end();
    };
    write();
  };
  const request = http.get({
    host: '127.0.0.1',
    port: world.gatewayPort,
    agent: false,
    path: '/proxy/openai/v1/models',
    headers: { authorization: `Bearer ${KEY}` },
  });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];

  // The provider stands still when nothing was written between two looks: the buffers on the way are full.
  for (let before = -1; before !== written; ) {
    before = written;
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  await stopped.promise;
  expect(written).toBeLessThan(CHUNKS / 2);

  let bytes = 0;
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  await once(response, 'end');
  expect(bytes).toBe(CHUNK.length * CHUNKS);
});

it('an answer whose head cannot be read ends its hold', () => {
  const released: string[] = [];
  const response = { on: () => undefined, off: () => undefined, destroy: () => undefined };
  const call = { answered: () => undefined, handedOver: () => undefined } as unknown as Call;
  const metering = { hold: { release: (outcome: string) => void released.push(outcome) } };
  const relay = new Relay(
    call,
    { response, onStill: () => undefined } as unknown as Exchange,
    metering as unknown as Metering,
    {
      bounds: { drainMs: 1, drainBytes: 1, stalledMs: 1 },
      nowMs: () => 0,
      closed: () => undefined,
      drains: new Drains({ total: 1, perTenant: 1 }, () => undefined),
      queues: new SendQueues(),
    },
  );
  const headers = {
    get 'content-type'(): string {
      throw new Error('unreadable');
    },
  };
  const controller = {} as Dispatcher.DispatchController;
  relay.onRequestStart(controller);
  expect(() => relay.onResponseStart(controller, 200, headers)).toThrow('unreadable');
  relay.onResponseError(controller, new Error('unreadable'));
  expect(released).toEqual(['upstream_died']);
});
