import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { CHAT, send } from './memory.proxy-client.js';
import { ProxyWorld } from './memory.proxy-world.js';

const USAGE = { prompt_tokens: 1_000, completion_tokens: 500, total_tokens: 1_500 };
const TEXT = `data: ${JSON.stringify({ id: 'c', model: 'gpt-4o-mini', choices: [{ index: 0, delta: { content: 'hi' } }] })}\n\n`;
const END = `data: ${JSON.stringify({ id: 'c', model: 'gpt-4o-mini', choices: [], usage: USAGE })}\n\ndata: [DONE]\n\n`;
const STREAM = JSON.stringify({ ...CHAT, stream: true, stream_options: { include_usage: true } });

let world: ProxyWorld;
beforeEach(async () => {
  world = new ProxyWorld();
  world.upstreamTimeoutMs = 10_000;
  await world.start();
});
afterEach(() => world.close());

describe('the last chunk, when the spool says that its sync must be waited for,', () => {
  it.each([
    ['ends well', true],
    ['breaks off behind its terminal frame', false],
  ])('leaves only after it, in an answer that %s', async (_, endsWell) => {
    const synced = Promise.withResolvers<void>();
    world.synced = synced.promise;
    const first = Promise.withResolvers<void>();
    let received = '';
    let finish = (): void => undefined;
    world.answer = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(TEXT);
      finish = () => {
        if (endsWell) response.end(END);
        else response.write(END, () => response.destroy());
      };
    };
    const { got } = send(world, {
      body: STREAM,
      onData: (chunk) => {
        received += chunk.toString();
        first.resolve();
      },
    });
    await first.promise;
    finish();
    await world.until(() => world.ends().length === 1, 'the end of the hold');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(received).toBe(TEXT);
    synced.resolve();
    await got;
    expect(received).toBe(TEXT + END);
  });
});
