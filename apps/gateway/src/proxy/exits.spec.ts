// Over 400 lines: it is the exits table of docs/metering.md, one row each, and reads best in one piece. Where exactly
// in the answer a call ends is a table of its own, in exit-points.spec.ts.
import { once } from 'node:events';
import type http from 'node:http';
import net from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { VendoError } from '@vendo/errors';
import { RateBook } from '@vendo/pricing';
import { PROXY_LIMITS } from './limits.js';
import {
  CHAT_COST,
  CHAT_JSON,
  chunk,
  DONE,
  json,
  MESSAGE,
  MESSAGE_DELTA,
  MESSAGE_START,
  MESSAGE_STOP,
  MESSAGE_TEXT,
  STREAM,
  sse,
  stream,
  TEXT,
  USAGE,
  USAGE_CHUNK,
} from './memory.proxy-answers.js';
import { CHAT, type Got, type Sent, send } from './memory.proxy-client.js';
import { ProxyWorld, rate } from './memory.proxy-world.js';

/** The same report as in the others, in the words of the Responses API. */
const REPORT = { usage: { input_tokens: 1_000, output_tokens: 500 } };
const FAILED = { id: 'resp_1', model: 'gpt-4o-mini', status: 'failed', error: { code: 'server_error' } };
const MESSAGE_IN_JSON = {
  ...MESSAGE,
  body: JSON.stringify({ ...JSON.parse(MESSAGE.body), stream: false }),
};

const { drainMs: DRAIN_MS } = PROXY_LIMITS.bounds;

let world: ProxyWorld;
beforeEach(async () => {
  world = await new ProxyWorld().start();
});
afterEach(() => world.close());

/** What a row of docs/metering.md says: the charge, and how it is known. Every hold has ended exactly once. */
async function expectEnd(expected: {
  outcome: string;
  cost: number;
  evidence: string | null;
}): Promise<void> {
  await world.until(() => world.ends().length > 0, 'the end of the hold');
  await world.stopProxy();
  const [reserve] = world.reserved;
  expect(world.ends().map(({ data }) => data)).toEqual([
    expect.objectContaining({
      hold_id: reserve?.hold_id,
      outcome: expected.outcome,
      cost_micros: expected.cost,
    }),
  ]);
  expect(world.usages().map(({ data }) => data)).toEqual(
    expected.evidence === null
      ? []
      : [
          expect.objectContaining({
            id: reserve?.hold_id,
            outcome: expected.outcome,
            cost_micros: expected.cost,
            evidence: expected.evidence,
          }),
        ],
  );
}

/** A request whose provider dies once the client has what it sent. */
function sendDying(
  request: Sent,
  answer: (request: http.IncomingMessage, response: http.ServerResponse) => http.ServerResponse,
  sent: string,
): Promise<Got | null> {
  let provider: http.ServerResponse | null = null;
  world.answer = (...exchange) => {
    provider = answer(...exchange);
  };
  let received = 0;
  const onData = (bytes: Buffer): void => {
    received += bytes.length;
    if (received === Buffer.byteLength(sent)) provider?.destroy();
  };
  return send(world, { ...request, onData }).got;
}

function codeOf(got: Got | null): string {
  return JSON.parse(got?.body.toString() ?? '{}').error?.code;
}

describe('a call that completes', () => {
  it('is charged exactly from a JSON answer, which passes unchanged', async () => {
    world.answer = json(200, CHAT_JSON, { 'x-request-id': 'req_1' });
    const got = await send(world).got;
    // Whoever has all of an answer finds its end spooled.
    expect(world.ends()).toHaveLength(1);
    expect(got).toMatchObject({ status: 200, broken: false });
    expect(got?.body.toString()).toBe(CHAT_JSON);
    await expectEnd({ outcome: 'completed', cost: CHAT_COST, evidence: 'exact' });
    expect(world.spooled.map(({ type }) => type)).toEqual([
      'HoldReserved.v1',
      'UsageMeasured.v2',
      'HoldSettled.v1',
    ]);
    expect(world.usages()[0]?.data).toMatchObject({
      model: 'gpt-4o-mini-2024-07-18',
      route: 'chat.completions',
      upstream_request_id: 'req_1',
      status: 200,
      stream: false,
    });
  });

  it('has the id of its answer where that of the head is empty', async () => {
    world.answer = json(200, CHAT_JSON, { 'x-request-id': '' });
    await send(world).got;
    await expectEnd({ outcome: 'completed', cost: CHAT_COST, evidence: 'exact' });
    expect(world.usages()[0]?.data.upstream_request_id).toBe('chatcmpl-1');
  });

  it('is charged exactly from a stream, which passes unchanged', async () => {
    world.answer = (...exchange) => stream(TEXT, USAGE_CHUNK, DONE)(...exchange).end();
    const got = await send(world, STREAM).got;
    expect(world.ends()).toHaveLength(1);
    expect(got?.body.toString()).toBe(TEXT + USAGE_CHUNK + DONE);
    await expectEnd({ outcome: 'completed', cost: CHAT_COST, evidence: 'exact' });
  });

  it('is charged once where its stream reports and ends twice', async () => {
    world.answer = (...exchange) => stream(TEXT, USAGE_CHUNK, DONE, USAGE_CHUNK, DONE)(...exchange).end();
    const got = await send(world, STREAM).got;
    expect(got?.body.toString()).toBe(TEXT + USAGE_CHUNK + DONE + USAGE_CHUNK + DONE);
    expect(world.seen).toHaveLength(1);
    await expectEnd({ outcome: 'completed', cost: CHAT_COST, evidence: 'exact' });
  });

  it('is asked for its usage chunk when the client did not, and the client does not see it', async () => {
    world.answer = (...exchange) => stream(TEXT, USAGE_CHUNK, DONE)(...exchange).end();
    const got = await send(world, {
      body: JSON.stringify({ ...CHAT, stream: true }),
      headers: { 'accept-encoding': 'gzip' },
    }).got;
    expect(got?.body.toString()).toBe(TEXT + DONE);
    expect(JSON.parse(world.seen[0]?.body ?? '')).toMatchObject({ stream_options: { include_usage: true } });
    expect(world.seen[0]?.headers['accept-encoding']).toBe('identity');
    await expectEnd({ outcome: 'completed', cost: CHAT_COST, evidence: 'exact' });
  });

  it.each([
    ['JSON', CHAT_JSON, 'application/json', JSON.stringify(CHAT)],
    ['a stream', TEXT + USAGE_CHUNK + DONE, 'text/event-stream', STREAM.body],
  ])('passes compressed %s on compressed and reads it all the same', async (_, plain, type, body) => {
    const bytes = gzipSync(plain);
    world.answer = (_request, response) => {
      response.writeHead(200, { 'content-type': type, 'content-encoding': 'gzip' });
      response.write(bytes.subarray(0, 30));
      response.end(bytes.subarray(30));
    };
    const got = await send(world, { body, headers: { 'accept-encoding': 'gzip' } }).got;
    expect(got?.headers['content-encoding']).toBe('gzip');
    expect(got?.body).toEqual(bytes);
    await expectEnd({ outcome: 'completed', cost: CHAT_COST, evidence: 'exact' });
  });

  it('without any usage report or output is recorded with nothing to charge', async () => {
    world.answer = json(200, '{"id":"chatcmpl-1","choices":[]}');
    expect(await send(world).got).toMatchObject({ status: 200 });
    await expectEnd({ outcome: 'completed', cost: 0, evidence: 'estimated' });
    expect(world.usages()[0]?.data.lines).toEqual([]);
  });

  it('whose type says that it is bytes is not read, whatever they are, and that is told', async () => {
    world.answer = json(200, CHAT_JSON, { 'content-type': 'application/octet-stream' });
    expect((await send(world).got)?.body.toString()).toBe(CHAT_JSON);
    await expectEnd({ outcome: 'completed', cost: 0, evidence: 'estimated' });
    expect(await world.metricsText()).toMatch(
      /vendo_proxy_unreported_total\{[^}]*provider="openai"[^}]*\} 1/,
    );
  });

  it('streamed to its end without a usage report is charged what has passed', async () => {
    // (1 * 0.15 + 1 * 0.6) * 1.2, rounded
    world.answer = (...exchange) => stream(TEXT + DONE)(...exchange).end();
    expect(await send(world, STREAM).got).toMatchObject({ status: 200, broken: false });
    await expectEnd({ outcome: 'completed', cost: 1, evidence: 'estimated' });
    expect(world.logged).toContainEqual(expect.objectContaining({ outcome: 'completed', status: 200 }));
  });

  it('streamed to its end without the report of its output is charged what has passed of that', async () => {
    // (2000 * 3 + 50 * 15) * 1.2
    world.answer = (...exchange) =>
      stream(MESSAGE_START + MESSAGE_TEXT.repeat(50) + MESSAGE_STOP)(...exchange).end();
    expect(await send(world, MESSAGE).got).toMatchObject({ status: 200, broken: false });
    await expectEnd({ outcome: 'completed', cost: 8_100, evidence: 'estimated' });
  });

  it.each([
    // 3 characters at $15 and 20 % for a million.
    ['known at its head is charged what the request says', 'tts-1', 'header', 54],
    // 2 pieces of text at $0.6, and 5 tokens of sound at $12.
    ['of sound that reports nothing is charged its estimate', 'gpt-4o-mini-tts', 'estimated', 73],
  ])('%s', async (_, model, evidence, cost) => {
    world.rates = world.rates.with(
      [
        rate('openai', model, 'characters', '15'),
        rate('openai', model, 'input_tokens', '0.6'),
        rate('openai', model, 'output_tokens', '12'),
        rate('openai', model, 'audio_output_tokens', '12'),
      ],
      [],
      1,
    );
    const sound = Buffer.from([0xff, 0xf3, 0xe4, 0xc4]);
    world.answer = (_request, response) => {
      response.writeHead(200, { 'content-type': 'audio/mpeg' }).end(sound);
    };
    const body = JSON.stringify({ model, input: 'a b', voice: 'ash' });
    const got = await send(world, { path: '/proxy/openai/v1/audio/speech', body }).got;
    expect(got?.body).toEqual(sound);
    await expectEnd({ outcome: 'completed', cost, evidence });
  });

  const error = '"error":{"type":"server_error","message":"no"}';
  const messageError = sse('error', { type: 'error', error: { type: 'overloaded_error' } });
  const chatError = chunk({ error: { type: 'server_error' } });
  const failed = (fields: object): string => sse('response.failed', { response: { ...FAILED, ...fields } });
  const responses = (fields: object): Sent => ({
    path: '/proxy/openai/v1/responses',
    body: JSON.stringify({ model: 'gpt-4o-mini', input: 'hi', ...fields }),
  });

  const chats = TEXT.repeat(50);
  const texts = MESSAGE_TEXT.repeat(50);
  const deltas = sse('response.output_text.delta', { delta: 'hello' }).repeat(50);

  // (2000 * 3 + 1 * 15) * 1.2 where no output came, 50 for 1 where it was not reported, 400 where it was;
  // (1 * 0.15 + 50 * 0.6) * 1.2, rounded, of a chat and of a response.
  it.each<[what: string, Sent, answer: string, cost: number, evidence: string]>([
    ['a message, before its report', MESSAGE, MESSAGE_START + texts + messageError, 8_100, 'estimated'],
    ['a message, before any output', MESSAGE, MESSAGE_START + messageError, 7_218, 'estimated'],
    ['a message, after it', MESSAGE, MESSAGE_START + MESSAGE_DELTA + messageError, 14_400, 'exact'],
    ['a chat, before its report', STREAM, chats + chatError, 36, 'estimated'],
    ['a chat, before any output', STREAM, chatError, 0, 'estimated'],
    ['a chat, after it', STREAM, TEXT + USAGE_CHUNK + chatError, CHAT_COST, 'exact'],
    ['a response that failed without one', responses({ stream: true }), deltas + failed({}), 36, 'estimated'],
    ['a response that failed without output', responses({ stream: true }), failed({}), 0, 'estimated'],
    ['a response that failed with one', responses({ stream: true }), failed(REPORT), CHAT_COST, 'exact'],
  ])('with an error in the stream of %s', async (_, sent, events, cost, evidence) => {
    world.answer = (...exchange) => stream(events)(...exchange).end();
    const got = await send(world, sent).got;
    expect(got).toMatchObject({ status: 200, broken: false });
    expect(got?.body.toString()).toBe(events);
    await expectEnd({ outcome: 'upstream_error', cost, evidence });
  });

  it.each<[what: string, Sent, answer: string, cost: number, evidence: string]>([
    ['a chat, without a report', {}, `{"id":"c",${error}}`, 0, 'estimated'],
    ['a chat, with one', {}, `{"id":"c",${error},"usage":${JSON.stringify(USAGE)}}`, CHAT_COST, 'exact'],
    ['a response, without a report', responses({}), JSON.stringify(FAILED), 0, 'estimated'],
    ['a response, with one', responses({}), JSON.stringify({ ...FAILED, ...REPORT }), CHAT_COST, 'exact'],
    ['a message, without a report', MESSAGE_IN_JSON, `{"type":"error",${error}}`, 0, 'estimated'],
    [
      'a message, with one',
      MESSAGE_IN_JSON,
      `{"type":"error",${error},"usage":{"input_tokens":2000,"output_tokens":400}}`,
      14_400,
      'exact',
    ],
  ])('with an error in the body of %s', async (_, sent, body, cost, evidence) => {
    world.answer = json(200, body);
    const got = await send(world, sent).got;
    expect(got).toMatchObject({ status: 200, broken: false });
    expect(got?.body.toString()).toBe(body);
    await expectEnd({ outcome: 'upstream_error', cost, evidence });
  });
});

describe('a client that leaves', () => {
  it('before the headers: the answer is read to its end and charged', async () => {
    const held = Promise.withResolvers<http.ServerResponse>();
    world.answer = (_request, response) => held.resolve(response);
    const { leave } = send(world);
    const response = await held.promise;
    leave();
    await world.until(() => world.draining() > 0, 'the gateway sees that the client left');
    json(200, CHAT_JSON)(response.req, response);
    await expectEnd({ outcome: 'client_aborted', cost: CHAT_COST, evidence: 'drained' });
  });

  it('in the middle of a stream: the rest is read and charged', async () => {
    const held = Promise.withResolvers<http.ServerResponse>();
    world.answer = (...exchange) => held.resolve(stream(TEXT)(...exchange));
    send(world, { ...STREAM, onData: (_, leave) => leave() });
    const response = await held.promise;
    await world.until(() => world.draining() > 0, 'the gateway sees that the client left');
    response.end(TEXT + USAGE_CHUNK + DONE);
    await expectEnd({ outcome: 'client_aborted', cost: CHAT_COST, evidence: 'drained' });
  });

  it('after the terminal frame: the call is complete', async () => {
    const held = Promise.withResolvers<http.ServerResponse>();
    world.answer = (...exchange) => held.resolve(stream(TEXT, USAGE_CHUNK, DONE)(...exchange));
    send(world, { ...STREAM, onData: (_, leave) => leave() });
    (await held.promise).on('close', () => undefined);
    await expectEnd({ outcome: 'completed', cost: CHAT_COST, evidence: 'exact' });
  });

  it('and whose answer never begins: nothing is charged, and we hang up', async () => {
    const gone = Promise.withResolvers<void>();
    world.upstreamTimeoutMs = 5_000;
    await world.restart();
    world.answer = (request) => void request.socket.once('close', gone.resolve);
    const { leave } = send(world);
    await world.until(() => world.seen.length > 0, 'the call at the provider');
    leave();
    await world.until(() => world.draining() > 0, 'the gateway sees that the client left');
    world.clock.skippedMs += DRAIN_MS;
    await gone.promise;
    await expectEnd({ outcome: 'upstream_died', cost: 0, evidence: null });
  });

  it('with an error answer on its way: it costs nothing', async () => {
    const held = Promise.withResolvers<http.ServerResponse>();
    world.answer = (_request, response) => held.resolve(response);
    const { leave } = send(world);
    const response = await held.promise;
    leave();
    await world.until(() => world.draining() > 0, 'the gateway sees that the client left');
    json(529, '{"error":{}}')(response.req, response);
    await expectEnd({ outcome: 'upstream_error', cost: 0, evidence: null });
  });

  it('and whose answer goes on for too long: what the tap has read is charged', async () => {
    world.answer = (...exchange) => {
      const response = stream(MESSAGE_START)(...exchange);
      const trickle = setInterval(() => response.write(': still there\n\n'), 100);
      response.on('close', () => clearInterval(trickle));
    };
    send(world, { ...MESSAGE, onData: (_chunk, leave) => leave() });
    await world.until(() => world.draining() > 0, 'the gateway sees that the client left');
    world.clock.skippedMs += DRAIN_MS;
    await expectEnd({ outcome: 'client_aborted', cost: 7_218, evidence: 'counted' });
  });

  it('and whose answer is too large: what the tap has read is charged', async () => {
    const filler = `: ${'x'.repeat(1_048_576)}\n\n`;
    const held = Promise.withResolvers<http.ServerResponse>();
    // Less than it is, because a busy machine takes seconds for that.
    world.drainBytes = 8_388_608;
    await world.restart();
    world.answer = (...exchange) => held.resolve(stream(MESSAGE_START)(...exchange));
    send(world, { ...MESSAGE, onData: (_chunk, leave) => leave() });
    const response = await held.promise;
    await world.until(() => world.draining() > 0, 'the gateway sees that the client left');
    let written = 0;
    const fill = (): void => {
      written += filler.length;
      response.write(filler, (failed) => (failed ? undefined : fill()));
    };
    fill();
    await expectEnd({ outcome: 'client_aborted', cost: 7_218, evidence: 'counted' });
    expect(written).toBeGreaterThan(world.drainBytes);
    // What stands in buffers on the way counts as written.
    expect(written).toBeLessThan(world.drainBytes + 16_777_216);
  });

  it('while its hold is being reserved: nothing is forwarded', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { reserve } = world;
    world.reserve = async (command) => {
      await promise;
      return reserve(command);
    };
    const { leave, got } = send(world);
    await world.until(() => world.reserved.length > 0);
    leave();
    await got;
    await world.until(() => world.connections() === 0, 'the gateway sees that the client left');
    resolve();
    await expectEnd({ outcome: 'not_forwarded', cost: 0, evidence: null });
    expect(world.seen).toEqual([]);
  });
});

describe('a provider that fails', () => {
  it('refuses the connection: 502, and the hold is released', async () => {
    world.upstreamOrigin = 'http://127.0.0.1:1';
    const got = await send(world).got;
    expect(got?.status).toBe(502);
    expect(got?.headers['vendo-error-code']).toBe('upstream_unreachable');
    await expectEnd({ outcome: 'not_forwarded', cost: 0, evidence: null });
  });

  it('has a name that nobody knows: 502, and the hold is released', async () => {
    world.upstreamOrigin = 'http://provider.invalid';
    const got = await send(world).got;
    expect(got?.status).toBe(502);
    expect(got?.headers['vendo-error-code']).toBe('upstream_unreachable');
    await expectEnd({ outcome: 'not_forwarded', cost: 0, evidence: null });
  });

  it('takes no connection in time: 504, and the hold is released', async () => {
    // TLS is part of connecting, and this provider never greets.
    const silent = net.createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    world.upstreamOrigin = `https://127.0.0.1:${(silent.address() as net.AddressInfo).port}`;
    const got = await send(world).got;
    silent.close();
    expect(got?.status).toBe(504);
    expect(got?.headers['vendo-error-code']).toBe('upstream_timeout');
    await expectEnd({ outcome: 'not_forwarded', cost: 0, evidence: null });
  });

  it('says nothing in time: 504, and the hold is released', async () => {
    world.answer = () => undefined;
    const got = await send(world).got;
    expect(got?.status).toBe(504);
    expect(got?.headers['vendo-error-code']).toBe('upstream_timeout');
    await expectEnd({ outcome: 'upstream_died', cost: 0, evidence: null });
  });

  it('dies before the headers: 502, sent once, and the hold is released', async () => {
    world.answer = (request) => void request.socket.destroy();
    const got = await send(world).got;
    expect(got?.status).toBe(502);
    expect(world.seen).toHaveLength(1);
    await expectEnd({ outcome: 'upstream_died', cost: 0, evidence: null });
  });

  it.each([300, 304, 307, 400, 401, 404, 429, 500, 529])(
    'answers %i: it passes unchanged and costs nothing, and the hold ends before the client hears of it',
    async (status) => {
      const body = '{"error":{"message":"no","usage":{"prompt_tokens":9}}}';
      world.answer = json(status, body, { 'vendo-error-code': 'spend_cap_daily', 'retry-after': '7' });
      let endsAtHead = 0;
      const onHead = (): void => {
        endsAtHead = world.ends().length;
      };
      const got = await send(world, { onHead }).got;
      expect(endsAtHead).toBe(1);
      expect(got).toMatchObject({ status, broken: false });
      expect(got?.body.toString()).toBe(status === 304 ? '' : body);
      expect(got?.headers['vendo-error-code']).toBeUndefined();
      expect(got?.headers['retry-after']).toBe('7');
      await expectEnd({ outcome: 'upstream_error', cost: 0, evidence: null });
    },
  );

  it.each([
    // 1 in ("hi") and 1 out ("hello"): (1 * 0.15 + 1 * 0.6) * 1.2, rounded
    ['that has reported nothing: the fewest tokens that passed are charged', STREAM, TEXT, 1],
    // (2000 * 3 + 1 * 15) * 1.2
    ['that has reported its input: that is charged', MESSAGE, MESSAGE_START + MESSAGE_TEXT, 7_218],
  ])('dies in the middle of a stream %s', async (_, request, sent, cost) => {
    const got = await sendDying(request, stream(sent), sent);
    expect(got).toMatchObject({ status: 200, broken: true });
    expect(got?.body.toString()).toBe(sent);
    await expectEnd({ outcome: 'upstream_died', cost, evidence: 'counted' });
  });

  it.each([
    ['a chat, before [DONE]', STREAM, TEXT + USAGE_CHUNK, CHAT_COST],
    // (2000 * 3 + 400 * 15) * 1.2
    ['a message, before message_stop', MESSAGE, MESSAGE_START + MESSAGE_TEXT + MESSAGE_DELTA, 14_400],
  ])('dies after the final report of %s: that is charged as exact', async (_, request, sent, cost) => {
    expect(await sendDying(request, stream(sent), sent)).toMatchObject({ status: 200, broken: true });
    await expectEnd({ outcome: 'upstream_died', cost, evidence: 'exact' });
  });

  it('has a head that we cannot read: the hold ends', async () => {
    world.answer = (request) => void request.socket.write('HTTP/1.1 200 OK\r\nbroken\x01: 1\r\n\r\n');
    expect((await send(world).got)?.status).toBe(502);
    await expectEnd({ outcome: 'upstream_died', cost: 0, evidence: null });
  });

  it('dies in the middle of JSON: the input is charged and the client sees it broken', async () => {
    const sent = CHAT_JSON.slice(0, 100);
    const head = { 'content-type': 'application/json', 'content-length': CHAT_JSON.length };
    const begin = (_request: http.IncomingMessage, response: http.ServerResponse) => {
      response.writeHead(200, head).write(sent);
      return response;
    };
    const got = await sendDying({}, begin, sent);
    expect(got).toMatchObject({ status: 200, broken: true });
    await expectEnd({ outcome: 'upstream_died', cost: 0, evidence: 'counted' });
    expect(world.usages()[0]?.data.lines).toMatchObject([{ meter: 'input_tokens', quantity: '1' }]);
  });
});

describe('billing that fails', () => {
  it('in pricing: the answer is whole, the usage is recorded unpriced', async () => {
    world.rates = new (class extends RateBook {
      override price(): never {
        throw new Error('broken rates');
      }
    })([], [], 1);
    world.rates.isPriced = () => true;
    world.rates.holdFor = () => 100n;
    world.answer = json(200, CHAT_JSON);
    expect((await send(world).got)?.body.toString()).toBe(CHAT_JSON);
    await expectEnd({ outcome: 'completed', cost: 0, evidence: 'exact' });
    expect(world.usages()[0]?.data.lines).toEqual([
      expect.objectContaining({ meter: 'input_tokens', quantity: '1000', unpriced: true }),
      expect.objectContaining({ meter: 'output_tokens', quantity: '500', unpriced: true }),
    ]);
    expect(world.rateMisses).toHaveLength(1);
  });

  it('in the spool, at the end: the answer is whole, new metered calls are refused', async () => {
    world.writes = (frame) => frame !== 2;
    world.answer = json(200, CHAT_JSON);
    expect(await send(world).got).toMatchObject({ status: 200, broken: false });
    const next = await send(world).got;
    expect(next?.status).toBe(503);
    expect(codeOf(next)).toBe('billing_unavailable');
    expect(world.reserved).toHaveLength(1);
    await expectEnd({ outcome: 'completed', cost: CHAT_COST, evidence: 'exact' });
  });

  it('in the spool, before the call is forwarded: 503, and nothing is sent', async () => {
    world.writes = () => false;
    expect((await send(world).got)?.status).toBe(503);
    expect(world.seen).toEqual([]);
    await expectEnd({ outcome: 'not_forwarded', cost: 0, evidence: null });
  });

  it.each([
    ['balance_exhausted', undefined, 402, undefined, undefined],
    ['spend_cap_daily', 3_600, 429, 'spend_cap_daily', '3600'],
    ['spend_cap_monthly', 90_000, 429, 'spend_cap_monthly', '90000'],
  ] as const)('by the refusal %s: nothing is sent', async (code, retry_after, status, header, retryAfter) => {
    world.reserve = async ({ hold_id }) => ({
      status: 'refused',
      hold_id,
      code,
      ...(retry_after === undefined ? {} : { retry_after }),
    });
    const got = await send(world).got;
    expect(got?.status).toBe(status);
    expect(codeOf(got)).toBe(code);
    expect(got?.headers['vendo-error-code']).toBe(header);
    expect(got?.headers['retry-after']).toBe(retryAfter);
    expect(got?.headers['x-should-retry']).toBe('false');
    await expectEnd({ outcome: 'not_forwarded', cost: 0, evidence: null });
    expect(world.seen).toEqual([]);
  });

  it('by no answer to the reserve: 503, and the hold that may exist is ended', async () => {
    world.reserve = () => Promise.reject(new VendoError('billing_unavailable'));
    const got = await send(world).got;
    expect(got?.status).toBe(503);
    expect(got?.headers['vendo-error-code']).toBeUndefined();
    await expectEnd({ outcome: 'not_forwarded', cost: 0, evidence: null });
  });

  it('by an answer to the reserve that is over 10 s old: 503, and nothing is sent', async () => {
    const { reserve } = world;
    world.reserve = async (command) => {
      world.clock.skippedMs = 10_001;
      return reserve(command);
    };
    expect((await send(world).got)?.status).toBe(503);
    await expectEnd({ outcome: 'not_forwarded', cost: 0, evidence: null });
    expect(world.seen).toEqual([]);
  });

  it('by a missing rate: 402 before anything is reserved, and the miss is counted', async () => {
    const got = await send(world, { body: JSON.stringify({ ...CHAT, model: 'gpt-unknown' }) }).got;
    expect(got?.status).toBe(402);
    expect(codeOf(got)).toBe('rate_missing');
    expect(world.reserved).toEqual([]);
    expect(world.rateMisses).toEqual([expect.objectContaining({ model: 'gpt-unknown', meter: null })]);
  });
});

describe('a gateway that stops', () => {
  it('refuses new calls and closes their connection, so that the next try comes to another gateway', async () => {
    await world.stopProxy();
    expect(await send(world, { headers: { connection: 'keep-alive' } }).got).toMatchObject({
      status: 503,
      headers: { connection: 'close' },
    });
    expect(world.reserved).toEqual([]);
  });

  it('settles an open stream from its tap and breaks it off', async () => {
    world.answer = (...exchange) => void stream(MESSAGE_START)(...exchange);
    const begun = Promise.withResolvers<void>();
    const { got } = send(world, { ...MESSAGE, onData: () => begun.resolve() });
    await begun.promise;
    await world.stopProxy();
    expect(await got).toMatchObject({ status: 200, broken: true });
    await expectEnd({ outcome: 'client_aborted', cost: 7_218, evidence: 'counted' });
  });

  it('releases a call whose answer has not begun', async () => {
    world.answer = () => undefined;
    const { got } = send(world);
    await world.until(() => world.seen.length > 0, 'the call at the provider');
    await world.stopProxy();
    expect(await got).toBeNull();
    await expectEnd({ outcome: 'upstream_died', cost: 0, evidence: null });
  });

  it('ends a hold that is still being reserved, whatever the ledger answers later', async () => {
    const late = Promise.withResolvers<void>();
    const { reserve } = world;
    world.reserve = async (command) => {
      await late.promise;
      return reserve(command);
    };
    const { got } = send(world);
    await world.until(() => world.reserved.length > 0);
    await world.stopProxy();
    late.resolve();
    expect(await got).toBeNull();
    await expectEnd({ outcome: 'not_forwarded', cost: 0, evidence: null });
    expect(world.seen).toEqual([]);
  });
});

describe('an Anthropic stream that completes', () => {
  it('is charged its input and the last cumulative output', async () => {
    const events = MESSAGE_START + MESSAGE_TEXT + MESSAGE_DELTA + MESSAGE_STOP;
    world.answer = (...exchange) => stream(events)(...exchange).end();
    expect((await send(world, MESSAGE).got)?.body.toString()).toBe(events);
    // (2000 * 3 + 400 * 15) * 1.2
    await expectEnd({ outcome: 'completed', cost: 14_400, evidence: 'exact' });
  });
});
