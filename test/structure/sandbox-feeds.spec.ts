import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { migrateRegistry, openRegistry, readCatalogue, seedCatalogue } from '@vendo/registry';
import { type Logger, Metrics, SystemClock } from '@vendo/runtime';
import { createTestDatabase, type TestDatabase } from '@vendo/testing';
import type { DataSource } from 'typeorm';
import { HttpFeedReader } from '../../apps/gateway/src/price-feeds/http.feed-reader.js';
import { PriceFeedMetrics } from '../../apps/gateway/src/price-feeds/price-feed-metrics.js';
import { PriceRefresher } from '../../apps/gateway/src/price-feeds/price-refresher.js';
import { PriceStore } from '../../apps/gateway/src/price-feeds/price-store.js';
import { PROVIDERS } from '../../apps/gateway/src/providers/registry.js';
import { matchRoute } from '../../apps/gateway/src/providers/route-table.js';
import { type SandboxUnderTest, sandboxUnderTest } from '../../apps/sandbox/src/sandbox-under-test.js';

const FEEDS = PROVIDERS.flatMap(({ slug, feed }) => (feed ? [{ provider: slug, feed }] : []));

let database: TestDatabase;
let registry: DataSource;
let sandbox: SandboxUnderTest;

beforeAll(async () => {
  database = await createTestDatabase();
  await migrateRegistry(database.url);
  registry = await openRegistry(database.url);
  sandbox = await sandboxUnderTest({});
});

afterAll(async () => {
  await sandbox?.close();
  await registry?.destroy();
  await database?.drop();
});

it('the price feeds are those of OpenRouter and MuAPI, and a free route leads to each', () => {
  expect(FEEDS.map(({ provider }) => provider).sort()).toEqual(['muapi', 'openrouter']);
  for (const provider of PROVIDERS)
    if (provider.feed) expect(matchRoute(provider, 'GET', provider.feed.path)?.route.class).toBe('free');
});

describe('the feeds of the sandbox', () => {
  it('are read beside the catalogue, without a key: changed prices and new models become rates', async () => {
    const logged: object[] = [];
    const log = (fields: object) => void logged.push(fields);
    await seedCatalogue(registry, await readCatalogue());
    const places = FEEDS.map((place) => ({ ...place, base: `${sandbox.url}/${place.provider}` }));
    await new PriceRefresher(places, 60_000, {
      store: new PriceStore(registry),
      reader: new HttpFeedReader(),
      clock: new SystemClock(),
      logger: { info: log, error: log } as unknown as Logger,
      metrics: new PriceFeedMetrics(new Metrics('sandbox-feeds')),
      random: Math.random,
    }).refresh();
    const fromFeed = await registry.query(
      `select provider, model, meter, unit_cost_usd::text as usd, per::text as per from registry.rates
       where source like '% models feed of %' order by provider, model, meter`,
    );
    const tokens = (model: string) =>
      ['cache_read_tokens 0.1', 'cache_write_tokens 1.25', 'input_tokens 1', 'output_tokens 3'].map(
        (price) => `openrouter ${model} ${price} 1000000`,
      );
    const flat = (model: string) => [`muapi ${model} requests 0.025 1`, `muapi ${model} usd 0 1`];
    expect(fromFeed.map((row: Record<string, string>) => Object.values(row).join(' '))).toEqual([
      ...['flux-dev-image', 'mmaudio-v2/text-to-audio'].flatMap(flat),
      ...['anthropic/claude-sonnet-5', 'google/gemini-2.5-flash', 'openai/gpt-4o-mini'].flatMap(tokens),
    ]);
    expect(logged).toEqual([
      expect.objectContaining({ provider: 'openrouter', changes: 12, kept: 0, vanished: 0 }),
      expect.objectContaining({ provider: 'muapi', changes: 4, kept: 0, vanished: 0 }),
    ]);
  });
});
