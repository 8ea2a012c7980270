import { EventEmitter, once } from 'node:events';
import http from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Dispatcher } from 'undici';
import type { Call } from './call.js';
import { Drains } from './drains.js';
import type { Exchange } from './exchange.js';
import { KEY, ProxyWorld } from './memory.proxy-world.js';
import { type Metering, Relay, type RelaySurroundings } from './relay.js';
import { SendQueues } from './send-queues.js';
import { Turns } from './turns.js';

const CHUNK = Buffer.alloc(65_536, 'x');
const CHUNKS = 800;
const SMALL_CHUNK = Buffer.alloc(4_096, 'x');
const AROUND: Omit<RelaySurroundings, 'turns'> = {
  bounds: { drainMs: 1, drainBytes: 1, stalledMs: 1 },
  errorBody: () => null,
  secret: 'sk-real',
  nowMs: () => 0,
  closed: () => undefined,
  drains: new Drains({ total: 1, perTenant: 1 }, () => undefined),
  queues: new SendQueues(),
};

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

interface StandingRelay {
  relay: Relay;
  /** Whether the client's buffers are full with the next write. */
  fill: (isFull: boolean) => void;
  /** The client takes what waits for it. */
  drain: () => void;
  pushUntilPaused: () => number;
  /** What was asked of the provider since the last look. */
  asked: () => string[];
}

/** A relay whose provider hands on chunks until it is paused. */
function standingRelay(turns: Turns): StandingRelay {
  const asked: string[] = [];
  const controller = {
    paused: false,
    pause() {
      this.paused = true;
      asked.push('pause');
    },
    resume() {
      this.paused = false;
      asked.push('resume');
    },
    abort: () => void asked.push('abort'),
  };
  let isFull = false;
  const response = Object.assign(new EventEmitter(), {
    write: () => !isFull,
    flushHeaders: () => undefined,
    destroy: () => undefined,
  });
  const exchange = { answers: null, response, onStill: () => undefined, answerHead: () => undefined };
  const call = { answered: () => undefined, handedOver: () => undefined } as unknown as Call;
  const relay = new Relay(call, exchange as unknown as Exchange, null, { ...AROUND, turns });
  const asController = controller as unknown as Dispatcher.DispatchController;
  relay.onRequestStart(asController);
  relay.onResponseStart(asController, 200, {});
  return {
    relay,
    fill: (full) => {
      isFull = full;
    },
    drain: () => void response.emit('drain'),
    pushUntilPaused() {
      let chunks = 0;
      for (; chunks < 100 && !controller.paused; chunks += 1) relay.onResponseData(asController, SMALL_CHUNK);
      return chunks;
    },
    asked: () => asked.splice(0),
  };
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('providers that are far ahead are read in turns, four in each, so that others have theirs', async () => {
  const turns = new Turns();
  const relays = Array.from({ length: 6 }, () => standingRelay(turns));
  const passed: number[][] = [];
  for (let turn = 0; turn < 4; turn += 1) {
    passed.push(relays.map((relay) => relay.pushUntilPaused()));
    await nextTurn();
  }
  expect(passed).toEqual([
    [16, 16, 16, 16, 16, 16],
    [16, 16, 16, 16, 0, 0],
    [16, 16, 0, 0, 16, 16],
    [16, 16, 16, 16, 0, 0],
  ]);
});

describe('an answer whose turn is over', () => {
  let standing: StandingRelay;
  beforeEach(() => {
    standing = standingRelay(new Turns());
  });

  /** Its turn ends with a client that takes nothing, or with a tap that has enough. */
  const full = {
    begin: () => standing.fill(true),
    end: () => {
      standing.fill(false);
      standing.drain();
    },
  };
  const busy = { begin: () => standing.relay.busy(true), end: () => standing.relay.busy(false) };

  it.each([
    ['its client is full', full],
    ['its tap is busy', busy],
  ])('does not go on with its next turn while %s, but when that is over', async (_, other) => {
    standing.pushUntilPaused();
    other.begin();
    // What was pushed is written before the next turn, and that is when a client becomes full.
    await nextTurn();
    expect(standing.asked()).toEqual(['pause']);
    other.end();
    expect(standing.asked()).toEqual(['resume']);
    expect(standing.pushUntilPaused()).toBe(16);
  });

  it.each([
    ['its client is no longer full', full],
    ['its tap is no longer busy', busy],
  ])('does not go on when %s, but with its next turn', async (_, other) => {
    standing.pushUntilPaused();
    other.begin();
    await new Promise<void>((resolve) => process.nextTick(resolve));
    other.end();
    expect(standing.asked()).toEqual(['pause']);
    await nextTurn();
    expect(standing.asked()).toEqual(['resume']);
    expect(standing.pushUntilPaused()).toBe(16);
  });

  it('does not go on when it was cut meanwhile', async () => {
    standing.pushUntilPaused();
    standing.relay.cut();
    expect(standing.asked()).toEqual(['pause', 'abort']);
    await nextTurn();
    standing.drain();
    standing.relay.busy(false);
    expect(standing.asked()).toEqual([]);
  });

  it('does not stop those behind it when it was cut', async () => {
    const turns = new Turns();
    const relays = Array.from({ length: 5 }, () => standingRelay(turns));
    for (const relay of relays) relay.pushUntilPaused();
    for (const { relay } of relays.slice(0, 4)) relay.cut();
    await nextTurn();
    await nextTurn();
    expect(relays.map(({ asked }) => asked())).toEqual([
      ...Array.from({ length: 4 }, () => ['pause', 'abort']),
      ['pause', 'resume'],
    ]);
  });
});

it('an answer whose head cannot be read ends its hold', () => {
  const released: string[] = [];
  const response = { on: () => undefined, off: () => undefined, destroy: () => undefined };
  const call = { answered: () => undefined, handedOver: () => undefined } as unknown as Call;
  const metering = { hold: { release: (outcome: string) => void released.push(outcome) } };
  const relay = new Relay(
    call,
    {
      answers: null,
      response,
      onStill: () => undefined,
      breakOff: () => undefined,
    } as unknown as Exchange,
    metering as unknown as Metering,
    { ...AROUND, turns: new Turns() },
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
