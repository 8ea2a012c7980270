import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createPool } from '@vendo/runtime';
import { createTestDatabase, type TestDatabase } from '@vendo/testing';
import type pg from 'pg';
import { migrateReadModels } from './migrate-read-models.js';
import { ReadModels } from './read-models.js';

const EVENTS = 40_000;
const TENANT = randomUUID();

describe('the list of estimates among many exact events', () => {
  let database: TestDatabase;
  let pool: pg.Pool;

  beforeAll(async () => {
    database = await createTestDatabase();
    pool = createPool(database.url, { app: 'estimates spec' });
    await migrateReadModels(pool);
    // One of a hundred is an estimate; every second one of those is this tenant's.
    await pool.query(
      `insert into read.usage_events
       select gen_random_uuid(), case when n % 200 = 0 then $1::uuid else gen_random_uuid() end, null,
              gen_random_uuid(), gen_random_uuid(), 'openai', 'chat', 'm', null, 200, 'completed',
              case when n % 100 > 0 then 'exact' when n % 300 > 0 then 'counted' else 'estimated' end, '[]', 0, 1, 1, 1,
              now() - n * interval '1 minute', now(), now(), null, false
       from generate_series(1, ${EVENTS}) as n`,
      [TENANT],
    );
    await pool.query('vacuum analyze read.usage_events');
  }, 30_000);

  afterAll(async () => {
    await pool?.end();
    await database?.drop();
  });

  /** How Postgres does what `ask` asks, without doing it. */
  async function planOf(ask: (readModels: ReadModels) => Promise<unknown>): Promise<string> {
    const plans: string[] = [];
    const explain = async (sql: string, parameters: unknown[]) => {
      const { rows } = await pool.query<Record<'QUERY PLAN', string>>(`explain ${sql}`, parameters);
      plans.push(...rows.map((row) => row['QUERY PLAN']));
      return { rows: [] };
    };
    await ask(new ReadModels({ query: explain } as unknown as pg.Pool));
    return plans.join('\n');
  }

  it.each([
    ['a page', {}, /Index Scan (using|on) usage_events_estimates/],
    ['a page of one kind', { evidence: 'counted' as const }, /Index Scan (using|on) usage_events_estimates /],
    ['a page of a tenant', { tenantId: TENANT }, /Index Scan (using|on) usage_events_estimates_of_tenant /],
  ])('%s is read by its index', async (_, filter, scan) =>
    expect(await planOf((readModels) => readModels.estimates(filter, undefined, 51))).toMatch(scan),
  );

  it.each([
    // Of the two indexes either holds all that is asked.
    ['of all', {}, 'Index Only Scan using usage_events_estimates'],
    [
      'of a tenant',
      { tenantId: TENANT, from: '2020-01-01', to: '2100-01-01' },
      'Index Only Scan using usage_events_estimates_of_tenant ',
    ],
  ])('the totals %s touch no event', async (_, filter, scan) =>
    expect(await planOf((readModels) => readModels.estimateTotals(filter))).toContain(scan),
  );

  it('counts every estimate once', async () => {
    const of = (evidence: string, count: number) => ({
      provider: 'openai',
      evidence,
      count,
      cost_micros: count,
    });
    const readModels = new ReadModels(pool);
    expect(await readModels.estimateTotals({})).toEqual([of('counted', 267), of('estimated', 133)]);
    expect(await readModels.estimateTotals({ tenantId: TENANT })).toEqual([
      of('counted', 134),
      of('estimated', 66),
    ]);
  });
});
