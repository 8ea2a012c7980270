import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type EventLog, openEventLog } from '@vendo/event-log';
import { encodeEvent, GATEWAY_TOPIC, NUMBER_HEADER, SHARD_COUNT, SPOOL_HEADER, shardOf } from '@vendo/events';
import { createLogger, createPool, SystemClock } from '@vendo/runtime';
import { createTestDatabase, type TestDatabase } from '@vendo/testing';
import type pg from 'pg';
import { v4 as uuidv4 } from 'uuid';
import { audit } from '../audit.js';
import { PostgresJournal } from '../journal/postgres.journal.js';
import { PostgresLeases } from '../journal/postgres.leases.js';
import { WRITER_SESSION } from '../journal/writer-session.js';
import { Settlements } from '../settlement/settlements.js';
import { LEASE_MS } from './book.js';
import {
  grant,
  prepareDatabase,
  reserve,
  SPOOL,
  settled,
  startWriter,
  until,
  type WriterUnderTest,
  writerPool,
} from './ledger-under-test.js';
import { Stop, stoppable } from './stoppable-under-test.js';

const ALL = Array.from({ length: SHARD_COUNT }, (_, shard) => shard);
const clock = new SystemClock();
const logger = createLogger('spec', 'silent');

interface Ledger extends WriterUnderTest {
  stopped: Stop;
  sessions: pg.Pool;
}

let database: TestDatabase;
let pool: pg.Pool;
let log: EventLog;
let ledgers: Ledger[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  pool = await prepareDatabase(database.url);
  log = openEventLog({ kind: 'memory' }, { logger, clock });
  await log.createTopics(SHARD_COUNT);
});

afterEach(async () => {
  for (const { stopped } of ledgers) stopped.resume();
  await Promise.all(ledgers.map((ledger) => ledger.stop()));
  await Promise.all(ledgers.map(({ sessions }) => sessions.end()));
  ledgers = [];
  expect((await audit(pool)).violations).toEqual([]);
});

afterAll(async () => {
  await log.close();
  await pool.end();
  await database.drop();
});

/** A ledger with its settlements, on connections of its own. */
async function start(): Promise<Ledger> {
  const sessions = writerPool(database.url);
  const stopped = new Stop();
  const behind = stoppable(
    { journal: new PostgresJournal(sessions), leases: new PostgresLeases(sessions) },
    stopped,
  );
  let settlements: Settlements | undefined;
  const health = { up: () => undefined, down: () => undefined } as never;
  const early: number[] = [];
  const test = await startWriter(behind.ports, {
    clock: behind.clock,
    url: `http://ledger-${ledgers.length}`,
    observe: {
      gained: (shards) => (settlements ? settlements.gained(shards) : early.push(...shards)),
      lost: (shards) => settlements?.lost(shards),
    },
  });
  settlements = new Settlements(log, test.writer, behind.clock, health, logger);
  settlements.gained(early);
  const end = test.stop;
  test.stop = async () => {
    await settlements?.stop();
    await end();
  };
  const ledger = Object.assign(test, { stopped, sessions });
  ledgers.push(ledger);
  return ledger;
}

async function startSeveral(count: number): Promise<Ledger[]> {
  for (let index = 0; index < count; index++) await start();
  await until(() => ledgers.every(({ writer }) => writer.owned().length >= Math.floor(SHARD_COUNT / count)));
  await until(() => ledgers.flatMap(({ writer }) => writer.owned()).length === SHARD_COUNT);
  return ledgers;
}

function ownerOf(tenant: string): Ledger {
  const shard = shardOf(tenant);
  const owner = ledgers.find(({ writer }) => writer.offsets().some(({ partition }) => partition === shard));
  if (!owner) throw new Error('nobody owns the tenant');
  return owner;
}

/** A tenant with credit whose shard this ledger owns. */
async function fundedAt({ writer }: Ledger, amount = 1_000n): Promise<string> {
  for (;;) {
    const tenant = uuidv4();
    if (!writer.owned().includes(shardOf(tenant))) continue;
    await writer.submit(grant(tenant, amount));
    return tenant;
  }
}

async function kindsOf(holdId: string): Promise<string[]> {
  const { rows } = await pool.query<{ kind: string }>(
    'select kind from ledger.journal where hold_id = $1 order by position',
    [holdId],
  );
  return rows.map(({ kind }) => kind);
}

/** Appends to the log what a spool says about the end of a tenant's hold. */
async function report(tenant: string, holdId: string, cost: bigint, spool: string, number: number) {
  const headers = { [SPOOL_HEADER]: spool, [NUMBER_HEADER]: String(number) };
  await log.append(GATEWAY_TOPIC, shardOf(tenant), [
    encodeEvent(settled(tenant, holdId, cost), '/gateway', headers),
  ]);
}

async function secondsUntil(holds: () => boolean): Promise<number> {
  const startedMs = clock.monotonicMs();
  await until(holds, 10_000);
  return (clock.monotonicMs() - startedMs) / 1_000;
}

describe('several ledgers', () => {
  it.each([
    [1, [16]],
    [2, [8, 8]],
    [3, [5, 5, 6]],
  ])('%i of them share the shards evenly, each shard with one owner that all know', async (count, shares) => {
    await startSeveral(count);
    expect(ledgers.map(({ writer }) => writer.owned().length).sort()).toEqual(shares);
    expect(ledgers.flatMap(({ writer }) => writer.owned()).sort((a, b) => a - b)).toEqual(ALL);
    const whole = ALL.map((shard) => {
      const index = ledgers.findIndex(({ writer }) => writer.owned().includes(shard));
      return [shard, `http://ledger-${index}`];
    });
    for (const { shards } of ledgers)
      await until(
        () => JSON.stringify([...shards.owners()].sort((a, b) => a[0] - b[0])) === JSON.stringify(whole),
      );
    expect(ledgers.flatMap(({ fences }) => fences)).toEqual([]);
  });

  it('keep their leases while nothing is committed', async () => {
    await startSeveral(2);
    await clock.sleep(1_600);
    const { rows } = await pool.query(
      `select count(*)::int as n from ledger.shards where lease_until > clock_timestamp() + interval '1 second'`,
    );
    expect(rows).toEqual([{ n: 16 }]);
    expect(ledgers.flatMap(({ fences }) => fences)).toEqual([]);
  });

  it('extend a lease by every commit, and for as long as the owner’s own clock says', async () => {
    const ledger = await start();
    const tenant = await fundedAt(ledger);
    await ledger.writer.submit(reserve(tenant, 1n));
    const { rows } = await pool.query(
      `select extract(epoch from lease_until - clock_timestamp()) * 1000 as ms, extract(epoch from
         ledger.lease_end() - clock_timestamp()) * 1000 as whole from ledger.shards where shard = $1`,
      [shardOf(tenant)],
    );
    expect(Math.round(rows[0].whole)).toBe(LEASE_MS);
    expect(Number(rows[0].ms)).toBeGreaterThan(LEASE_MS - 900);
  });

  it('send a command of a shard that is not theirs to its owner, and decide nothing', async () => {
    const [one, other] = (await startSeveral(2)) as [Ledger, Ledger];
    const tenant = await fundedAt(other);
    expect(await one.writer.submit(reserve(tenant, 1n))).toEqual({ status: 'moved' });
    await until(() => one.shards.ownerOf(shardOf(tenant)) === 'http://ledger-1');
    expect(one.shards.wrongOwner(shardOf(tenant))).toMatchObject({
      code: 'wrong_owner',
      details: { owner: 'http://ledger-1' },
    });
  });

  it('take nothing that another one has taken since they looked', async () => {
    const { id } = await start();
    const late = new PostgresLeases(pool);
    expect(await late.take({ id: 'late', url: null }, ALL)).toEqual([]);
    await late.giveBack({ id: 'late', url: null }, ALL);
    const { rows } = await pool.query('select distinct owner from ledger.shards');
    expect(rows).toEqual([{ owner: id }]);
  });

  it('decide what waits for a shard that they give up, and nothing that comes after', async () => {
    const { writer, stopped } = await start();
    const tenant = await fundedAt({ writer } as Ledger);
    const waiting: Promise<{ status: string }>[] = [];
    let left: Promise<void> | undefined;
    stopped.beforeCommit = () => {
      stopped.beforeCommit = () => undefined;
      waiting.push(writer.submit(reserve(tenant, 1n)), writer.submit(reserve(tenant, 1n)));
      left = writer.leave([shardOf(tenant)]);
      waiting.push(writer.submit(reserve(tenant, 1n)));
    };
    expect(await writer.submit(reserve(tenant, 1n))).toMatchObject({ status: 'done' });
    await left;
    expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual(['done', 'done', 'moved']);
  });

  it('give everything back when they end, and the other one has it at once', async () => {
    const [one, other] = (await startSeveral(2)) as [Ledger, Ledger];
    const tenant = await fundedAt(one);
    await one.writer.submit(reserve(tenant, 50n));
    const ended = one.stop();
    const took = await secondsUntil(() => other.writer.owned().length === SHARD_COUNT);
    await ended;
    expect(took).toBeLessThan(2);
    expect(other.takings.map(({ how }) => how)).toEqual(Array(16).fill('free'));
    expect(await other.writer.submit(reserve(tenant, 950n))).toMatchObject({ status: 'done' });
    expect(await other.writer.submit(reserve(tenant, 1n))).toMatchObject({ status: 'refused' });
    const { rows } = await pool.query('select id from ledger.members');
    expect(rows).toEqual([{ id: other.id }]);
  });
});

describe('an owner that dies', () => {
  it('loses its shards within 5 s; its holds, its offsets and its tenants go on with the other', async () => {
    const [one, other] = (await startSeveral(2)) as [Ledger, Ledger];
    const tenant = await fundedAt(one);
    const [before, after] = [reserve(tenant, 100n), reserve(tenant, 100n)];
    await one.writer.submitAll([before, after]);
    const spool = uuidv4();
    await report(tenant, before.holdId, 10n, spool, 1);
    await until(async () => (await kindsOf(before.holdId)).length === 2);

    one.stopped.stop();
    await report(tenant, after.holdId, 20n, spool, 2);
    const diedAtMs = clock.monotonicMs();
    const took = await secondsUntil(() => other.writer.owned().length === SHARD_COUNT);
    expect(took).toBeLessThan(5);
    const held = [...other.writer.openHolds()].find(({ hold }) => hold.id === after.holdId);
    if (held) expect(held.watchedSinceMs).toBeGreaterThan(diedAtMs);

    await until(async () => (await kindsOf(after.holdId)).length === 2);
    expect(await other.writer.submit(after)).toMatchObject({ refusal: { code: 'hold_ended' } });
    expect(await other.writer.submit(reserve(tenant, 970n))).toMatchObject({ status: 'done' });
    expect(other.writer.marksOf(spool)).toEqual({ [shardOf(tenant)]: 2 });
    // Each record was applied once: the second owner went on from the first one's offset.
    const ends = ledgers.flatMap(({ batches }) =>
      batches.flatMap(({ reports }) => reports.map(({ end }) => end)),
    );
    expect(ends).toEqual(['applied', 'applied']);
    expect(other.takings.filter(({ how }) => how === 'expired')).toHaveLength(8);
  });

  it('delays nobody by a transaction that it left open over the head rows', async () => {
    const dead = createPool(database.url, { app: 'dead', max: 1, settings: WRITER_SESSION });
    const client = await dead.connect();
    await client.query(
      `update ledger.shards set owner = 'dead', lease_until = clock_timestamp() - interval '3 s'`,
    );
    await client.query('begin');
    await client.query('select * from ledger.shards where shard < 4 for update');
    const startedMs = clock.monotonicMs();
    const ledger = await start();
    expect(ledger.writer.owned()).toEqual(ALL.slice(4));
    await until(() => ledger.writer.owned().length === SHARD_COUNT);
    expect(clock.monotonicMs() - startedMs).toBeLessThan(3_500);
    client.release(true);
    await dead.end();
  });
});

describe('an owner that is stopped and wakes up', () => {
  it('speaks for nobody while its lease has run out, is fenced, and carries on with its share', async () => {
    const [one, other] = (await startSeveral(2)) as [Ledger, Ledger];
    const tenant = await fundedAt(one);
    const command = reserve(tenant, 600n);
    // It has decided, and is stopped before it commits.
    one.stopped.beforeCommit = () => one.stopped.stop();
    const answer = one.writer.submit(command);
    await until(() => other.writer.owned().length === SHARD_COUNT, 8_000);
    expect(one.writer.owned()).toHaveLength(8);
    expect(one.writer.offsets()).toEqual([]);
    expect([...one.writer.openHolds()]).toEqual([]);
    expect(() => one.shards.owners()).toThrow('Billing is unavailable');
    expect(await other.writer.submit(reserve(tenant, 600n))).toMatchObject({ status: 'done' });

    one.stopped.beforeCommit = () => undefined;
    one.stopped.resume();
    expect(await answer).toEqual({ status: 'moved' });
    expect(await kindsOf(command.holdId)).toEqual([]);
    expect(one.fences.length).toBeGreaterThan(0);
    await until(() => ledgers.every(({ writer }) => writer.owned().length === 8));
    expect(await ownerOf(tenant).writer.submit(reserve(tenant, 400n))).toMatchObject({ status: 'done' });
  });

  it('counts nobody’s silence from before, when nobody has taken its shards', async () => {
    const ledger = await start();
    const tenant = await fundedAt(ledger);
    const command = reserve(tenant, 1n);
    await ledger.writer.submit(command);
    ledger.stopped.stop();
    await clock.sleep(LEASE_MS + 1_500);
    const wokeAtMs = clock.monotonicMs();
    ledger.stopped.resume();
    const watched = () => [...ledger.writer.openHolds()].find(({ hold }) => hold.id === command.holdId);
    await until(() => watched() !== undefined);
    expect(watched()?.watchedSinceMs).toBeGreaterThanOrEqual(wokeAtMs);
  });
});

describe('three ledgers with pauses at any moment', () => {
  const TENANTS = 24;
  const FOR_MS = 12_000;

  it('decide everything once, and lose nothing that was answered', async () => {
    await startSeveral(3);
    const tenants = Array.from({ length: TENANTS }, () => uuidv4());
    for (const tenant of tenants) await retried(() => ownerOf(tenant).writer.submit(grant(tenant, 100_000n)));
    const endMs = clock.monotonicMs() + FOR_MS;
    const answered: { tenant: string; holdId: string; cost: bigint }[] = [];
    await Promise.all([
      ...tenants.map((tenant) => callUntil(tenant, endMs, answered)),
      ...ledgers.map((ledger) => pauseUntil(ledger, endMs)),
    ]);
    expect(answered.length).toBeGreaterThan(200);
    const ended = async () => {
      const { rows } = await pool.query(
        `select count(*)::int as n from ledger.holds where tenant_id = any($1)`,
        [tenants],
      );
      return rows[0].n === 0;
    };
    await until(ended, 15_000);
    const { rows } = await pool.query<{ hold_id: string; kinds: string; micros: string }>(
      `select hold_id, string_agg(kind, ',' order by position) as kinds, sum(wallet_micros) as micros
       from ledger.journal where tenant_id = any($1) and hold_id is not null group by hold_id`,
      [tenants],
    );
    const journalled = new Map(rows.map(({ hold_id, kinds, micros }) => [hold_id, `${kinds} ${micros}`]));
    for (const { holdId, cost } of answered) expect(journalled.get(holdId)).toBe(`opened,settled ${-cost}`);
    expect(journalled.size).toBe(answered.length);
    expect(ledgers.some(({ lost }) => lost.length > 0)).toBe(true);
  }, 60_000);

  /** Reserves and settles, each until it is answered, as gateways do. */
  async function callUntil(
    tenant: string,
    endMs: number,
    answered: { holdId: string; cost: bigint; tenant: string }[],
  ) {
    const spool = uuidv4();
    for (let number = 1; clock.monotonicMs() < endMs; number++) {
      const command = reserve(tenant, 100n, { spoolId: SPOOL });
      await retried(() => ownerOf(tenant).writer.submit(command));
      const cost = BigInt(1 + (number % 90));
      answered.push({ tenant, holdId: command.holdId, cost });
      await report(tenant, command.holdId, cost, spool, number);
    }
  }

  /** A call to a ledger that does not answer is given up after a while and tried at whoever owns the shard then. */
  async function retried(call: () => Promise<{ status: string }>): Promise<void> {
    for (;;) {
      const gaveUp = clock.sleep(400).then(() => ({ status: 'none' }));
      const answer = await Promise.race([Promise.resolve().then(call), gaveUp]).catch(() => ({
        status: 'none',
      }));
      if (answer.status === 'done') return;
      await clock.sleep(20);
    }
  }

  async function pauseUntil({ stopped }: Ledger, endMs: number): Promise<void> {
    while (clock.monotonicMs() < endMs) {
      await clock.sleep(300 + Math.random() * 3_000);
      stopped.stop();
      await clock.sleep(Math.random() * 5_000);
      stopped.resume();
    }
  }
});
