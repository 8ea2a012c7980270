import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { migrateRegistry, openRegistry, seedCatalogue } from '@vendo/registry';
import { Clock, type Logger, Metrics } from '@vendo/runtime';
import { createTestDatabase, type TestDatabase } from '@vendo/testing';
import type { DataSource } from 'typeorm';
import { feed } from '../providers/openrouter/openrouter.feed.js';
import { HttpFeedReader } from './http.feed-reader.js';
import { PriceFeedMetrics } from './price-feed-metrics.js';
import { PriceRefresher } from './price-refresher.js';
import { PriceStore } from './price-store.js';

const HOUR_MS = 3_600_000;
const SOURCE = expect.stringMatching(/^openrouter models feed of \d{4}-\d\d-\d\d$/);
const listed = (id: string, prompt: unknown, completion = '0.000002') => ({
  id,
  pricing: { prompt, completion },
});

/** Sleeps until a test wakes it. */
class SleepingClock extends Clock {
  readonly slept: number[] = [];
  wake: () => void = () => undefined;
  wallMs = () => 0;
  monotonicMs = () => 0;

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.slept.push(ms);
    return new Promise((resolve) => {
      this.wake = resolve;
      signal?.addEventListener('abort', () => resolve(), { once: true });
    });
  }
}

let database: TestDatabase;
let registry: DataSource;
let answer: http.RequestListener;
let asked: http.IncomingMessage[];
let logged: unknown[];
let metrics: Metrics;
const upstream = http.createServer((request, response) => {
  asked.push(request);
  answer(request, response);
});

beforeAll(async () => {
  upstream.listen(0, '127.0.0.1');
  await once(upstream, 'listening');
});
afterAll(() => void upstream.close());

beforeEach(async () => {
  database = await createTestDatabase();
  await migrateRegistry(database.url);
  registry = await openRegistry(database.url);
  asked = [];
  logged = [];
});
afterEach(async () => {
  upstream.closeAllConnections();
  await registry.destroy();
  await database.drop();
});

function refresher(everyMs = HOUR_MS, reader = new HttpFeedReader(), clock: Clock = new SleepingClock()) {
  metrics = new Metrics('feeds-spec');
  const log = (level: string) => (fields: object) => void logged.push({ level, ...fields });
  const base = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
  return new PriceRefresher([{ provider: 'openrouter', feed, base }], everyMs, {
    store: new PriceStore(registry),
    reader,
    clock,
    logger: { info: log('info'), error: log('error') } as unknown as Logger,
    metrics: new PriceFeedMetrics(metrics),
    random: () => 0.25,
  });
}

function says(...entries: unknown[]): void {
  answer = (_request, response) => response.end(JSON.stringify({ data: entries }));
}

/** Reads the feed now, due or not. */
async function refresh(reader?: HttpFeedReader): Promise<void> {
  await registry.query("update registry.price_feeds set tried_at = '2020-01-01'");
  await refresher(HOUR_MS, reader).refresh();
}

/** Rows of the table, oldest first. */
const rates = (model = 'a/b') =>
  registry.query(
    `select meter, unit_cost_usd::text as usd, per::text as per, free, version, source,
            effective_from between clock_timestamp() - interval '20 s' and clock_timestamp() as "fromNow"
     from registry.rates where provider = 'openrouter' and model = $1 order by version, meter`,
    [model],
  );
const version = async () => (await registry.query('select version from registry.rate_version'))[0].version;
const counted = async () =>
  (await metrics.text())
    .split('\n')
    .filter((line) => line.startsWith('vendo_price_feed') && !line.endsWith(' 0'))
    .map((line) => line.replace(/,?app="feeds-spec",?/, '').replace('vendo_price_feed_', ''));

describe('a reading of a price feed', () => {
  it('adds new models and changed prices as rows in force from now, and nothing else', async () => {
    says(listed('a/b', '0.000001'), listed('c/d:free', '0', '0'));
    await refresh();
    const row = { per: '1000000', free: false, version: 1, source: SOURCE, fromNow: true };
    const input = { ...row, meter: 'input_tokens', usd: '1' };
    const output = { ...row, meter: 'output_tokens', usd: '2' };
    expect(await rates()).toEqual([input, output]);
    expect(await rates('c/d:free')).toMatchObject([
      { usd: '0', free: true },
      { usd: '0', free: true },
    ]);
    expect(await counted()).toEqual([
      'readings_total{provider="openrouter",result="changed"} 1',
      'changes_total{provider="openrouter"} 4',
    ]);
    says(listed('a/b', '0.00000123456789012345'), listed('c/d:free', '0', '0'));
    await refresh();
    expect(await rates()).toEqual([input, output, { ...input, usd: '1.23456789012345', version: 2 }]);
    expect(logged.at(-1)).toEqual({
      level: 'info',
      provider: 'openrouter',
      version: 2,
      changes: 1,
      kept: 0,
      vanished: 0,
      first: ['a/b input_tokens: 1 per 1000000 -> 1.23456789012345 per 1000000'],
    });
    await refresh();
    expect(await version()).toBe(2);
    expect(await counted()).toEqual(['readings_total{provider="openrouter",result="unchanged"} 1']);
    expect(logged).toHaveLength(2);
    const audit = await registry.query('select who, action, subject, after from registry.audit order by id');
    expect(audit).toMatchObject([
      { who: 'openrouter models feed', action: 'rates.added', subject: 'rate_version 1' },
      { subject: 'rate_version 2', after: { rates: [{ model: 'a/b', unitCostUsd: '1.23456789012345' }] } },
    ]);
  });

  it('sends no credential', async () => {
    says(listed('a/b', '1'));
    await refresh();
    expect(asked[0]?.url).toBe('/api/v1/models');
    expect(Object.keys(asked[0]?.headers ?? {})).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/authorization|key|cookie/)]),
    );
  });

  it('refuses a price that jumps and tells operators; the others change, and a vanished model keeps its own', async () => {
    says(listed('a/b', '0.000001'), listed('c/d', '0.000001'), listed('e/f', '0.000001'));
    await refresh();
    says(listed('a/b', '0.0001'), listed('c/d', '0.000003'), listed('g/h', '-3'));
    await refresh();
    const usd = async (model: string) => (await rates(model)).map((row: { usd: string }) => row.usd);
    expect(await Promise.all(['a/b', 'c/d', 'e/f', 'g/h'].map(usd))).toEqual([
      ['1', '2'],
      ['1', '2', '3'],
      ['1', '2'],
      [],
    ]);
    expect(logged.slice(-2)).toEqual([
      expect.objectContaining({ level: 'info', changes: 1, vanished: 1 }),
      {
        level: 'error',
        alert: 'prices_refused',
        provider: 'openrouter',
        refused: 2,
        first: [
          { model: 'g/h', why: 'negative' },
          { model: 'a/b', why: 'jump' },
        ],
      },
    ]);
    expect(await counted()).toEqual([
      'readings_total{provider="openrouter",result="changed"} 1',
      'changes_total{provider="openrouter"} 1',
      'refused_total{provider="openrouter",why="negative"} 1',
      'refused_total{provider="openrouter",why="jump"} 1',
    ]);
  });

  it('compares with the price in force, whoever it is from, and leaves an operator’s alone', async () => {
    const row = { provider: 'openrouter', tier: 'standard', context_from: 0, per: '1000000', free: false };
    const fromDay = (effective_from: string) => ({ ...row, model: 'a/b', effective_from, source: 's' });
    await seedCatalogue(registry, [
      { ...fromDay('2026-01-01'), meter: 'input_tokens', unit_cost_usd: '1' },
      { ...fromDay('2020-01-01'), meter: 'input_tokens', unit_cost_usd: '900' },
      { ...fromDay('2100-01-01'), meter: 'input_tokens', unit_cost_usd: '900' },
      { ...fromDay('2026-01-01'), meter: 'input_tokens', unit_cost_usd: '900', tier: 'flex' },
      { ...fromDay('2026-01-01'), meter: 'output_tokens', unit_cost_usd: '2' },
    ]);
    await registry.query(
      `insert into registry.rates (id, provider, model, meter, unit_cost_usd, per, effective_from, version)
       values (gen_random_uuid(), 'openrouter', 'c/d', 'input_tokens', 5, 1000000, clock_timestamp(), 1)`,
    );
    says(listed('a/b', '0.000004'), listed('c/d', '0.000006'));
    await refresh();
    expect((await rates()).at(-1)).toMatchObject({ usd: '4', version: 2, source: SOURCE });
    expect(await rates('c/d')).toHaveLength(1);
    expect(logged).toEqual([expect.objectContaining({ changes: 1, kept: 1 })]);
  });
});

describe('a feed that cannot be read', () => {
  it.each<[string, http.RequestListener]>([
    ['an error', (_request, response) => response.writeHead(500).end('{"data":[]}')],
    ['a redirect', (_request, response) => response.writeHead(302, { location: '/api/v1/models?x' }).end()],
    ['no JSON', (_request, response) => response.end('<html>')],
    [
      'half of it',
      (_request, response) => response.writeHead(200, { 'content-length': 99 }).end('{"data":['),
    ],
    ['no list', (_request, response) => response.end('{"error":{}}')],
    ['an empty list', (_request, response) => response.end('{"data":[]}')],
    ['nonsense only', (_request, response) => response.end(JSON.stringify({ data: [listed('a/b', '-3')] }))],
    ['too much', (_request, response) => response.end(`{"data":["${'x'.repeat(2_000)}"]}`)],
    ['a broken connection', (request) => request.socket.destroy()],
    ['nothing in time', () => undefined],
  ])('leaves all prices and tells operators: %s', async (_, listener) => {
    says(listed('a/b', '0.000001'));
    await refresh();
    const before = await rates();
    answer = listener;
    await refresh(new HttpFeedReader(500, 1_000));
    expect(await rates()).toEqual(before);
    expect(await counted()).toEqual(['readings_total{provider="openrouter",result="failed"} 1']);
    expect(logged.at(-1)).toMatchObject({
      level: 'error',
      alert: 'price_feed_failed',
      provider: 'openrouter',
    });
  });
});

describe('who reads a feed, and when', () => {
  it('is one process in an interval, and the next one after it', async () => {
    says(listed('a/b', '0.000001'));
    await Promise.all(Array.from({ length: 5 }, () => refresher().refresh()));
    await refresher().refresh();
    expect(asked).toHaveLength(1);
    await registry.query("update registry.price_feeds set tried_at = tried_at - interval '3600 s'");
    await refresher().refresh();
    expect(asked).toHaveLength(2);
    expect(await rates()).toHaveLength(2);
  });

  it('counts a reading that failed', async () => {
    answer = (_request, response) => response.writeHead(500).end();
    await refresher().refresh();
    await refresher().refresh();
    expect(asked).toHaveLength(1);
  });

  it('adds nothing twice, should two apply the same list after all', async () => {
    const store = new PriceStore(registry);
    const reading = feed.read({ data: [listed('a/b', '0.000001')] });
    const plans = await Promise.all([store.apply('openrouter', reading), store.apply('openrouter', reading)]);
    expect(plans.map((plan) => plan.version).sort()).toEqual([1, null]);
    expect(await rates()).toHaveLength(2);
  });

  it('looks twelve times in an interval, give or take a half, until it is stopped', async () => {
    says(listed('a/b', '0.000001'));
    const clock = new SleepingClock();
    const one = refresher(HOUR_MS, new HttpFeedReader(), clock);
    one.start();
    expect([clock.slept, asked]).toEqual([[225_000], []]);
    const read = once(upstream, 'request');
    clock.wake();
    await read;
    while (clock.slept.length < 2) await new Promise((resolve) => setImmediate(resolve));
    expect(await rates()).toHaveLength(2);
    await one.stop();
    expect(clock.slept).toHaveLength(2);
  });

  it('is stopped in the middle of a reading at once, and says nothing of it', async () => {
    answer = () => undefined;
    const clock = new SleepingClock();
    const one = refresher(HOUR_MS, new HttpFeedReader(), clock);
    one.start();
    const begun = once(upstream, 'request');
    clock.wake();
    await begun;
    await one.stop();
    expect(logged).toEqual([]);
  });
});
