import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Rational } from '@vendo/money';
import { RateBook } from '@vendo/pricing';
import { json } from './memory.proxy-answers.js';
import { type Got, send } from './memory.proxy-client.js';
import { ProxyWorld, REAL_SECRET, rate } from './memory.proxy-world.js';

const PATH = '/proxy/assemblyai/v2/transcript';
const ID = 'tr-1';
const QUEUED = JSON.stringify({ id: ID, status: 'queued', audio_duration: null });
const COMPLETED = JSON.stringify({
  id: ID,
  status: 'completed',
  text: 'x'.repeat(3_000),
  audio_duration: 100,
  speech_model_used: 'universal-2',
});
/** 100 s at $50 for a million, with 20 %. */
const COST = 6_000;
const MARGIN = { tenantId: null, integration: null, meter: null, effectiveFrom: 0, version: 1 };

let world: ProxyWorld;
beforeEach(async () => {
  world = new ProxyWorld();
  world.upstreamTimeoutMs = 5_000;
  await world.start();
  share();
  setRates(['best', '100'], ['universal-2', '50'], ['addon/speaker_labels', '10']);
});
afterEach(() => world.close());

function setRates(...usdForAMillion: [model: string, usd: string][]): void {
  const rates = usdForAMillion.map(([model, usd]) => rate('assemblyai', model, 'audio_seconds', usd));
  world.rates = new RateBook(rates, [{ ...MARGIN, marginPct: Rational.of(20n) }], 1);
}

function share(): void {
  world.connection = { ...world.connection, profile: 'vendo_managed_pool' };
}

function own(): void {
  world.connection = { ...world.connection, profile: 'byok_static' };
}

const submit = (body: object = {}): Promise<Got | null> =>
  send(world, { path: PATH, body: JSON.stringify({ audio_url: 'https://sounds.example/a', ...body }) }).got;
const get = (part = '', id = ID): Promise<Got | null> =>
  send(world, { method: 'GET', path: `${PATH}/${id}${part}` }).got;

async function submitted(body: object = {}): Promise<void> {
  world.answer = json(200, QUEUED);
  expect((await submit(body))?.status).toBe(200);
}

const types = () => world.spooled.map(({ type }) => type);
const started = () => world.spooled.flatMap((event) => (event.type === 'JobStarted.v1' ? [event.data] : []));

describe('a job', () => {
  it('keeps its hold when it is taken, and is charged when its client sees that it is complete', async () => {
    await submitted();
    expect(types()).toEqual(['HoldReserved.v1', 'JobStarted.v1']);
    const [hold] = world.reserved;
    expect(hold?.amount_micros).toBe(200_000);
    expect(started()).toMatchObject([
      {
        hold_id: hold?.hold_id,
        provider: 'assemblyai',
        upstream_id: ID,
        model: 'best',
        tier: 'standard',
        ttl_ms: 86_400_000,
        hold_micros: 200_000,
        status: 200,
        outcome: 'completed',
      },
    ]);

    world.answer = json(200, JSON.stringify({ id: ID, status: 'processing', audio_duration: null }));
    expect((await get())?.status).toBe(200);
    expect(types()).toHaveLength(2);

    world.answer = json(200, COMPLETED);
    expect((await get())?.body.toString()).toBe(COMPLETED);
    expect(types().slice(2)).toEqual(['UsageMeasured.v2', 'HoldSettled.v1']);
    expect(world.usages()[0]?.data).toMatchObject({
      id: hold?.hold_id,
      model: 'universal-2',
      route: 'transcript',
      upstream_request_id: ID,
      outcome: 'completed',
      evidence: 'exact',
      cost_micros: COST,
      hold_micros: 200_000,
      lines: [{ meter: 'audio_seconds', quantity: '100', cost_micros: COST }],
    });
    expect(world.ends()[0]?.data).toMatchObject({ hold_id: hold?.hold_id, cost_micros: COST });
    expect(world.seen.map(({ headers }) => headers.authorization)).toEqual([
      REAL_SECRET,
      REAL_SECRET,
      REAL_SECRET,
    ]);
  });

  it('is charged once, however often it is asked for, and not by its parts', async () => {
    await submitted();
    world.answer = json(200, COMPLETED);
    for (const part of ['/sentences', '', '', '/paragraphs', '']) await get(part);
    await Promise.all([get(), get()]);
    expect(world.usages()).toHaveLength(1);
    expect(world.ends()).toHaveLength(1);
  });

  it('is charged at the next question as well, where the frame of its end is not written', async () => {
    await submitted();
    // Behind those of the submit.
    world.writes = (frame) => frame !== 3;
    world.answer = json(200, COMPLETED);
    await get();
    expect([...world.objects.rows.values()]).toMatchObject([{ ended: false }]);
    for (const _ of ['charges', 'knows']) await get();
    expect(world.usages().map(({ id }) => id)).toEqual(Array(2).fill(world.reserved[0]?.hold_id));
    expect([...world.objects.rows.values()]).toMatchObject([{ ended: true }]);
  });

  it('that failed is free, and said to have failed', async () => {
    await submitted();
    world.answer = json(
      200,
      JSON.stringify({ id: ID, status: 'error', error: 'no audio', audio_duration: 5 }),
    );
    await get();
    await get();
    expect(world.usages().map(({ data }) => [data.outcome, data.cost_micros, data.lines])).toEqual([
      ['upstream_error', 0, []],
    ]);
  });

  it('is charged before its client knows that it is complete', async () => {
    await submitted();
    world.answer = json(200, COMPLETED, { 'content-length': Buffer.byteLength(COMPLETED) });
    const seen: string[][] = [];
    const { got } = send(world, { method: 'GET', path: `${PATH}/${ID}`, onData: () => seen.push(types()) });
    await got;
    expect(seen.at(-1)).toContain('HoldSettled.v1');
  });

  it('bills the features that were asked for beside its model', async () => {
    await submitted({ speaker_labels: true });
    world.answer = json(200, COMPLETED);
    await get();
    expect(world.usages()[0]?.data.lines.map(({ model, cost_micros }) => [model, cost_micros])).toEqual([
      [undefined, COST],
      ['addon/speaker_labels', 1_200],
    ]);
  });

  it.each([
    ['a feature', { entity_detection: true }, 'addon/entity_detection'],
    ['a fallback', { speech_models: ['best', 'universal-9'] }, 'universal-9'],
  ])('is refused where %s has no price', async (_, body, model) => {
    expect((await submit(body))?.status).toBe(402);
    expect(world.rateMisses).toMatchObject([{ model }]);
    expect(world.seen).toEqual([]);
  });

  it('is charged by the prices that its hold named, whatever changed meanwhile', async () => {
    await submitted();
    const later = [{ ...rate('assemblyai', 'universal-2', 'audio_seconds', '500'), version: 2 }];
    world.rates = world.rates.with(later, [], 2);
    world.answer = json(200, COMPLETED);
    await get();
    expect(world.usages()[0]?.data).toMatchObject({ cost_micros: COST, rate_version: 1 });
  });

  it('is charged at a later question where this gateway does not know its prices yet', async () => {
    world.reserve = async ({ hold_id }) => ({
      status: 'open',
      hold_id,
      reserved_at: '2026-11-21T08:00:00.123Z',
      rate_version: 2,
    });
    await submitted();
    world.answer = json(200, COMPLETED);
    await get();
    expect(world.usages()).toEqual([]);
    world.rates = world.rates.with([], [], 2);
    await get();
    expect(world.usages()).toHaveLength(1);
  });

  it('of an own account is charged as well, and its account may be asked for anything', async () => {
    own();
    await submitted();
    world.answer = json(200, COMPLETED);
    expect((await get('', 'tr-of-elsewhere'))?.status).toBe(200);
    expect(world.usages()).toEqual([]);
    await get();
    expect(world.usages()).toHaveLength(1);
  });

  it('of an own account can be asked for while the registry cannot', async () => {
    own();
    world.objects.before = () => Promise.reject(new Error('gone'));
    world.answer = json(200, COMPLETED);
    expect((await get())?.status).toBe(200);
  });
});

describe('the answer that takes a job', () => {
  it('and breaks off behind its name is a job', async () => {
    world.answer = (request) =>
      void request.socket.end(
        `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n${QUEUED.slice(0, -5)}`,
      );
    expect((await submit())?.broken).toBe(true);
    expect(started()).toMatchObject([{ upstream_id: ID, outcome: 'upstream_died' }]);
    expect(world.ends()).toEqual([]);
  });

  it.each<[what: string, body: string]>([
    ['without a name', '{"status":"queued"}'],
    ['with a name that is no id', QUEUED.replace(ID, '../upload')],
    ['that is no JSON', 'queued'],
  ])('%s ends the hold, and is told to operators', async (_, body) => {
    world.answer = json(200, body);
    await submit();
    expect(types()).toEqual(['HoldReserved.v1', 'UsageMeasured.v2', 'HoldSettled.v1']);
    expect(world.ends()[0]?.data.cost_micros).toBe(0);
    expect(await world.metricsText()).toMatch(/vendo_proxy_unreported_total\{.*assemblyai.*\} 1/);
  });

  it('and breaks off before its name is told to operators too', async () => {
    world.answer = (request) =>
      void request.socket.end(
        'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{"i',
      );
    await submit();
    expect(world.ends()[0]?.data.cost_micros).toBe(0);
    expect(await world.metricsText()).toMatch(/vendo_proxy_unreported_total\{.*assemblyai.*\} 1/);
  });

  it('refuses it, and the hold is given back', async () => {
    world.answer = json(400, '{"error":"no audio"}');
    expect((await submit())?.status).toBe(400);
    expect(types()).toEqual(['HoldReserved.v1', 'HoldSettled.v1']);
  });

  it('is read to its end without its client, which then has a job all the same', async () => {
    const asked = Promise.withResolvers<() => void>();
    world.answer = (_request, response) => asked.resolve(() => json(200, QUEUED)(_request, response));
    const { leave } = send(world, { path: PATH, body: '{"audio_url":"a"}' });
    const answer = await asked.promise;
    leave();
    await world.until(() => world.draining() === 1, 'the drain');
    answer();
    await world.until(() => started().length === 1, 'the job');
    expect(started()[0]?.outcome).toBe('client_aborted');
  });

  it('waits for the row of what it names, and no longer than half a second', async () => {
    const written = Promise.withResolvers<void>();
    world.objects.before = () => written.promise;
    world.answer = json(200, QUEUED, { 'content-length': Buffer.byteLength(QUEUED) });
    const received: Buffer[] = [];
    const { got } = send(world, {
      path: PATH,
      body: '{"audio_url":"a"}',
      onData: (chunk) => void received.push(chunk),
    });
    await world.until(() => started().length === 1, 'the job');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(received).toEqual([]);
    written.resolve();
    expect((await got)?.body.toString()).toBe(QUEUED);
    expect(world.objects.rows.size).toBe(1);
  });

  it.each<[what: string, before: () => Promise<void>]>([
    ['cannot be written', () => Promise.reject(new Error('gone'))],
    ['is not written in time', () => new Promise(() => undefined)],
  ])('comes through where that row %s, and this gateway still knows it', async (_, before) => {
    world.objects.before = before;
    await submitted();
    expect(await world.metricsText()).toMatch(/vendo_stored_objects_unwritten_total\{.*\} 1/);
    world.answer = json(200, COMPLETED);
    expect((await get())?.status).toBe(200);
    expect(world.usages()).toHaveLength(1);
  });
});

describe("another tenant's job", () => {
  const TENANT = '0192a000-0000-7000-8000-000000000099';

  it.each(['', '/sentences', '/srt', '/word-search?words=a', '/redacted-audio'])(
    'and one that does not exist get the same answer, byte for byte, without a question to the provider (%s)',
    async (part) => {
      const { id: connectionId } = world.connection;
      const other = {
        provider: 'assemblyai',
        connectionId,
        tenantId: TENANT,
        job: null,
        refund: null,
        ended: false,
      };
      await world.objects.add({ ...other, objectId: 'tr-theirs' });
      await world.objects.add({ ...other, connectionId: TENANT, objectId: 'tr-elsewhere' });
      const [theirs, elsewhere, unknown] = [
        await get(part, 'tr-theirs'),
        await get(part, 'tr-elsewhere'),
        await get(part, 'tr-unknown'),
      ];
      expect(theirs).toMatchObject({ status: 404, headers: { 'vendo-error-code': 'object_not_found' } });
      for (const got of [elsewhere, unknown]) {
        expect(got?.status).toBe(404);
        expect(got?.body.equals(theirs?.body as Buffer)).toBe(true);
        expect({ ...got?.headers, date: '' }).toEqual({ ...theirs?.headers, date: '' });
      }
      expect(world.seen).toEqual([]);
    },
  );

  it('cannot be told apart while the registry cannot be asked', async () => {
    world.objects.before = () => Promise.reject(new Error('gone'));
    expect((await get())?.status).toBe(503);
    expect(world.seen).toEqual([]);
  });
});

describe('a stream whose cost can be asked for afterwards', () => {
  const CHUNK = 'data: {"id":"gen-1","model":"m","choices":[{"delta":{"content":"hello there"}}]}\n\n';
  const USAGE =
    'data: {"id":"gen-1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"cost":0.1}}\n\n';
  const CALL = {
    path: '/proxy/openrouter/v1/chat/completions',
    body: '{"model":"m","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"hi"}]}',
  };

  beforeEach(() => {
    const rates = [rate('openrouter', '*', 'usd', '1000000'), rate('openrouter', 'm', 'input_tokens', '1')];
    world.rates = new RateBook(rates, [{ ...MARGIN, marginPct: Rational.of(20n) }], 1);
  });

  function streamed(events: string, ends: boolean): void {
    world.answer = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(events, () => (ends ? response.end() : response.destroy()));
    };
  }

  it('is a job when it breaks off before its report, and says what was counted', async () => {
    streamed(CHUNK, false);
    expect((await send(world, CALL).got)?.broken).toBe(true);
    expect(types()).toEqual(['HoldReserved.v1', 'JobStarted.v1']);
    const [data] = started();
    expect(data).toMatchObject({ upstream_id: 'gen-1', outcome: 'upstream_died', ttl_ms: 3_600_000 });
    expect(data?.counted).toMatchObject({
      model: 'm',
      quantities: [
        { meter: 'input_tokens', quantity: '1' },
        { meter: 'output_tokens', quantity: '2' },
      ],
    });
    expect(data?.counted?.after_ms).toBeGreaterThanOrEqual(600_000);
    expect(world.objects.rows.size).toBe(0);
  });

  it.each([
    ['without a report', CHUNK],
    ['with a report that is none', CHUNK + USAGE.replace('0.1', '"0.1"')],
    ['with its last word and no report', `${CHUNK}data: [DONE]\n\n`],
  ])('is a job when it ends by itself %s', async (_, events) => {
    streamed(events, true);
    expect((await send(world, CALL).got)?.broken).toBe(false);
    expect(types()).toEqual(['HoldReserved.v1', 'JobStarted.v1']);
    expect(started()).toMatchObject([
      { upstream_id: 'gen-1', outcome: 'completed', status: 200, counted: { model: 'm' } },
    ]);
  });

  it.each<[how: string, events: string, ends: boolean]>([
    ['ends', CHUNK + USAGE, true],
    ['breaks off behind its report', CHUNK + USAGE, false],
    ['breaks off before its name', ': PROCESSING\n\n', false],
    ['ends with an error', CHUNK + CHUNK.replace('"choices"', '"error":{"code":502},"choices"'), true],
    ...['chatcmpl-1', 'gen-', 'gen-1&id=gen-2', 'gen-1 ', `gen-${'x'.repeat(201)}`].map(
      (id): [string, string, boolean] => [
        `breaks off with a name that cannot be asked for (${id})`,
        CHUNK.replace('gen-1', id),
        false,
      ],
    ),
  ])('is none when it %s', async (_, events, ends) => {
    streamed(events, ends);
    await send(world, CALL).got;
    expect(started()).toEqual([]);
    expect(world.ends()).toHaveLength(1);
  });
});
