import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { VendoError } from '@vendo/errors';
import type { Job, LedgerClient } from '@vendo/ledger-api';
import { Rational } from '@vendo/money';
import { RateBook } from '@vendo/pricing';
import { Metrics } from '@vendo/runtime';
import { json } from '../proxy/memory.proxy-answers.js';
import { ProxyWorld, REAL_SECRET, rate } from '../proxy/memory.proxy-world.js';
import { UndiciUpstreams } from '../proxy/undici.upstreams.js';
import { JobPoller } from './job-poller.js';

const MARGIN = { tenantId: null, integration: null, meter: null, effectiveFrom: 0, version: 1 };
/** 100 s at $50 for a million, with 20 %. */
const COST = 6_000;

const job = (n: number, change: Partial<Job> = {}): Job => ({
  hold_id: `0192a000-0000-7000-8000-0000000001${String(n).padStart(2, '0')}`,
  tenant_id: '0192a000-0000-7000-8000-000000000001',
  subject: '0192a000-0000-7000-8000-0000000000a1',
  app_id: '0192a000-0000-7000-8000-0000000000a1',
  key_id: '0192a000-0000-7000-8000-0000000000b1',
  connection_id: '0192a000-0000-7000-8000-0000000000c1',
  provider: 'assemblyai',
  route: 'transcript',
  model: 'best',
  rate_version: 1,
  hold_micros: 200_000,
  reserved_at: '2026-11-21T08:00:00.123Z',
  upstream_id: `tr-${n}`,
  tier: 'standard',
  ttl_ms: 86_400_000,
  status: 200,
  outcome: 'completed',
  stream: false,
  started_at: '2026-11-21T08:00:00.100Z',
  counted: null,
  ...change,
});

const report = (n: number, change: object = {}) =>
  JSON.stringify({
    id: `tr-${n}`,
    status: 'completed',
    audio_duration: 100,
    speech_model_used: 'best',
    ...change,
  });

/** The ledger gives each job once, and is asked again when a look is over. */
class DueJobs {
  looks = 0;
  answer: (look: number) => Promise<Job[]> = async () => [];
  private waiting: { look: number; resolve: () => void }[] = [];

  readonly client = {
    leaseJobs: async () => {
      this.looks += 1;
      for (const { look, resolve } of this.waiting) if (this.looks >= look) resolve();
      return this.answer(this.looks);
    },
  } as unknown as LedgerClient;

  /** Resolves when the look before this one is over. */
  reaches(look: number): Promise<void> {
    return new Promise((resolve) => this.waiting.push({ look, resolve }));
  }
}

let world: ProxyWorld;
let due: DueJobs;
let metrics: Metrics;
let poller: JobPoller;
beforeEach(async () => {
  world = new ProxyWorld();
  world.upstreamTimeoutMs = 5_000;
  await world.start();
  const rates = [rate('assemblyai', 'best', 'audio_seconds', '50')];
  world.rates = new RateBook(rates, [{ ...MARGIN, marginPct: Rational.of(20n) }], 1);
  due = new DueJobs();
  metrics = new Metrics('poller-spec');
  poller = open(5);
});
afterEach(async () => {
  await poller.stop();
  await world.close();
});

/** Patient: what the specs wait for is the end of a look. */
function open(everyMs: number, patienceMs = 60_000): JobPoller {
  const { callers, vault, jobEnds: ends, clock, logger } = world.parts;
  const upstreams = new UndiciUpstreams(5_000);
  return new JobPoller(
    { everyMs, patienceMs },
    { ledger: due.client, callers, vault, upstreams, ends, clock, logger, metrics },
  );
}

/** One look at these jobs, to its end. */
async function look(...jobs: Job[]): Promise<void> {
  due.answer = async (n) => (n === 1 ? jobs : []);
  const over = due.reaches(2);
  poller.start();
  await over;
}

const charged = () =>
  world.usages().map(({ data }) => [data.id, data.outcome, data.evidence, data.cost_micros]);
const polled = async (result: string) =>
  Number(
    new RegExp(`vendo_jobs_polled_total\\{[^}]*result="${result}"[^}]*\\} (\\d+)`).exec(
      await metrics.text(),
    )?.[1] ?? 0,
  );

describe('a stream of OpenRouter that broke off', () => {
  const MODEL = 'openai/gpt-4o';
  /** 20 and 10 tokens at $1 and $2 for a million, with 20 %. */
  const COUNTED = 48;
  const cut = (after_ms: number) =>
    job(1, {
      provider: 'openrouter',
      route: 'chat.completions',
      model: MODEL,
      upstream_id: 'gen-1',
      outcome: 'upstream_died',
      stream: true,
      started_at: new Date().toISOString(),
      counted: {
        after_ms,
        model: MODEL,
        tier: null,
        context_tokens: 20,
        quantities: [
          { meter: 'input_tokens', quantity: '20' },
          { meter: 'output_tokens', quantity: '10' },
        ],
      },
    });

  beforeEach(() => {
    const rates = [
      rate('openrouter', '*', 'usd', '1000000'),
      rate('openrouter', MODEL, 'input_tokens', '1'),
      rate('openrouter', MODEL, 'output_tokens', '2'),
    ];
    world.rates = new RateBook(rates, [{ ...MARGIN, marginPct: Rational.of(20n) }], 1);
  });

  it('costs what OpenRouter says of it afterwards', async () => {
    world.answer = json(200, '{"data":{"id":"gen-1","model":"openai/gpt-4o","total_cost":0.0005}}');
    await look(cut(0));
    expect(world.seen[0]?.url).toBe('/api/v1/generation?id=gen-1');
    expect(charged()).toEqual([[job(1).hold_id, 'upstream_died', 'exact', 600]]);
  });

  it.each([
    ['waits for that', 600_000, []],
    ['costs in the end what was counted', 0, [[job(1).hold_id, 'upstream_died', 'counted', COUNTED]]],
  ])('%s', async (_, afterMs, expected) => {
    world.answer = json(404, '{"error":{"message":"Generation not found"}}');
    await look(cut(afterMs));
    expect(charged()).toEqual(expected);
  });

  it.each([
    ['waits', 600_000, [], 'not_asked'],
    [
      'costs in the end what was counted',
      0,
      [[job(1).hold_id, 'upstream_died', 'counted', COUNTED]],
      'given_up',
    ],
  ])('whose connection is gone %s, and that is told', async (_, afterMs, expected, result) => {
    world.beforeConnect = () => Promise.reject(new VendoError('connection_revoked'));
    await look(cut(afterMs));
    expect(charged()).toEqual(expected);
    expect(await polled(result)).toBe(1);
    expect(world.logged).toContainEqual(expect.objectContaining({ code: 'connection_revoked' }));
  });

  it('whose name cannot be sent costs what was counted', async () => {
    await look({ ...cut(0), upstream_id: 'gen-\ud800' });
    expect(world.seen).toEqual([]);
    expect(charged()).toEqual([[job(1).hold_id, 'upstream_died', 'counted', COUNTED]]);
  });
});

describe('embeddings whose gateway died before they were counted', () => {
  beforeEach(() => {
    const rates = [rate('gemini', 'gemini-embedding-001', 'input_tokens', '1')];
    world.rates = new RateBook(rates, [{ ...MARGIN, marginPct: Rational.of(20n) }], 1);
  });

  it.each([
    ['wait for their time', 60_000, []],
    ['cost what was counted of them', 0, [[job(1).hold_id, 'completed', 'estimated', 24]]],
  ])('%s, and nobody is asked', async (_, after_ms, expected) => {
    const quantities = [{ meter: 'input_tokens' as const, quantity: '20' }];
    await look(
      job(1, {
        provider: 'gemini',
        model: 'gemini-embedding-001',
        upstream_id: job(1).hold_id,
        started_at: new Date().toISOString(),
        counted: { after_ms, model: null, tier: null, context_tokens: 20, quantities },
      }),
    );
    expect(charged()).toEqual(expected);
    expect(world.seen).toEqual([]);
    const told = expected.map(([call]) =>
      expect.objectContaining({ call, why: 'gateway_gone', status: null }),
    );
    expect(world.logged).toEqual(told);
  });
});

describe('jobs that no client asks for', () => {
  it('are asked for with the credential of their connection, and charged at their report', async () => {
    world.answer = json(200, report(1));
    await look(job(1));
    expect(world.seen).toMatchObject([
      { method: 'GET', url: '/v2/transcript/tr-1', headers: { authorization: REAL_SECRET }, body: '' },
    ]);
    expect(charged()).toEqual([[job(1).hold_id, 'completed', 'exact', COST]]);
    expect(world.ends()).toMatchObject([{ data: { hold_id: job(1).hold_id, cost_micros: COST } }]);
  });

  it('are charged whatever their rows say: the ledger still waits for them', async () => {
    const { provider, connection_id: connectionId, upstream_id: objectId, tenant_id: tenantId } = job(1);
    const row = { provider, connectionId, objectId, tenantId, job: job(1), refund: null, ended: true };
    await world.parts.objects.keep(row);
    world.answer = json(200, report(1));
    await look(job(1));
    expect(charged()).toEqual([[job(1).hold_id, 'completed', 'exact', COST]]);
  });

  it('are all asked for, whatever becomes of one', async () => {
    world.answer = (request, response) => {
      const n = Number(/tr-(\d+)/.exec(request.url ?? '')?.[1]);
      if (n === 3) response.destroy();
      else json(n === 4 ? 500 : 200, report(n))(request, response);
    };
    await look(...[1, 2, 3, 4, 5, 6, 7].map((n) => job(n)));
    expect(
      charged()
        .map(([id]) => id)
        .sort(),
    ).toEqual([1, 2, 5, 6, 7].map((n) => job(n).hold_id));
    expect(await polled('no_answer')).toBe(2);
  });

  it.each([
    ['is still running', 200, report(1, { status: 'processing' }), 'running'],
    ['is not known', 404, '{"error":"not found"}', 'no_answer'],
    ['is asked for too often', 429, '{"error":"slow down"}', 'no_answer'],
    ['has moved', 301, report(1), 'no_answer'],
    ['is told in no JSON', 200, '<html>', 'running'],
    ['is told of in half', 200, report(1).slice(0, -9), 'running'],
  ])('that %s is left as it is', async (_, status, body, result) => {
    world.answer = json(status, body);
    await look(job(1));
    expect(world.spooled).toEqual([]);
    expect(await polled(result)).toBe(1);
  });

  it('that failed is free', async () => {
    world.answer = json(200, report(1, { status: 'error', audio_duration: null }));
    await look(job(1));
    expect(charged()).toEqual([[job(1).hold_id, 'upstream_error', 'exact', 0]]);
  });

  it('that ends without a word of its length is charged nothing, and told to operators', async () => {
    world.answer = json(200, report(1, { audio_duration: null }));
    await look(job(1));
    expect(charged()).toEqual([[job(1).hold_id, 'completed', 'estimated', 0]]);
    expect(await world.metricsText()).toMatch(/vendo_proxy_unreported_total\{.*assemblyai.*\} 1/);
  });

  it.each<[how: string, told: object, cost: number, evidence: string]>([
    ['to its length', {}, COST, 'exact'],
    ['and costs nothing without one', { audio_duration: null }, 0, 'estimated'],
  ])(
    'is read %s where it is compressed unasked, and larger than what is kept of a body',
    async (_, told, cost, evidence) => {
      const text = 'word '.repeat(25);
      const words = Array.from({ length: 60_000 }, (_, n) => ({ text, start: n, end: n + 1, speaker: 'A' }));
      const body = gzipSync(report(1, { words, utterances: words, ...told }));
      world.answer = (_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(body);
      };
      await look(job(1));
      expect(charged()).toEqual([[job(1).hold_id, 'completed', evidence, cost]]);
      const unreported = /vendo_proxy_unreported_total\{.*assemblyai.*\} 1/.test(await world.metricsText());
      expect(unreported).toBe(cost === 0);
    },
  );

  it('of a provider that is slow keep nobody else’s waiting, and are taken up to a number', async () => {
    const rates = [rate('assemblyai', 'best', 'audio_seconds', '50'), rate('openrouter', '*', 'usd', '1')];
    world.rates = new RateBook(rates, [{ ...MARGIN, marginPct: Rational.of(20n) }], 1);
    const other = job(99, { provider: 'openrouter', upstream_id: 'gen-1', model: 'm' });
    world.answer = (request, response) => {
      if (request.url?.startsWith('/api/'))
        json(200, '{"data":{"id":"gen-1","total_cost":5}}')(request, response);
    };
    const slow = Array.from({ length: 30 }, (_, n) => job(n));
    await poller.stop();
    metrics = new Metrics('poller-spec');
    poller = open(5, 20);
    // The other one is due after all of them, and is leased when all lanes of the slow one are full.
    due.answer = async (n) => [slow, slow.slice(0, 20), [other]][n - 1] ?? [];
    poller.start();
    await world.until(() => world.ends().length === 1, 'the end of the other job');
    expect(charged().map(([id]) => id)).toEqual([other.hold_id]);
    expect(world.seen.filter(({ url }) => url.startsWith('/v2/'))).toHaveLength(4);
    expect(await polled('put_off')).toBe(6);
  });

  it('of a connection that is gone is told once, and comes again', async () => {
    world.beforeConnect = () => Promise.reject(new VendoError('connection_revoked'));
    await look(job(1), job(2));
    expect(world.seen).toEqual([]);
    const told = world.logged.filter((line) => Object.hasOwn(line as object, 'connection'));
    expect(told).toMatchObject([{ code: 'connection_revoked', provider: 'assemblyai' }]);
    expect(await polled('not_asked')).toBe(2);
  });

  it('of a connection that is gone again, after it had come back, is told again', async () => {
    let looks = 0;
    world.beforeConnect = async () => {
      looks += 1;
      if (looks !== 3) throw new VendoError('connection_revoked');
    };
    world.answer = json(404, '{}');
    due.answer = async (n) => (n <= 4 ? [job(n)] : []);
    const over = due.reaches(5);
    poller.start();
    await over;
    expect(await polled('not_asked')).toBe(3);
    const told = world.logged.filter((line) => Object.hasOwn(line as object, 'connection'));
    expect(told).toMatchObject([{ call: job(1).hold_id }, { call: job(4).hold_id }]);
  });

  it('of a provider that has none is left', async () => {
    await look(job(1, { provider: 'openai' }), job(2, { provider: 'nobody' }));
    expect([world.seen, world.spooled]).toEqual([[], []]);
  });

  it('are looked for again where the ledger did not answer, and that is told once', async () => {
    world.answer = json(200, report(1));
    due.answer = async (n) => {
      if (n < 3) throw new VendoError('billing_unavailable');
      return n === 3 ? [job(1)] : [];
    };
    const over = due.reaches(4);
    poller.start();
    await over;
    expect(charged()).toHaveLength(1);
    expect(world.logged).toHaveLength(1);
  });

  it('are given up when the gateway stops, and nothing is looked for afterwards', async () => {
    const asked = Promise.withResolvers<void>();
    world.answer = () => asked.resolve();
    due.answer = async () => [job(1), job(2), job(3), job(4), job(5)];
    poller.start();
    await asked.promise;
    await poller.stop();
    const { looks } = due;
    expect(looks).toBe(1);
    expect(world.seen.length).toBeLessThan(5);
    expect(world.spooled).toEqual([]);
  });

  it('are never looked for where that is not this gateway’s task', async () => {
    await poller.stop();
    metrics = new Metrics('poller-spec');
    poller = open(0);
    poller.start();
    await poller.stop();
    expect(due.looks).toBe(0);
  });

  it('leaves nothing of credentials and answers in the log', async () => {
    world.answer = json(500, `{"text":"what was said","key":"${REAL_SECRET}"}`);
    await look(job(1));
    const logged = JSON.stringify(world.logged);
    expect(logged).not.toContain(REAL_SECRET);
    expect(logged).not.toContain('what was said');
  });
});
