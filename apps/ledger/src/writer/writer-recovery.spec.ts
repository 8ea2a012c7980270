import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '@vendo/testing';
import type pg from 'pg';
import { v4 as uuidv4 } from 'uuid';
import { audit } from '../audit.js';
import { type BatchCommit, Journal, OutageError } from '../journal/journal.js';
import { PostgresJournal } from '../journal/postgres.journal.js';
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
  type WriterUnderTest,
  writerPool,
} from './ledger-under-test.js';

let database: TestDatabase;
let pool: pg.Pool;
let sessions: pg.Pool;
let test: WriterUnderTest;
let tenant: string;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = await prepareDatabase(database.url);
  sessions = writerPool(database.url);
  test = await startWriter(new PostgresJournal(sessions));
});

afterEach(async () => {
  expect((await audit(pool)).violations).toEqual([]);
});

afterAll(async () => {
  await test.writer.stop();
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
    const other = await startWriter(new PostgresJournal(sessions));
    const before = snapshot(test.writer);
    const after = snapshot(other.writer);
    expect(after).toEqual(before);
    const kept = keptWallets(test.writer);
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
    await other.writer.stop();
    await test.writer.stop();
    test = await startWriter(new PostgresJournal(sessions));
  });
});

describe('fences and outages', () => {
  it('a second writer makes the first one’s commit raise, refusals included', async () => {
    await funded(100n);
    const second = await startWriter(new PostgresJournal(sessions));
    await expect(test.writer.submit(reserve(tenant, 1_000n))).rejects.toMatchObject({
      code: 'billing_unavailable',
    });
    expect(test.fences).toHaveLength(1);
    expect(test.writer.offsets()).toBeNull();
    expect(await second.writer.submit(reserve(tenant, 10n))).toMatchObject({ status: 'done' });
    test = second;
  });

  it('a commit with unknown outcome is answered 503, read again under a new epoch, and its repeat is the same hold', async () => {
    await funded(100n);
    await test.writer.stop();
    const faulty = { fail: false };
    test = await startWriter(new LosingJournal(new PostgresJournal(sessions), faulty));
    const command = reserve(tenant, 60n);
    faulty.fail = true;
    await expect(test.writer.submit(command)).rejects.toMatchObject({ code: 'billing_unavailable' });
    await until(() => test.writer.offsets() !== null);
    expect(await test.writer.submit(command)).toMatchObject({ status: 'done' });
    expect(await walletRow(tenant)).toMatchObject({ held: '60' });
    expect({ dropped: test.dropped, fences: test.fences.length }).toEqual({ dropped: 1, fences: 0 });
  });

  it('a consumer offset that moved fences', async () => {
    await funded(100n);
    const { partition } = new ShippedPartition(tenant);
    await pool.query('update ledger.consumer_offsets set next = next + 1 where partition = $1', [partition]);
    await ship(settled(tenant, uuidv4(), 1n)).catch(() => undefined);
    expect(test.fences).toHaveLength(1);
    test = await startWriter(new PostgresJournal(sessions));
  });
});

describe('the clock', () => {
  it('never runs backwards, whatever the database says', async () => {
    await funded(1_000n);
    const ahead = Date.now() + 3_600_000;
    await test.writer.stop();
    await pool.query('update ledger.shards set clock_ms = $1', [ahead]);
    test = await startWriter(new PostgresJournal(sessions));
    const answer = await test.writer.submit(reserve(tenant, 1n));
    expect(answer).toMatchObject({ hold: { reservedAtMs: ahead } });
    await pool.query('update ledger.shards set clock_ms = 0');
  });
});

/** Ships one record of a spool of its own, after whatever the partition has had. */
async function ship(event: ReturnType<typeof settled>): Promise<void> {
  await test.writer.settle([new ShippedPartition(event.tenantId).report(event)]);
}

function snapshot(writer: WriterUnderTest['writer']) {
  const book = (writer as unknown as { book: Record<string, unknown> }).book;
  const { holds, marks, offsets, parkedHolds } = book as {
    holds: Map<string, unknown>;
    marks: Map<string, unknown>;
    offsets: Map<number, unknown>;
    parkedHolds: Set<string>;
  };
  return {
    holds: new Map([...holds].sort()),
    marks: new Map([...marks].sort()),
    offsets,
    parked: [...parkedHolds].sort(),
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

async function until(holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 500 && !holds(); turn++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(holds()).toBe(true);
}

/** Commits, and then loses the answer, once. */
class LosingJournal extends Journal {
  constructor(
    private readonly real: Journal,
    private readonly faulty: { fail: boolean },
  ) {
    super();
  }
  takeShards(owner: string, again: boolean) {
    return this.real.takeShards(owner, again);
  }
  load() {
    return this.real.load();
  }
  read(question: Parameters<Journal['read']>[0]) {
    return this.real.read(question);
  }
  async commit(batch: BatchCommit) {
    await this.real.commit(batch);
    if (!this.faulty.fail) return;
    this.faulty.fail = false;
    throw new OutageError('the answer was lost');
  }
}
