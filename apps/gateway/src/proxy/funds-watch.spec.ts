import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { priceEverything } from './memory.exit-points.contract.js';
import {
  CHAT_JSON,
  chunk,
  json,
  MESSAGE,
  MESSAGE_START,
  STREAM,
  sse,
  stream,
  TEXT,
  USAGE_CHUNK,
} from './memory.proxy-answers.js';
import { type Sent, send } from './memory.proxy-client.js';
import { KEY, ProxyWorld } from './memory.proxy-world.js';

const SECRET_ID = 'org-of-the-operator';
const NO_QUOTA = JSON.stringify({
  error: { message: `No quota of ${SECRET_ID}`, type: 'insufficient_quota', code: 'insufficient_quota' },
});
const ALERT = { alert: 'pool_account_exhausted', provider: 'openai', status: 429 };

let world: ProxyWorld;
beforeEach(async () => {
  world = await new ProxyWorld().start();
  world.connection = { ...world.connection, profile: 'vendo_managed_pool' };
  world.answer = json(429, NO_QUOTA);
});
afterEach(() => world.close());

const alerts = () => world.logged.filter((line) => Object.hasOwn(line as object, 'alert'));

/** How many answers were counted, by provider. */
async function counted(): Promise<string[]> {
  const text = await world.metricsText();
  return text.split('\n').filter((line) => /^vendo_proxy_pool_account_exhausted_total\{/.test(line));
}

/** Sends a call and waits until the gateway has done with it. */
async function call(sent: Sent = {}) {
  const before = world.logged.filter(isCall).length;
  const got = await send(world, sent).got;
  await world.until(() => world.openCalls() === 0, 'the end of the call');
  expect(world.logged.filter(isCall).length).toBe(before + 1);
  return got;
}
const isCall = (line: unknown) => Object.hasOwn(line as object, 'call');

describe('an account of the operator that is out of money', () => {
  it('is told to operators; the client gets the answer as it came', async () => {
    const got = await call();
    expect([got?.status, got?.body.toString()]).toEqual([429, NO_QUOTA]);
    expect(alerts()).toEqual([ALERT]);
    expect(JSON.stringify(world.logged)).not.toContain(SECRET_ID);
    expect(await counted()).toEqual([expect.stringMatching(/provider="openai".* 1$/)]);
  });

  it('is logged once a minute and counted each time', async () => {
    for (let calls = 0; calls < 3; calls += 1) await call();
    expect(alerts()).toEqual([ALERT]);
    expect(await counted()).toEqual([expect.stringMatching(/ 3$/)]);
    world.clock.skippedMs += 59_000;
    await call();
    expect(alerts()).toEqual([ALERT]);
    world.clock.skippedMs += 1_001;
    await call();
    expect(alerts()).toEqual([ALERT, ALERT]);
  });

  it('is told also of a free route, and of another provider at once', async () => {
    await call();
    await call({ method: 'GET', path: '/proxy/openai/v1/models' });
    expect(await counted()).toEqual([expect.stringMatching(/ 2$/)]);
    world.answer = json(400, '{"error":{"type":"billing_error"}}');
    await call({ method: 'GET', path: '/proxy/anthropic/v1/models', headers: { 'x-api-key': KEY } });
    expect(alerts()).toEqual([ALERT, { ...ALERT, provider: 'anthropic', status: 400 }]);
  });

  it.each([
    ['is read in gzip', 'gzip', gzipSync(NO_QUOTA), [ALERT]],
    ['is read in br', 'br', brotliCompressSync(NO_QUOTA), [ALERT]],
    ['is not seen in broken gzip', 'gzip', Buffer.from('no gzip'), []],
    ['is not seen in what becomes too long', 'gzip', gzipSync(NO_QUOTA + ' '.repeat(70_000)), []],
    ['is not seen in a coding that nobody knows', 'zip', Buffer.from(NO_QUOTA), []],
  ])('%s; the client gets the very bytes', async (_, coding, bytes, told) => {
    world.answer = (_request, response) => {
      response.writeHead(429, { 'content-type': 'application/json', 'content-encoding': coding });
      response.write(bytes.subarray(0, 5));
      response.end(bytes.subarray(5));
    };
    const got = await call();
    expect(got?.body).toEqual(bytes);
    // Decompressing takes a while: what would be told is told before this one.
    const other = { ...ALERT, provider: 'anthropic' };
    world.answer = (_request, response) =>
      response
        .writeHead(429, { 'content-encoding': 'gzip' })
        .end(gzipSync('{"error":{"type":"billing_error"}}'));
    await call({ method: 'GET', path: '/proxy/anthropic/v1/models', headers: { 'x-api-key': KEY } });
    await world.until(() => alerts().length > told.length, 'the alert');
    expect(alerts()).toEqual([...told, other]);
  });

  it.each([
    ['a rate limit', 429, '{"error":{"code":"rate_limit_exceeded"}}'],
    ['an answer', 200, CHAT_JSON.replace('hello', 'insufficient_quota')],
    ['one that is no JSON', 429, `x${NO_QUOTA}`],
    ['one that is too long', 429, `${NO_QUOTA}${' '.repeat(66_000)}`],
    ['none', 429, ''],
  ])('is not seen in %s', async (_, status, body) => {
    world.answer = json(status, body);
    expect((await call())?.body.toString()).toBe(body);
    expect(alerts()).toEqual([]);
    expect(await counted()).toEqual([]);
  });

  const responses = { path: '/proxy/openai/v1/responses', body: '{"model":"gpt-4o-mini","input":"hi"}' };
  const messages = { ...MESSAGE, headers: { 'x-api-key': KEY } };
  const costed = (path: string) => ({ path, body: '{"model":"m","messages":[]}' });
  const NO_FUNDS = { code: 'insufficient_quota', message: 'no' };
  const whole =
    (body: object): ReturnType<typeof stream> =>
    (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).write(JSON.stringify(body));
      return response;
    };
  it.each<[what: string, provider: string, sent: Sent, answer: ReturnType<typeof stream>]>([
    ['a chunk', 'openai', STREAM, stream(TEXT, chunk({ error: NO_FUNDS }))],
    [
      'the event that ends a response',
      'openai',
      { ...responses, body: '{"model":"gpt-4o-mini","input":"hi","stream":true}' },
      stream(sse('response.failed', { type: 'response.failed', response: { error: NO_FUNDS } })),
    ],
    [
      'an event that is the error',
      'openai',
      { ...responses, body: '{"model":"gpt-4o-mini","input":"hi","stream":true}' },
      stream(sse('error', { type: 'error', ...NO_FUNDS })),
    ],
    [
      'the event that ends a response of OpenRouter',
      'openrouter',
      { path: '/proxy/openrouter/v1/responses', body: '{"model":"m","input":"hi","stream":true}' },
      stream(sse('response.failed', { type: 'response.failed', response: { error: { code: 402 } } })),
    ],
    ['JSON', 'openai', responses, whole({ status: 'failed', error: NO_FUNDS })],
    [
      'an event of Anthropic',
      'anthropic',
      messages,
      stream(MESSAGE_START, sse('error', { type: 'error', error: { type: 'billing_error' } })),
    ],
    [
      'the status of an error',
      'openrouter',
      costed('/proxy/openrouter/v1/chat/completions'),
      whole({ choices: [{ error: { code: 402 } }] }),
    ],
  ])('is told where %s of a 200 says it', async (_, provider, sent, answer) => {
    priceEverything(world);
    world.answer = (request, response) => void answer(request, response).end();
    expect((await call(sent))?.status).toBe(200);
    expect(alerts()).toEqual([{ alert: 'pool_account_exhausted', provider, status: 200 }]);
    expect(await counted()).toEqual([expect.stringMatching(/ 1$/)]);
    world.connection = { ...world.connection, profile: 'byok_static' };
    world.clock.skippedMs += 60_001;
    await call(sent);
    expect(alerts()).toHaveLength(1);
  });

  it('is not seen in another error of a 200, nor in what a model says', async () => {
    world.answer = (request, response) =>
      void stream(
        chunk({ choices: [{ delta: { content: NO_QUOTA } }] }),
        chunk({ error: { code: 'server_error', message: NO_QUOTA } }),
        USAGE_CHUNK,
      )(request, response).end();
    await call(STREAM);
    expect(world.ends()[0]?.data.outcome).toBe('upstream_error');
    expect(alerts()).toEqual([]);
  });

  it('is told of an account that is shared by parts, and never of one that is the tenant’s own', async () => {
    world.connection = { ...world.connection, profile: 'byok_static' };
    await call();
    expect(alerts()).toEqual([]);
    expect(await counted()).toEqual([]);
    world.connection = { ...world.connection, profile: 'composio_managed' };
    await call();
    expect(alerts()).toEqual([ALERT]);
  });
});
