import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { EventData, VendoEvent } from '@vendo/events';
import { createLogger } from '@vendo/runtime';
import { createTestDatabase, type TestDatabase } from '@vendo/testing';
import type pg from 'pg';
import { v4 as uuidv4 } from 'uuid';
import { audit } from '../audit.js';
import { PostgresJournal } from '../journal/postgres.journal.js';
import { PostgresLeases } from '../journal/postgres.leases.js';
import { ParkedRecords } from '../operator/parked-records.js';
import { OverdueJobsHandler } from '../operator/queries.js';
import { WaitingCorrections } from '../settlement/waiting-corrections.js';
import {
  grant,
  prepareDatabase,
  reserve,
  ShippedPartition,
  SUBJECT,
  settled,
  startWriter,
  type WriterUnderTest,
  writerPool,
} from '../writer/ledger-under-test.js';
import { JobsController } from './jobs.controller.js';

let database: TestDatabase;
let pool: pg.Pool;
let sessions: pg.Pool;
let test: WriterUnderTest;
let tenant: string;
let holdId: string;
let shipped: ShippedPartition;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = await prepareDatabase(database.url);
  sessions = writerPool(database.url);
  test = await start();
});

beforeEach(async () => {
  tenant = uuidv4();
  await test.writer.submit(grant(tenant, 1_000n));
  const command = reserve(tenant, 100n);
  holdId = command.holdId;
  await test.writer.submit(command);
  shipped = new ShippedPartition(tenant);
});

afterEach(async () => {
  expect((await audit(pool)).violations).toEqual([]);
  await pool.query('delete from ledger.jobs');
});

afterAll(async () => {
  await test.stop();
  await sessions.end();
  await pool.end();
  await database.drop();
});

function start(): Promise<WriterUnderTest> {
  return startWriter({ journal: new PostgresJournal(sessions), leases: new PostgresLeases(sessions) });
}

/** Another process goes on where this one stood. */
async function restart(): Promise<void> {
  await test.stop();
  test = await start();
}

function facts(hold: string) {
  return {
    hold_id: hold,
    tenant_id: tenant,
    subject: SUBJECT,
    app_id: null,
    key_id: uuidv4(),
    connection_id: uuidv4(),
    provider: 'transcriber',
    route: 'transcript',
    model: 'best',
    rate_version: 1,
    hold_micros: 100,
    reserved_at: new Date().toISOString(),
  };
}

function event(type: 'JobStarted.v1' | 'UsageCorrected.v1', data: object): VendoEvent {
  return { id: uuidv4(), type, tenantId: tenant, at: new Date().toISOString(), data } as VendoEvent;
}

function started(more: Partial<EventData<'JobStarted.v1'>> = {}): VendoEvent {
  return event('JobStarted.v1', {
    ...facts(holdId),
    upstream_id: `transcript-${holdId}`,
    tier: 'standard',
    ttl_ms: 86_400_000,
    status: 200,
    outcome: 'completed',
    stream: false,
    started_at: new Date().toISOString(),
    counted: null,
    ...more,
  });
}

function corrected(cost: number, n = 1): VendoEvent {
  const sums = { lines: [], provider_cost_micros: cost, cost_micros: cost };
  return event('UsageCorrected.v1', { ...facts(holdId), n, reason: 'refunded', ...sums });
}

const tell = (...events: VendoEvent[]) => test.writer.settle(events.map((one) => shipped.report(one)));
const ends = () => test.batches.at(-1)?.reports.map(({ end }) => end);
const open = () => [...test.writer.openHolds()].find(({ hold }) => hold.id === holdId)?.hold;

async function kinds(): Promise<string[]> {
  const sql = 'select kind from ledger.journal where hold_id = $1 order by position';
  return (await pool.query<{ kind: string }>(sql, [holdId])).rows.map(({ kind }) => kind);
}

async function balance(): Promise<number> {
  const { rows } = await pool.query('select balance from ledger.wallets where tenant_id = $1', [tenant]);
  return Number(rows[0].balance);
}

async function dueIn(): Promise<number | null> {
  const sql = `select extract(epoch from due_at - clock_timestamp()) as seconds from ledger.jobs
    where hold_id = $1 and ended_at is null`;
  const { rows } = await pool.query<{ seconds: string }>(sql, [holdId]);
  return rows[0] ? Math.round(Number(rows[0].seconds)) : null;
}

const errors: unknown[] = [];

function jobs(): JobsController {
  const logger = { ...createLogger('spec', 'silent'), error: (fields: unknown) => void errors.push(fields) };
  return new JobsController(pool, logger);
}

async function leased(limit = 10): Promise<string[]> {
  return (await jobs().lease({ limit })).jobs.map(({ hold_id }) => hold_id);
}

/** As if the job had been told so long ago, and were due. */
function aged(seconds: number): Promise<unknown> {
  const sql = `update ledger.jobs set due_at = clock_timestamp(),
    started_at = clock_timestamp() - make_interval(secs => $2) where hold_id = $1`;
  return pool.query(sql, [holdId, seconds]);
}

describe('a job', () => {
  it('takes its hold off the spool, for a ledger that takes the shard over as well', async () => {
    await tell(started({ ttl_ms: 5_000_000 }));
    expect(open()?.job).toEqual({ ttlMs: 5_000_000 });
    await restart();
    expect(open()?.job).toEqual({ ttlMs: 5_000_000 });
    expect(test.writer.openJobCount()).toBe(1);
    expect(
      await test.writer.submit({ type: 'expire', tenantId: tenant, holdId, reason: 'spool_silent' }),
    ).toEqual({ status: 'done' });
    expect(await kinds()).toEqual(['opened']);
  });

  it('is opened and told in one batch', async () => {
    const command = reserve(tenant, 50n);
    holdId = command.holdId;
    await Promise.all([test.writer.submit(command), tell(started())]);
    expect(open()?.job).toEqual({ ttlMs: 86_400_000 });
    await restart();
    expect(open()?.job).toEqual({ ttlMs: 86_400_000 });
  });

  it('ends with the first report of its end, and a second one changes nothing', async () => {
    const before = test.writer.openJobCount();
    await tell(started());
    expect(test.writer.openJobCount()).toBe(before + 1);
    await tell(settled(tenant, holdId, 30n), settled(tenant, holdId, 30n));
    expect(await kinds()).toEqual(['opened', 'settled']);
    expect(await dueIn()).toBeNull();
    expect(test.writer.openJobCount()).toBe(before);
    await tell(started());
    expect(await dueIn()).toBeNull();
    expect(test.writer.openJobCount()).toBe(before);
  });

  it('whose end was told by another spool before it has ended', async () => {
    await test.writer.settle([new ShippedPartition(tenant).report(settled(tenant, holdId, 30n))]);
    await tell(started());
    expect(await dueIn()).toBeNull();
  });

  it('whose hold has expired is asked for all the same, and charged late', async () => {
    await test.writer.submit({ type: 'expire', tenantId: tenant, holdId, reason: 'spool_silent' });
    await tell(started());
    expect(await dueIn()).toBe(10);
    await tell(settled(tenant, holdId, 30n));
    expect(await kinds()).toEqual(['opened', 'expired', 'late']);
    expect(await dueIn()).toBeNull();
  });

  it('that has failed after its hold had expired ends too', async () => {
    await tell(started());
    await test.writer.submit({ type: 'expire', tenantId: tenant, holdId, reason: 'max_age' });
    expect(await kinds()).toEqual(['opened']);
    await pool.query('update ledger.jobs set ttl_ms = 1 where hold_id = $1', [holdId]);
    await restart();
    await test.writer.submit({ type: 'expire', tenantId: tenant, holdId, reason: 'max_age' });
    expect(await kinds()).toEqual(['opened', 'expired']);
    expect(await dueIn()).toBe(10);
    await tell(settled(tenant, holdId, 0n));
    expect(await dueIn()).toBeNull();
  });

  it('of another tenant’s hold is parked', async () => {
    const other = reserve(uuidv4(), 10n);
    await test.writer.submit(grant(other.tenantId, 100n));
    await test.writer.submit(other);
    await tell(started({ hold_id: other.holdId }));
    expect(ends()).toEqual(['parked']);
    const { rows } = await pool.query('select from ledger.jobs where hold_id = $1', [other.holdId]);
    expect(rows).toEqual([]);
  });
});

describe('the lease of a job', () => {
  it('is one asker’s until the job is due again: 10 s after it was told, later the older it is', async () => {
    await tell(started());
    expect(await leased()).toEqual([]);
    await aged(20);
    expect(await Promise.all([leased(), leased()]).then((both) => both.flat())).toEqual([holdId]);
    expect(await dueIn()).toBe(10);
    await aged(400);
    expect(await leased()).toEqual([holdId]);
    expect(await dueIn()).toBe(100);
    await aged(100_000);
    expect(await leased()).toEqual([holdId]);
    expect(await dueIn()).toBe(3_600);
  });

  it('ends with the job', async () => {
    await tell(started());
    await aged(100);
    await tell(settled(tenant, holdId, 1n));
    expect(await leased()).toEqual([]);
  });

  it('ends after a week: the job is given up, which operators are told once; a report is charged all the same', async () => {
    errors.length = 0;
    await tell(started());
    await aged(8 * 86_400);
    expect(await leased()).toEqual([]);
    expect(await leased()).toEqual([]);
    expect(errors).toEqual([{ hold: holdId, tenant }]);
    await tell(settled(tenant, holdId, 30n));
    expect(await balance()).toBe(970);
  });

  it('of a job that cannot be read keeps no other from being leased', async () => {
    await tell(started());
    await aged(20);
    await pool.query(`insert into ledger.jobs (hold_id, tenant_id, shard, ttl_ms, job, started_at, due_at)
      values (gen_random_uuid(), gen_random_uuid(), 0, 1, '{"provider":7}', now(), now())`);
    errors.length = 0;
    expect(await leased()).toEqual([holdId]);
    expect(errors).toHaveLength(1);
  });

  it('goes to the providers in turn', async () => {
    await tell(started());
    await pool.query(
      `insert into ledger.jobs (hold_id, tenant_id, shard, ttl_ms, job, started_at, due_at)
       select gen_random_uuid(), gen_random_uuid(), 0, 1, $1::json, now(), now() - interval '1 hour' from generate_series(1, 5)`,
      [JSON.stringify({ ...started().data, provider: 'slow' })],
    );
    await aged(20);
    expect((await jobs().lease({ limit: 2 })).jobs.map(({ provider }) => provider).sort()).toEqual([
      'slow',
      'transcriber',
    ]);
  });

  it('gives the job whole, as it was told', async () => {
    const told = started({ upstream_id: 'id "with\\ quotes" and \u0000', counted: null });
    await tell(told);
    await aged(20);
    expect((await jobs().lease({ limit: 1 })).jobs).toEqual([told.data]);
  });
});

describe('a job of long ago', () => {
  const endedAgo = (days: number) =>
    pool.query(
      'update ledger.jobs set ended_at = clock_timestamp() - make_interval(days => $2) where hold_id = $1',
      [holdId, days],
    );
  const isKept = async () =>
    (await pool.query('select from ledger.jobs where hold_id = $1', [holdId])).rowCount === 1;

  it('is forgotten 30 days after its end, and told again it changes nothing', async () => {
    await tell(started());
    await tell(settled(tenant, holdId, 30n));
    await endedAgo(29);
    await leased();
    expect(await isKept()).toBe(true);
    await endedAgo(31);
    await leased();
    expect(await isKept()).toBe(false);
    await tell(started());
    expect(await dueIn()).toBeNull();
    expect(await balance()).toBe(970);
  });

  it('is not forgotten while its report may come, however old it is', async () => {
    await tell(started());
    await aged(6 * 86_400);
    await leased();
    expect(await isKept()).toBe(true);
  });
});

describe('the list of overdue jobs', () => {
  const overdue = () => new OverdueJobsHandler(pool).execute();

  it('has those whose hold has expired without a report, given up ones too, until one comes', async () => {
    await tell(started());
    expect(await overdue()).toEqual([]);
    await pool.query('update ledger.jobs set ttl_ms = 1 where hold_id = $1', [holdId]);
    await restart();
    await test.writer.submit({ type: 'expire', tenantId: tenant, holdId, reason: 'max_age' });
    const instant: unknown = expect.stringMatching(/^20.*Z$/);
    const row = {
      hold_id: holdId,
      tenant_id: tenant,
      provider: 'transcriber',
      model: 'best',
      upstream_id: `transcript-${holdId}`,
      hold_micros: 100,
      started_at: instant,
      expired_at: instant,
      abandoned_at: null,
    };
    expect(await overdue()).toEqual([row]);
    await aged(8 * 86_400);
    await leased();
    expect(await overdue()).toEqual([{ ...row, abandoned_at: instant }]);
    await tell(settled(tenant, holdId, 30n));
    expect(await overdue()).toEqual([]);
  });

  it('has none that has failed after its hold had expired', async () => {
    await test.writer.submit({ type: 'expire', tenantId: tenant, holdId, reason: 'spool_silent' });
    await tell(started());
    expect((await overdue()).map(({ hold_id }) => hold_id)).toEqual([holdId]);
    await tell(settled(tenant, holdId, 0n));
    expect(await overdue()).toEqual([]);
  });
});

describe('a correction', () => {
  it('gives a charge back, once, and can be read again by a ledger that knows nothing of it', async () => {
    await tell(settled(tenant, holdId, 30n), corrected(-30), corrected(-30));
    expect(await kinds()).toEqual(['opened', 'settled', 'adjusted']);
    expect(await balance()).toBe(1_000);
    await restart();
    await tell(corrected(-30));
    expect(ends()).toEqual(['applied']);
    expect(await kinds()).toEqual(['opened', 'settled', 'adjusted']);
    await tell(corrected(-1, 2));
    expect(ends()).toEqual(['parked']);
  });

  it('that comes before its charge waits for it, and keeps nothing else waiting', async () => {
    const waiting = new WaitingCorrections(
      new ParkedRecords(pool),
      test.writer,
      ...([] as unknown as [never, never]),
    );
    await tell(corrected(-10));
    expect(ends()).toEqual(['parked']);
    await waiting.look();
    expect(await kinds()).toEqual(['opened']);
    await tell(settled(tenant, holdId, 30n));
    expect(ends()).toEqual(['applied']);
    await waiting.look();
    expect(await kinds()).toEqual(['opened', 'settled', 'adjusted']);
    expect(await balance()).toBe(980);
    await waiting.look();
    expect(await balance()).toBe(980);
  });

  it('has a number that is no credit’s key', async () => {
    await tell(settled(tenant, holdId, 30n), corrected(-10));
    expect(await test.writer.submit(grant(tenant, 5n, '1'))).toMatchObject({ credit: { amount: 5n } });
    expect(await test.writer.submit(grant(tenant, 5n, '1'))).toMatchObject({ credit: { amount: 5n } });
    expect(await balance()).toBe(985);
  });
});
