import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Rational } from '@vendo/money';
import { RateBook } from '@vendo/pricing';
import { json, sse, stream } from './memory.proxy-answers.js';
import { type Got, send } from './memory.proxy-client.js';
import { ProxyWorld, rate } from './memory.proxy-world.js';

const MARGIN = { tenantId: null, integration: null, meter: null, effectiveFrom: 0, version: 1 };
const USAGE = { input_tokens: 10, output_tokens: 5, total_tokens: 15 };
const RESPONSE = { id: 'resp_1', model: 'gpt-4o-mini', status: 'completed', output: [], usage: USAGE };

let world: ProxyWorld;
beforeEach(async () => {
  world = await new ProxyWorld().start();
  share();
});
afterEach(() => world.close());

function share(): void {
  world.connection = { ...world.connection, profile: 'vendo_managed_pool', sealedCredential: null };
}

function own(): void {
  world.connection = { ...world.connection, profile: 'byok_static' };
}

const openai = (method: string, path: string, body?: object): Promise<Got | null> =>
  send(world, { method, path: `/proxy/openai/v1${path}`, body: body ? JSON.stringify(body) : '' }).got;
const respond = (body: object = {}): Promise<Got | null> =>
  openai('POST', '/responses', { model: 'gpt-4o-mini', input: 'hi', ...body });
const known = () => [...world.objects.rows.values()].map(({ objectId }) => objectId);
const codeOf = (got: Got | null) => JSON.parse(got?.body.toString() ?? '{}').error?.code;

async function responded(): Promise<void> {
  world.answer = json(200, JSON.stringify(RESPONSE));
  expect((await respond())?.status).toBe(200);
}

const OF_RESPONSE = [
  ['GET', '/responses/resp_1'],
  ['GET', '/responses/resp_1/input_items'],
  ['POST', '/responses/resp_1/cancel'],
  ['DELETE', '/responses/resp_1'],
] as const;

describe('a response that OpenAI keeps in the shared account', () => {
  it.each(OF_RESPONSE)('is open to who made it, for nothing: %s %s', async (method, path) => {
    await responded();
    world.spooled.length = 0;
    expect((await openai(method, path))?.status).toBe(200);
    expect(world.seen.at(-1)).toMatchObject({ method, url: `/v1${path}` });
    expect(world.spooled).toEqual([]);
  });

  it.each(OF_RESPONSE)('is not there for anybody else: %s %s', async (method, path) => {
    const got = await openai(method, path);
    expect([got?.status, codeOf(got)]).toEqual([404, 'object_not_found']);
    expect(world.seen).toEqual([]);
  });

  it('may be gone on with by who made it, streamed as well', async () => {
    world.answer = stream(
      sse('response.created', {
        type: 'response.created',
        response: { ...RESPONSE, id: 'resp_2', usage: null },
      }),
      sse('response.completed', { type: 'response.completed', response: { ...RESPONSE, id: 'resp_2' } }),
    );
    const first = respond({ stream: true });
    await world.until(() => world.ends().length === 1, 'the end of the first');
    world.answer = json(200, JSON.stringify(RESPONSE));
    expect((await respond({ previous_response_id: 'resp_2' }))?.status).toBe(200);
    expect(known()).toEqual(['resp_2', 'resp_1']);
    await world.stopProxy();
    await first;
  });

  it.each([
    ['goes on with one', '/responses'],
    ['shortens one', '/responses/compact'],
    ['counts one', '/responses/input_tokens'],
  ])('of somebody else: a request that %s finds none, and holds nothing', async (_, path) => {
    const got = await openai('POST', path, {
      model: 'gpt-4o-mini',
      input: 'hi',
      previous_response_id: 'resp_9',
    });
    expect([got?.status, codeOf(got)]).toEqual([404, 'object_not_found']);
    expect([world.seen, world.reserved]).toEqual([[], []]);
  });

  it('whose name is no id is refused as before', async () => {
    const got = await respond({ previous_response_id: { id: 'resp_1' } });
    expect([got?.status, codeOf(got)]).toEqual([400, 'invalid_body']);
  });

  it('is not kept where the request says so', async () => {
    world.answer = json(200, JSON.stringify(RESPONSE));
    await respond({ store: false });
    expect(known()).toEqual([]);
  });

  it('is known by its first words alone, when it breaks off', async () => {
    world.answer = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(
        sse('response.created', { type: 'response.created', response: { ...RESPONSE, usage: null } }),
        () => response.destroy(),
      );
    };
    await respond({ stream: true });
    expect(known()).toEqual(['resp_1']);
  });

  it('needs no row in an account of the own', async () => {
    own();
    await responded();
    expect(known()).toEqual([]);
    expect((await openai('GET', '/responses/resp_of_elsewhere'))?.status).toBe(200);
    expect((await respond({ previous_response_id: 'resp_of_elsewhere' }))?.status).toBe(200);
  });

  it('is not open by another connection of the same tenant', async () => {
    await responded();
    world.connection = { ...world.connection, id: '0192a000-0000-7000-8000-0000000000c2' };
    expect((await openai('GET', '/responses/resp_1'))?.status).toBe(404);
  });
});

describe('a chat', () => {
  const chat = (body: object) =>
    openai('POST', '/chat/completions', { model: 'gpt-4o-mini', messages: [], max_tokens: 5, ...body });

  it('is kept where the request says so, and open then', async () => {
    world.answer = json(
      200,
      JSON.stringify({ id: 'chatcmpl-1', model: 'gpt-4o-mini', choices: [], usage: {} }),
    );
    await chat({});
    expect(known()).toEqual([]);
    await chat({ store: true });
    expect(known()).toEqual(['chatcmpl-1']);
    for (const [method, part] of [
      ['GET', ''],
      ['POST', ''],
      ['GET', '/messages'],
      ['DELETE', ''],
    ] as const)
      expect((await openai(method, `/chat/completions/chatcmpl-1${part}`))?.status).toBe(200);
    expect((await openai('GET', '/chat/completions/chatcmpl-2'))?.status).toBe(404);
  });
});

describe('a prediction of MuAPI', () => {
  const SUBMITTED = { request_id: 'job-7', status: 'processing', cost: { amount_usd: 0.4, refunded: false } };
  /** $0.40 with 20 %. */
  const COST = 480_000;
  const submit = (body: object = {}, query = '') =>
    send(world, { path: `/proxy/muapi/v1/dear${query}`, body: JSON.stringify({ prompt: 'a', ...body }) }).got;
  const poll = (id = 'job-7') =>
    send(world, { method: 'GET', path: `/proxy/muapi/v1/predictions/${id}/result` }).got;
  const answers = (body: object, headers = {}) => json(200, JSON.stringify(body), headers);
  const corrected = () =>
    world.spooled.flatMap((event) => (event.type === 'UsageCorrected.v1' ? [event.data] : []));

  beforeEach(() => {
    const rates = [rate('muapi', 'dear', 'usd', '1000000'), rate('muapi', 'dear', 'requests', '0')].map(
      (one) => ({
        ...one,
        free: one.meter === 'requests',
      }),
    );
    world.rates = new RateBook(rates, [{ ...MARGIN, marginPct: Rational.of(20n) }], 1);
    world.answer = answers(SUBMITTED);
  });

  it('is open to who made it, and to nobody else', async () => {
    await submit();
    expect((await poll())?.status).toBe(200);
    expect((await poll('job-8'))?.status).toBe(404);
    expect((await submit({ request_id: 'job-7' }))?.status).toBe(200);
    expect((await submit({ request_id: 'job-8' }))?.status).toBe(404);
    expect((await submit({ task_id: ['job-7'] }))?.status).toBe(400);
    expect((await submit({}, '?request_id=job-8'))?.status).toBe(400);
  });

  it.each([
    ['an account that tenants share', share],
    ['an account of the own', own],
  ])('is given back once, when a poll says so, on %s', async (_, account) => {
    account();
    await submit();
    expect(world.ends()[0]?.data.cost_micros).toBe(COST);
    world.answer = answers({ ...SUBMITTED, status: 'failed' });
    await poll();
    expect(corrected()).toEqual([]);

    world.answer = answers({ ...SUBMITTED, status: 'failed', cost: { amount_usd: 0.4, refunded: true } });
    await poll();
    await Promise.all([poll(), poll()]);
    const [charged] = world.usages();
    expect(corrected()).toMatchObject([
      {
        hold_id: charged?.data.id,
        n: 1,
        reason: 'refunded',
        cost_micros: -COST,
        provider_cost_micros: -400_000,
        lines: [
          { meter: 'requests', quantity: '-1', cost_micros: 0, cost_micros_exact: '0/1' },
          { meter: 'usd', quantity: '-0.4', cost_micros: -COST, cost_micros_exact: '-480000/1' },
        ],
      },
    ]);
  });

  it.each([
    ['is not written', () => false],
    ['is lost', failed],
  ])('is given back at the next poll as well, where its frame %s', async (_, write) => {
    await submit();
    world.answer = answers({ ...SUBMITTED, cost: { amount_usd: 0.4, refunded: true } });
    // Behind the frames of the submit.
    world.writes = (frame) => frame !== 3 || write();
    await poll();
    expect([...world.objects.rows.values()]).toMatchObject([{ ended: false }]);
    await poll();
    await poll();
    expect(corrected().map(({ hold_id, n }) => [hold_id, n])).toEqual(
      Array.from({ length: 2 }, () => [world.usages()[0]?.data.id, 1]),
    );
    expect([...world.objects.rows.values()]).toMatchObject([{ ended: true }]);
  });

  it('is given back by the head of a poll alone', async () => {
    await submit();
    world.answer = answers({ id: 'job-7', status: 'failed' }, { 'x-muapi-cost-refunded': 'true' });
    await poll();
    expect(corrected()).toHaveLength(1);
  });

  it.each([
    ['of another prediction', { ...SUBMITTED, request_id: 'job-8', cost: { refunded: true } }],
    ['of what may be', { ...SUBMITTED, cost: { refunded: 'true' } }],
  ])('is not given back by a word %s', async (_, body) => {
    await submit();
    world.answer = answers(body);
    await poll();
    expect(corrected()).toEqual([]);
  });

  it('that cost nothing has nothing to give back', async () => {
    own();
    world.answer = answers({ ...SUBMITTED, cost: { amount_usd: 0.4, refunded: true } });
    await submit();
    await poll();
    expect(corrected()).toEqual([]);
    expect(known()).toEqual([]);
  });
});

function failed(): boolean {
  throw new Error('the spool is gone');
}
