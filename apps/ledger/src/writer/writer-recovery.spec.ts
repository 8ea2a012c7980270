import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { shardOf } from '@vendo/events';
import { createTestDatabase, type TestDatabase } from '@vendo/testing';
import type pg from 'pg';
import { v4 as uuidv4 } from 'uuid';
import { audit } from '../audit.js';
import { type BatchCommit, Journal, OutageError } from '../journal/journal.js';
import { PostgresJournal } from '../journal/postgres.journal.js';
import { PostgresLeases } from '../journal/postgres.leases.js';
import { type WindowUse, windowKey } from '../wallet/wallet.js';
import type { Book } from './book.js';
import {
  grant,
  prepareDatabase,
  reserve,
  ShippedPartition,
  SUBJECT,
  settled,
  startWriter,
  until,
  type WriterUnderTest,
  writerPool,
} from './ledger-under-test.js';

let database: TestDatabase;
let pool: pg.Pool;
let sessions: pg.Pool;
let test: WriterUnderTest;
let tenant: string;

const ports = () => ({ journal: new PostgresJournal(sessions), leases: new PostgresLeases(sessions) });

beforeAll(async () => {
  database = await createTestDatabase();
  pool = await prepareDatabase(database.url);
  sessions = writerPool(database.url);
  test = await startWriter(ports());
});

afterEach(async () => {
  expect((await audit(pool)).violations).toEqual([]);
});

afterAll(async () => {
  await test.stop();
  await sessions.end();
  await pool.end();
  await database.drop();
});

async function funded(amount: bigint): Promise<string> {
  tenant = uuidv4();
  await test.writer.submit(grant(tenant, amount));
  return tenant;
}

async function walletRow(id: string) {
  const { rows } = await pool.query('select balance, held, seq from ledger.wallets where tenant_id = $1', [
    id,
  ]);
  return rows[0];
}

describe('what splits a batch', () => {
  it('a command that the database refuses stands alone, and the others are committed', async () => {
    await funded(1_000n);
    const bad = reserve(tenant, 10n, { spoolId: 'no uuid' });
    const answers = await test.writer.submitAll([reserve(tenant, 10n), bad, reserve(tenant, 10n)]);
    expect(answers.map(({ status }) => status)).toEqual(['done', 'failed', 'done']);
    expect(await walletRow(tenant)).toMatchObject({ held: '20' });
  });

  it('a command whose amounts leave the wire’s range fails alone', async () => {
    await funded(BigInt(Number.MAX_SAFE_INTEGER));
    const answers = await test.writer.submitAll([grant(tenant, 1n), reserve(tenant, 5n)]);
    expect(answers.map(({ status }) => status)).toEqual(['failed', 'done']);
  });
});

describe('memory', () => {
  it('equals a reload from the database, caps before the first credit included', async () => {
    await test.writer.submit({
      type: 'set-caps',
      tenantId: uuidv4(),
      subject: SUBJECT,
      daily: 5n,
      monthly: null,
    });
    await funded(100n);
    const caps = { tenantId: tenant, subject: SUBJECT, daily: 10n, monthly: null };
    await test.writer.submitAll([{ type: 'set-caps', ...caps }, reserve(tenant, 9n)]);
    const command = reserve(await funded(100n), 80n);
    await test.writer.submit(command);
    await ship(settled(tenant, command.holdId, 30n));
    const before = snapshot(test.writer);
    const kept = keptWallets(test.writer);
    await test.stop();
    test = await startWriter(ports());
    expect(snapshot(test.writer)).toEqual(before);
    const { wallets } = await new PostgresJournal(sessions).read({
      tenants: [...kept.keys()],
      holds: [],
      credits: [],
    });
    for (const { tenantId, balance, held, seq, caps, windows } of wallets)
      expect({
        tenantId,
        balance,
        held,
        seq,
        caps: new Map(caps.map(({ subject, limits }) => [subject, limits])),
        windows: usedWindows(windows),
      }).toEqual(kept.get(tenantId));
    expect(wallets).toHaveLength(kept.size);
  });
});

describe('fences and outages', () => {
  it('costs a shard that another one has taken, for refusals too, and nothing else of the batch', async () => {
    const lost = await funded(100n);
    const kept = await fundedElsewhere(lost);
    await steal(shardOf(lost));
    const answers = await test.writer.submitAll([
      reserve(kept, 10n),
      reserve(lost, 10n),
      reserve(lost, 1_000n),
      reserve(kept, 10n),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(['done', 'moved', 'moved', 'done']);
    expect(test.fences.map(({ shards }) => shards)).toEqual([[shardOf(lost)]]);
    expect(test.lost).toEqual([shardOf(lost)]);
    expect(test.writer.owned()).toHaveLength(15);
    expect(await walletRow(lost)).toMatchObject({ held: '0' });
    expect(await walletRow(kept)).toMatchObject({ held: '20' });
    expect(await test.writer.submit(reserve(lost, 1n))).toEqual({ status: 'moved' });
    await giveBack(shardOf(lost));
  });

  it('reads a shard anew when it gets it back', async () => {
    await funded(100n);
    await test.writer.submit(reserve(tenant, 60n));
    await steal(shardOf(tenant));
    expect(await test.writer.submit(reserve(tenant, 1n))).toEqual({ status: 'moved' });
    await pool.query('update ledger.balances set balance = 50 where tenant_id = $1', [tenant]);
    await giveBack(shardOf(tenant));
    expect(await test.writer.submit(reserve(tenant, 1n))).toMatchObject({ status: 'refused' });
    await pool.query('update ledger.balances set balance = 100 where tenant_id = $1', [tenant]);
  });

  it('a commit with unknown outcome is answered 503, read again under a new epoch, and its repeat is the same hold', async () => {
    await funded(100n);
    await test.stop();
    const faulty = { fail: false };
    test = await startWriter(losing(faulty));
    const epoch = await epochOf(shardOf(tenant));
    const command = reserve(tenant, 60n);
    faulty.fail = true;
    await expect(test.writer.submit(command)).rejects.toMatchObject({ code: 'billing_unavailable' });
    expect(test.writer.owned()).toEqual([]);
    expect(() => test.shards.ownerOf(shardOf(tenant))).toThrow('Billing is unavailable');
    await until(() => test.writer.owned().length === 16);
    expect(await test.writer.submit(command)).toMatchObject({ status: 'done' });
    expect(await walletRow(tenant)).toMatchObject({ held: '60' });
    expect(await epochOf(shardOf(tenant))).toBe(epoch + 1);
    expect({ dropped: test.dropped, fences: test.fences.length }).toEqual({ dropped: 1, fences: 0 });
    expect(test.takings.slice(-16).map(({ how }) => how)).toEqual(Array(16).fill('again'));
  });

  it('after an unknown outcome takes nothing again that another one has taken meanwhile', async () => {
    await funded(100n);
    await test.stop();
    const faulty = { fail: false, meanwhile: () => steal(shardOf(tenant)) };
    test = await startWriter(losing(faulty));
    faulty.fail = true;
    await expect(test.writer.submit(reserve(tenant, 60n))).rejects.toMatchObject({
      code: 'billing_unavailable',
    });
    await until(() => test.writer.owned().length === 15);
    expect(await test.writer.submit(reserve(tenant, 1n))).toEqual({ status: 'moved' });
    await giveBack(shardOf(tenant));
  });

  it('a consumer offset that moved costs its shard, which is read again', async () => {
    const other = await fundedElsewhere(await funded(100n));
    await funded(100n);
    const { partition } = new ShippedPartition(tenant);
    await pool.query('update ledger.consumer_offsets set next = next + 1 where partition = $1', [partition]);
    const fences = test.fences.length;
    const [shipped, reserved] = await Promise.allSettled([
      ship(settled(tenant, uuidv4(), 1n)),
      test.writer.submit(reserve(other, 1n)),
    ]);
    expect(shipped).toMatchObject({ status: 'rejected', reason: { name: 'StateDroppedError' } });
    expect(reserved.status).toBe('fulfilled');
    expect(test.fences.slice(fences).map(({ shards }) => shards)).toEqual([[partition]]);
    await until(() => test.writer.owned().length === 16);
    await ship(settled(tenant, uuidv4(), 1n));
  });

  it('of records that wait for a shard which is lost and taken again, none is skipped', async () => {
    const other = await funded(100n);
    await fundedElsewhere(other);
    const shipped = new ShippedPartition(tenant);
    const { partition } = shipped;
    await test.stop();
    // The shard is back before the batch that lost it has ended, and records of it still wait for the next batch.
    const back = () => giveBack(partition);
    test = await startWriter({ ...ports(), journal: new Interposed(new PostgresJournal(sessions), back) });
    const before = offsetOf(partition);
    await steal(partition);
    const records = Array.from({ length: 1_001 }, () => shipped.report(settled(tenant, uuidv4(), 0n)));
    const reserved = test.writer.submit(reserve(other, 1n));
    await expect(test.writer.settle(records)).rejects.toMatchObject({ name: 'StateDroppedError' });
    expect(await reserved).toMatchObject({ status: 'done' });
    // A batch of its own, so that everything which waited has been decided.
    await test.writer.submit(reserve(other, 1n));
    expect(test.fences.map(({ shards }) => shards)).toEqual([[partition]]);
    expect(offsetOf(partition)).toBe(before);
  });
});

describe('the clock', () => {
  it('never runs backwards, whatever the database says', async () => {
    await funded(1_000n);
    const ahead = Date.now() + 3_600_000;
    await test.stop();
    await pool.query('update ledger.shards set clock_ms = $1', [ahead]);
    test = await startWriter(ports());
    const answer = await test.writer.submit(reserve(tenant, 1n));
    expect(answer).toMatchObject({ hold: { reservedAtMs: ahead } });
    await pool.query('update ledger.shards set clock_ms = 0');
  });
});

/** Ships one record of a spool of its own, after whatever the partition has had. */
async function ship(event: ReturnType<typeof settled>): Promise<void> {
  await test.writer.settle([new ShippedPartition(event.tenantId).report(event)]);
}

/** Another owner has taken the shard, by the book. */
async function steal(shard: number): Promise<void> {
  await pool.query(
    `update ledger.shards set epoch = epoch + 1, owner = 'another', lease_until = 'infinity' where shard = $1`,
    [shard],
  );
}

/** It gives the shard back, and the writer takes it. */
async function giveBack(shard: number): Promise<void> {
  await new PostgresLeases(pool).giveBack({ id: 'another', url: null }, [shard]);
  await until(() => test.writer.owned().includes(shard));
}

function offsetOf(shard: number): bigint | undefined {
  return test.writer.offsets().find(({ partition }) => partition === shard)?.next;
}

async function fundedElsewhere(than: string): Promise<string> {
  for (;;) if (shardOf(await funded(100n)) !== shardOf(than)) return tenant;
}

async function epochOf(shard: number): Promise<number> {
  const { rows } = await pool.query('select epoch from ledger.shards where shard = $1', [shard]);
  return Number(rows[0].epoch);
}

function snapshot(writer: WriterUnderTest['writer']) {
  const { book } = writer as unknown as { book: Book };
  return {
    holds: new Map([...book.holds].sort()),
    shards: [...book.shards.values()]
      .sort((a, b) => a.head.shard - b.head.shard)
      .map(({ head: { shard, position }, offset, marks, parkedHolds }) => ({
        shard,
        position,
        offset,
        marks: new Map([...marks].sort()),
        parked: [...parkedHolds].sort(),
      })),
  };
}

/** Wallets as the writer remembers them, by tenant. */
function keptWallets(writer: WriterUnderTest['writer']) {
  const { wallets } = (writer as unknown as { book: Book }).book;
  return new Map(
    [...wallets]
      .filter(([, { seq }]) => seq > 0)
      .map(([tenantId, { balance, held, seq, caps, windows }]) => [
        tenantId,
        { tenantId, balance, held, seq, caps, windows: usedWindows([...windows.values()]) },
      ]),
  );
}

/** Windows in which nothing is spent, held or told have no row. */
function usedWindows(windows: readonly WindowUse[]) {
  const used = windows.filter(
    ({ spent, held, warned, tripped }) => spent > 0n || held > 0n || warned || tripped,
  );
  return new Map(used.map((use) => [windowKey(use.subject, use.window), use]));
}

function losing(faulty: ConstructorParameters<typeof LosingJournal>[1]) {
  return { ...ports(), journal: new LosingJournal(new PostgresJournal(sessions), faulty) };
}

/** Commits, and then loses the answer, once. */
class LosingJournal extends Journal {
  constructor(
    private readonly real: Journal,
    private readonly faulty: { fail: boolean; meanwhile?: () => Promise<void> },
  ) {
    super();
  }
  load(taken: Parameters<Journal['load']>[0]) {
    return this.real.load(taken);
  }
  read(question: Parameters<Journal['read']>[0]) {
    return this.real.read(question);
  }
  async commit(batch: BatchCommit) {
    await this.real.commit(batch);
    if (!this.faulty.fail) return;
    this.faulty.fail = false;
    await this.faulty.meanwhile?.();
    throw new OutageError('the answer was lost');
  }
}

/** Does something between a fence and the commit of the rest of that batch. */
class Interposed extends Journal {
  private fenced = false;

  constructor(
    private readonly real: Journal,
    private readonly between: () => Promise<void>,
  ) {
    super();
  }
  load(taken: Parameters<Journal['load']>[0]) {
    return this.real.load(taken);
  }
  read(question: Parameters<Journal['read']>[0]) {
    return this.real.read(question);
  }
  async commit(batch: BatchCommit) {
    if (this.fenced) await this.between();
    this.fenced = false;
    await this.real.commit(batch).catch((thrown: unknown) => {
      this.fenced = true;
      throw thrown;
    });
  }
}
