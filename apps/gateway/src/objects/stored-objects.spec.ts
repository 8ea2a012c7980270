import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Job } from '@vendo/ledger-api';
import { migrateRegistry } from '@vendo/registry';
import { createPool, Metrics } from '@vendo/runtime';
import { createTestDatabase, type TestDatabase } from '@vendo/testing';
import type pg from 'pg';
import { MemoryObjectTable } from './memory.object-table.js';
import type { KeptObject, ObjectTable, Refund } from './object-table.js';
import { PostgresObjectTable } from './postgres.object-table.js';
import { StoredObjects } from './stored-objects.js';

const TENANT = randomUUID();
const OTHER = randomUUID();
const CONNECTION = randomUUID();
const OTHER_CONNECTION = randomUUID();

let database: TestDatabase;
let pool: pg.Pool;
beforeAll(async () => {
  database = await createTestDatabase();
  await migrateRegistry(database.url);
  pool = createPool(database.url, { app: 'spec', max: 2 });
  for (const [tenant, connection] of [
    [TENANT, CONNECTION],
    [OTHER, OTHER_CONNECTION],
  ]) {
    await pool.query(`insert into registry.tenants (id, name) values ($1, 'T')`, [tenant]);
    await pool.query(
      `insert into registry.connections (id, tenant_id, provider, profile) values ($1, $2, 'p', 'vendo_managed_pool')`,
      [connection, tenant],
    );
  }
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});

const call = {
  hold_id: randomUUID(),
  tenant_id: TENANT,
  subject: TENANT,
  app_id: null,
  key_id: TENANT,
  connection_id: CONNECTION,
  provider: 'p',
  route: 'r',
  model: 'm',
  rate_version: 3,
  hold_micros: 9_007_199_254_740_991,
  reserved_at: '2026-11-21T08:00:00.123Z',
};
const JOB: Job = {
  ...call,
  upstream_id: 'a',
  tier: 'standard',
  ttl_ms: 1,
  status: 200,
  outcome: 'completed',
  stream: false,
  started_at: '2026-11-21T08:00:00.100Z',
  counted: null,
};
const REFUND: Refund = {
  ...call,
  n: 1,
  reason: 'refunded',
  lines: [],
  provider_cost_micros: -1,
  cost_micros: -2,
};

const object = (change: Partial<KeptObject> = {}): KeptObject => ({
  provider: 'p',
  connectionId: CONNECTION,
  objectId: `object-${randomUUID()}`,
  tenantId: TENANT,
  job: null,
  refund: null,
  ended: false,
  ...change,
});

describe.each<[name: string, open: () => ObjectTable]>([
  ['Postgres', () => new PostgresObjectTable(pool)],
  ['memory', () => new MemoryObjectTable()],
])('the rows of stored objects in %s', (_, open) => {
  let table: ObjectTable;
  beforeEach(() => {
    table = open();
  });

  it.each<[string, Partial<KeptObject>]>([
    ['an object', {}],
    ['a job', { job: JOB }],
    ['a charge that may be given back', { refund: REFUND }],
    ['an id that is as odd as ids can be', { objectId: "a'b:~.é".padEnd(256, 'x') }],
  ])('say of %s what was written', async (_what, change) => {
    const kept = object(change);
    await table.add(kept);
    expect(await table.find(kept)).toEqual(kept);
  });

  it('are of one provider, connection and id', async () => {
    const kept = object();
    await table.add(kept);
    for (const change of [{ provider: 'q' }, { connectionId: OTHER_CONNECTION }, { objectId: 'b' }])
      expect(await table.find({ ...kept, ...change })).toBeNull();
  });

  it('are written once: what comes later changes nothing', async () => {
    const kept = object({ job: JOB });
    await table.add(kept);
    await table.add({ ...kept, job: null });
    expect(await table.find(kept)).toEqual(kept);
  });

  it('are ended for themselves', async () => {
    const [kept, other] = [object({ job: JOB }), object({ job: JOB })];
    await table.add(kept);
    await table.add(other);
    await table.end(kept);
    await table.end(kept);
    await table.end(object());
    expect([await table.find(kept), await table.find(other)]).toEqual([{ ...kept, ended: true }, other]);
  });
});

it('the database refuses an object of a tenant by the connection of another one', () =>
  expect(new PostgresObjectTable(pool).add(object({ tenantId: OTHER }))).rejects.toThrow(/foreign key/));

describe('what a gateway knows of stored objects', () => {
  let table: MemoryObjectTable;
  let metrics: Metrics;
  const open = (its = new Metrics(`spec-${randomUUID()}`), pauses = { least: 1, most: 4 }) => {
    const silent = () => undefined;
    const logger = { debug: silent, info: silent, warn: silent, error: silent, fatal: silent };
    return new StoredObjects(table, logger, its, pauses);
  };
  /** The value of a metric, of all its labels. */
  async function metric(name: string): Promise<number> {
    const lines = (await metrics.text())
      .split('\n')
      .filter((line) => line.startsWith(`vendo_stored_objects_${name}`));
    return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  }
  /** Resolves when so many rows are there. */
  function rows(count: number): Promise<void> {
    const add = table.add.bind(table);
    return new Promise((resolve) => {
      table.add = async (kept) => {
        await add(kept);
        if (table.rows.size === count) resolve();
      };
    });
  }
  beforeEach(() => {
    table = new MemoryObjectTable();
    metrics = new Metrics(`spec-${randomUUID()}`);
  });

  it('it asks for once', async () => {
    const kept = object();
    await table.add(kept);
    const objects = open();
    await objects.find(kept);
    table.before = () => Promise.reject(new Error('gone'));
    expect(await objects.find(kept)).toEqual(kept);
    await expect(objects.find(object())).rejects.toMatchObject({ code: 'billing_unavailable' });
  });

  it('it forgets the oldest of over 10,000, and never that there was none', async () => {
    const objects = open();
    const first = object();
    expect(await objects.find(first)).toBeNull();
    await objects.keep(first);
    for (let n = 0; n < 10_000; n += 1) await objects.keep(object({ objectId: `n-${n}` }));
    table.rows.clear();
    expect(await objects.find(first)).toBeNull();
    expect(await objects.find(object({ objectId: 'n-0' }))).not.toBeNull();
  });

  describe('it could not write', () => {
    const away = () => Promise.reject(new Error('gone'));

    it('it tries again until it can, and other gateways then know it', async () => {
      const objects = open(metrics);
      table.before = away;
      const kept = [object(), object({ job: JOB })];
      for (const one of kept) await objects.keep(one);
      expect([await metric('unwritten_total'), await metric('waiting')]).toEqual([2, 2]);
      let tries = 0;
      table.before = () => {
        tries += 1;
        return tries < 4 ? away() : Promise.resolve();
      };
      await rows(2);
      for (const one of kept) expect(await open().find(one)).toEqual(one);
      await objects.stop();
      expect([await metric('waiting'), await metric('given_up_total')]).toEqual([0, 0]);
    });

    it('is written as ended where its job has ended meanwhile', async () => {
      const objects = open(metrics);
      table.before = away;
      const kept = object({ job: JOB });
      await objects.keep(kept);
      objects.end(kept);
      table.before = async () => undefined;
      await rows(1);
      await objects.stop();
      expect([...table.rows.values()]).toEqual([{ ...kept, ended: true }]);
    });

    it('keeps nothing else waiting where it can never be written', async () => {
      const objects = open(metrics);
      const [bad, good] = [object(), object()];
      const add = table.add.bind(table);
      table.add = async (kept) => (kept.objectId === bad.objectId ? away() : add(kept));
      table.before = away;
      for (const one of [bad, good]) await objects.keep(one);
      table.before = async () => undefined;
      await rows(1);
      expect(await open().find(good)).toEqual(good);
      await objects.stop();
      expect(await metric('given_up_total')).toBe(1);
    });

    it.each([
      ['written', async () => undefined, 2, 0],
      ['lost', away, 0, 2],
    ])('is tried once more when the gateway stops, and then %s', async (_, before, written, lost) => {
      const objects = open(metrics, { least: 60_000, most: 60_000 });
      table.before = away;
      for (const one of [object(), object()]) await objects.keep(one);
      table.before = before;
      await objects.stop();
      expect([table.rows.size, await metric('given_up_total')]).toEqual([written, lost]);
    });
  });

  it('ends a job once, and others learn of it', async () => {
    const kept = object({ job: JOB });
    const objects = open();
    await objects.keep(kept);
    expect(objects.isEnded(kept)).toBe(false);
    objects.end(kept);
    expect(objects.isEnded(kept)).toBe(true);
    expect((await objects.find(kept))?.ended).toBe(true);
    expect((await open().find(kept))?.ended).toBe(true);
  });
});
