import type http from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Rational } from '@vendo/money';
import { RateBook } from '@vendo/pricing';
import { json } from './memory.proxy-answers.js';
import { type Sent, send } from './memory.proxy-client.js';
import { KEY, ProxyWorld, REAL_SECRET, rate } from './memory.proxy-world.js';

const PATH = '/v1beta/models/gemini-embedding-001:batchEmbedContents';
const COUNT = '/v1beta/models/gemini-embedding-001:countTokens';
/** At least 3 tokens. */
const CONTENTS = [
  { role: 'user', parts: [{ text: 'one two' }] },
  { role: 'user', parts: [{ text: 'three' }] },
];
const CALL: Sent = {
  path: `/proxy/gemini${PATH}`,
  body: JSON.stringify({ requests: CONTENTS.map((content) => ({ content })) }),
};
const VECTORS = '{"embeddings":[{"values":[0.1]},{"values":[0.2]}]}';
const MARGIN = { tenantId: null, integration: null, meter: null, effectiveFrom: 0, version: 1 };
/** Micros for a token: $100 for a million, with 20 %. */
const PER_TOKEN = 120;

type Answer = ProxyWorld['answer'];

let world: ProxyWorld;
beforeEach(async () => {
  world = new ProxyWorld();
  world.upstreamTimeoutMs = 60_000;
  await world.start();
  const rates = [rate('gemini', 'gemini-embedding-001', 'input_tokens', '100')];
  world.rates = new RateBook(rates, [{ ...MARGIN, marginPct: Rational.of(20n) }], 1);
});
afterEach(() => world.close());

function answers(embedding: Answer, count: Answer): void {
  world.answer = (request, response) =>
    (request.url?.endsWith(':countTokens') ? count : embedding)(request, response);
}

/** Counts are answered when a test says so. */
function heldCount(): Promise<http.ServerResponse> {
  const held = Promise.withResolvers<http.ServerResponse>();
  answers(json(200, VECTORS), (_request, response) => held.resolve(response));
  return held.promise;
}

const types = () => world.spooled.map(({ type }) => type);
const charged = () =>
  world
    .usages()
    .map(({ data }) => [data.outcome, data.evidence, data.lines[0]?.quantity ?? '-', data.cost_micros]);
const settled = () => world.until(() => world.ends().length === 1, 'the settlement');
/** What operators are told of calls that were not counted. */
const told = () =>
  world.logged.filter(
    (line) => typeof line === 'object' && line !== null && 'why' in line && 'status' in line,
  );
const uncounted = async (why: string) =>
  (await world.metricsText()).includes(`vendo_proxy_uncounted_total{provider="gemini",why="${why}"`);
const asked = () => world.seen.filter(({ url }) => url.endsWith(':countTokens'));

describe('embeddings that do not say what they used', () => {
  it('cost what the provider counts in the same contents, asked for with the same credential', async () => {
    answers(json(200, VECTORS), json(200, '{"totalTokens":31}'));
    expect((await send(world, CALL).got)?.body.toString()).toBe(VECTORS);
    await settled();
    expect(charged()).toEqual([['completed', 'counted', '31', 31 * PER_TOKEN]]);
    expect(asked()).toMatchObject([
      { method: 'POST', url: COUNT, headers: { 'x-goog-api-key': REAL_SECRET }, body: expect.anything() },
    ]);
    expect(JSON.parse(asked()[0]?.body ?? '')).toEqual({ contents: CONTENTS });
    expect(JSON.stringify(world.seen)).not.toContain(KEY);
    expect(world.usages()[0]?.data).toMatchObject({
      id: world.reserved[0]?.hold_id,
      route: 'batchEmbedContents',
      model: 'gemini-embedding-001',
      upstream_request_id: null,
      status: 200,
    });
  });

  it('are answered before that, with a job that holds what they cost at least and nothing of their contents', async () => {
    const count = heldCount();
    expect((await send(world, CALL).got)?.broken).toBe(false);
    const response = await count;
    expect(types()).toEqual(['HoldReserved.v1', 'JobStarted.v1']);
    expect(world.spooled[1]?.data).toMatchObject({
      provider: 'gemini',
      upstream_id: world.reserved[0]?.hold_id,
      ttl_ms: 900_000,
      counted: { quantities: [{ meter: 'input_tokens', quantity: '3' }] },
    });
    const started = world.spooled[1]?.data as { counted?: { after_ms: number } };
    expect(started.counted?.after_ms).toBeGreaterThanOrEqual(600_000);
    expect(JSON.stringify(world.spooled)).not.toContain('three');
    expect(world.bodyBytes()).toBeGreaterThan(0);
    response.end('{"totalTokens":31}');
    await settled();
    await world.until(() => world.openCalls() === 0, 'the end of the question');
    expect(world.bodyBytes()).toBe(0);
    expect(world.objects.rows.size).toBe(0);
  });

  it.each<[what: string, count: Answer, why: string, status: number | null, times: number]>([
    ['is refused', json(400, '{"error":{"code":400}}'), 'refused', 400, 1],
    ['is too many again and again', json(429, '{"error":{"code":429}}'), 'refused', 429, 3],
    ['fails again and again', json(503, '{"error":{"code":503}}'), 'refused', 503, 3],
    ['says nothing', json(200, '{}'), 'nonsense', 200, 1],
    ['is no JSON', json(200, 'nothing'), 'nonsense', 200, 1],
    ['is less than that', json(200, '{"totalTokens":2}'), 'nonsense', 200, 1],
    ['is more than there are bytes', json(200, '{"totalTokens":1000}'), 'nonsense', 200, 1],
    [
      'breaks off',
      (_request, response) => void response.writeHead(200).write('{"to', () => response.destroy()),
      'no_answer',
      null,
      3,
    ],
    ['does not come', (request) => void request.socket.destroy(), 'no_answer', null, 3],
  ])(
    'cost what they are at least where the count %s, and operators are told why',
    async (_, count, why, status, times) => {
      world.clock.skipsPauses = true;
      answers(json(200, VECTORS), count);
      expect((await send(world, CALL).got)?.status).toBe(200);
      await settled();
      expect(charged()).toEqual([['completed', 'estimated', '3', 3 * PER_TOKEN]]);
      expect(asked()).toHaveLength(times);
      expect(told()).toEqual([
        {
          call: world.reserved[0]?.hold_id,
          tenant: expect.any(String),
          provider: 'gemini',
          route: 'batchEmbedContents',
          model: 'gemini-embedding-001',
          why,
          status,
        },
      ]);
      expect(await uncounted(why)).toBe(true);
    },
  );

  it('are asked for again after a while where the count is refused for now', async () => {
    world.clock.skipsPauses = true;
    const statuses = [429, 500, 200];
    answers(json(200, VECTORS), (...exchange) =>
      json(statuses[asked().length - 1] ?? 0, '{"totalTokens":31}')(...exchange),
    );
    await send(world, CALL).got;
    await settled();
    expect(charged()).toEqual([['completed', 'counted', '31', 31 * PER_TOKEN]]);
    expect(world.clock.pausesMs).toEqual([2_000, 15_000]);
    expect(told()).toEqual([]);
  });

  it('are counted where the answer to them has an empty id', async () => {
    answers(json(200, VECTORS, { 'x-request-id': '' }), json(200, '{"totalTokens":31}'));
    await send(world, CALL).got;
    await settled();
    expect(charged()).toEqual([['completed', 'counted', '31', 31 * PER_TOKEN]]);
    expect(world.usages()[0]?.data.upstream_request_id).toBeNull();
  });

  it('cost that too where the count takes over 5 s', async () => {
    const count = heldCount();
    await send(world, CALL).got;
    await count;
    world.clock.skippedMs += 4_000;
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect(world.ends()).toEqual([]);
    world.clock.skippedMs += 1_000;
    await settled();
    expect(charged()).toEqual([['completed', 'estimated', '3', 3 * PER_TOKEN]]);
  });

  it('cost that too where the gateway stops meanwhile, and not twice', async () => {
    const count = heldCount();
    await send(world, CALL).got;
    const response = await count;
    await world.stopProxy();
    expect(charged()).toEqual([['completed', 'estimated', '3', 3 * PER_TOKEN]]);
    response.end('{"totalTokens":31}');
    expect(types().slice(2)).toEqual(['UsageMeasured.v2', 'HoldSettled.v1']);
  });

  it('that are many wait their turn, 16 of a tenant at once, and each is counted', async () => {
    const held: http.ServerResponse[] = [];
    answers(json(200, VECTORS), (_request, response) => void held.push(response));
    await Promise.all(Array.from({ length: 20 }, () => send(world, CALL).got));
    await world.until(() => held.length === 16, 'the questions');
    await world.until(() => world.openCalls() === 20, 'the end of the calls');
    expect(asked()).toHaveLength(16);
    expect(world.ends()).toEqual([]);
    for (let index = 0; index < 20; index += 1) {
      await world.until(() => held.length > index, 'the next question');
      held[index]?.end('{"totalTokens":31}');
    }
    await world.until(() => world.ends().length === 20, 'the settlements');
    expect(charged().every(([, evidence]) => evidence === 'counted')).toBe(true);
  });

  it('that wait their turn for a minute cost what they are at least', async () => {
    answers(json(200, VECTORS), () => undefined);
    await Promise.all(Array.from({ length: 17 }, () => send(world, CALL).got));
    await world.until(() => asked().length === 16, 'the questions');
    world.clock.skippedMs += 61_000;
    await world.until(() => world.ends().length === 17, 'the settlements');
    expect(asked()).toHaveLength(16);
    expect(await uncounted('no_turn')).toBe(true);
    expect(await uncounted('no_answer')).toBe(true);
  });

  it('of one tenant take a quarter of the eighth of the memory for bodies, and calls have the rest', async () => {
    // Room for one that waits and not for another that begins.
    world.maxBodiesBytes = 8 * 4 * (CALL.body?.length ?? 0) * 2.5;
    await world.restart();
    const count = heldCount();
    await send(world, CALL).got;
    const response = await count;
    expect((await send(world, CALL).got)?.status).toBe(200);
    await settled();
    expect(charged()).toEqual([['completed', 'estimated', '3', 3 * PER_TOKEN]]);
    expect(told()).toMatchObject([{ why: 'no_room', status: null }]);
    await world.until(() => world.openCalls() === 1, 'the end of the calls');
    // What waits is what will be sent, no more.
    expect(world.bodyBytes()).toBe(asked()[0]?.body.length);
    response.end('{"totalTokens":31}');
    await world.until(() => world.ends().length === 2, 'the count');
    await world.until(() => world.bodyBytes() === 0, 'the room');
  });

  it('do not hold a stop up for longer than a count takes', async () => {
    world.stopGraceMs = 60_000;
    await world.restart();
    const count = heldCount();
    await send(world, CALL).got;
    await count;
    const stopped = world.stopProxy();
    world.clock.skippedMs += 5_000;
    await settled();
    await stopped;
    expect(charged()).toEqual([['completed', 'estimated', '3', 3 * PER_TOKEN]]);
  });

  it('are counted for a client that has left, too', async () => {
    const held = Promise.withResolvers<http.ServerResponse>();
    answers((_request, response) => held.resolve(response), json(200, '{"totalTokens":31}'));
    const { leave } = send(world, CALL);
    const response = await held.promise;
    leave();
    await world.until(() => world.draining() === 1, 'the drain');
    response.end(VECTORS);
    await settled();
    expect(charged()).toEqual([['client_aborted', 'counted', '31', 31 * PER_TOKEN]]);
  });

  it('are charged the least at once where they cannot be counted', async () => {
    answers(json(200, '{"data":[{"embedding":[1]}]}'), json(200, '{"totalTokens":31}'));
    const body = JSON.stringify({ model: 'gemini-embedding-001', input: [[1, 2]] });
    await send(world, { path: '/proxy/gemini/v1beta/openai/embeddings', body }).got;
    await settled();
    expect(charged()).toEqual([['completed', 'estimated', '-', 0]]);
    expect(asked()).toEqual([]);
  });
});

describe('nothing is counted of', () => {
  it.each<[what: string, answer: Answer, charge: unknown[]]>([
    [
      'embeddings that say what they used',
      json(200, '{"embeddings":[],"usageMetadata":{"promptTokenCount":9}}'),
      ['completed', 'exact', '9', 9 * PER_TOKEN],
    ],
    ['an error in a 2xx', json(200, '{"error":{"code":500}}'), ['upstream_error', 'estimated', '-', 0]],
    ['what is no answer', json(200, 'hello'), ['completed', 'estimated', '-', 0]],
    [
      'an answer that breaks off',
      (_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.write('{"embeddings":[', () => response.destroy());
      },
      ['upstream_died', 'counted', '3', 3 * PER_TOKEN],
    ],
  ])('%s', async (_, answer, charge) => {
    answers(answer, json(200, '{"totalTokens":31}'));
    await send(world, CALL).got;
    await settled();
    await world.until(() => world.openCalls() === 0, 'the end of the call');
    expect(charged()).toEqual([charge]);
    expect(asked()).toEqual([]);
    expect(types()).not.toContain('JobStarted.v1');
  });

  it('an answer that is refused', async () => {
    answers(json(400, '{"error":{"code":400}}'), json(200, '{"totalTokens":31}'));
    await send(world, CALL).got;
    await settled();
    expect(types()).toEqual(['HoldReserved.v1', 'HoldSettled.v1']);
    expect(asked()).toEqual([]);
  });
});
