import { once } from 'node:events';
import type http from 'node:http';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { CHAT_JSON, json } from './memory.proxy-answers.js';
import { CHAT, type Got, send } from './memory.proxy-client.js';
import { KEY, ProxyWorld } from './memory.proxy-world.js';

const BUDGET = 150_000;
/** A chat of exactly so many bytes. */
function chatOf(bytes: number): string {
  const without = JSON.stringify({ ...CHAT, user: '' }).length;
  return JSON.stringify({ ...CHAT, user: 'x'.repeat(bytes - without) });
}

let world: ProxyWorld;
beforeEach(async () => {
  world = new ProxyWorld();
  world.maxBodiesBytes = BUDGET;
  await world.start();
  world.answer = json(200, CHAT_JSON);
});
afterEach(() => world.close());

/** A request of which so many bytes of the body are sent, and the rest later. */
class Upload {
  readonly socket = net.connect(world.gatewayPort, '127.0.0.1');
  private got = '';

  constructor(
    private readonly body: string,
    private readonly sent: number,
  ) {
    this.socket.on('error', () => undefined);
    this.socket.on('data', (chunk) => {
      this.got += chunk.toString();
    });
    const head = [
      'POST /proxy/openai/v1/chat/completions HTTP/1.1',
      'Host: localhost',
      `Authorization: Bearer ${KEY}`,
      `Content-Length: ${body.length}`,
      'Connection: close',
    ];
    this.socket.write(`${head.join('\r\n')}\r\n\r\n${body.slice(0, sent)}`);
  }

  /** Sends the rest. @returns all that comes back. */
  async goOn(): Promise<string> {
    this.socket.write(this.body.slice(this.sent));
    await once(this.socket, 'close');
    return this.got;
  }
}

const holds = (bytes: number) => world.until(() => world.bodyBytes() === bytes, `${bytes} bytes of bodies`);

describe('request bodies in memory', () => {
  it('are bounded all together: who finds no room is refused, who has room goes on', async () => {
    const first = new Upload(chatOf(90_000), 89_000);
    await holds(89_000);
    const refused: Got | null = await send(world, { body: chatOf(90_000) }).got;
    expect(refused).toMatchObject({ status: 503, headers: { 'vendo-error-code': 'overloaded' } });
    expect(JSON.parse(refused?.body.toString() ?? '').error.code).toBe('overloaded');
    await holds(89_000);
    expect(await send(world, { body: chatOf(50_000) }).got).toMatchObject({ status: 200 });
    expect(await first.goOn()).toContain('HTTP/1.1 200');
    await holds(0);
    expect(world.reserved).toHaveLength(2);
    expect(world.ends().map(({ data }) => data.outcome)).toEqual(['completed', 'completed']);
  });

  it('count as they come: a length that is only announced takes nothing from others', async () => {
    const announced = [1, 2, 3].map(() => new Upload(chatOf(90_000), 1));
    await holds(3);
    expect(await send(world, { body: chatOf(90_000) }).got).toMatchObject({ status: 200 });
    for (const { socket } of announced) socket.destroy();
    await holds(0);
  });

  it('count until the call is over, a drain included', async () => {
    const held = Promise.withResolvers<http.ServerResponse>();
    world.answer = (_request, response) => held.resolve(response);
    const { leave } = send(world, { body: chatOf(90_000) });
    const response = await held.promise;
    leave();
    await world.until(() => world.draining() > 0, 'the drain');
    expect(world.bodyBytes()).toBe(90_000);
    json(200, CHAT_JSON)(response.req, response);
    await world.until(() => world.ends().length > 0, 'the end of the hold');
    await holds(0);
  });

  it.each([
    ['too large', 'x'.repeat(100_001), { 'transfer-encoding': 'chunked' }, 413],
    ['no JSON', '{', {}, 400],
  ])('are given back when one is refused: %s', async (_, body, headers, status) => {
    expect(await send(world, { body, headers }).got).toMatchObject({ status });
    await holds(0);
  });

  it('of free routes count too', async () => {
    const full = new Upload(chatOf(100_000), 99_999);
    const more = new Upload(chatOf(100_000), 50_000);
    await holds(149_999);
    const got = await send(world, { path: '/proxy/anthropic/v1/messages/count_tokens' }).got;
    expect(got).toMatchObject({ status: 503 });
    for (const { socket } of [full, more]) socket.destroy();
    await holds(0);
  });
});
