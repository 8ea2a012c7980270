import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createLogger, type Logger, Metrics } from '@vendo/runtime';
import { createTestDatabase, type TestDatabase } from '@vendo/testing';
import type pg from 'pg';
import { v4 as uuidv4 } from 'uuid';
import { audit } from '../audit.js';
import { PostgresJournal } from '../journal/postgres.journal.js';
import { PostgresLeases } from '../journal/postgres.leases.js';
import { LedgerMetrics } from './ledger-metrics.js';
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
import type { Report } from './work.js';

let database: TestDatabase;
let pool: pg.Pool;
let sessions: pg.Pool;
let test: WriterUnderTest;
let tenant: string;
let metrics: Metrics;
/** What the ledger's counts have logged as errors, as it was handed over: facts and message. */
const errors: unknown[][] = [];

const ports = () => ({ journal: new PostgresJournal(sessions), leases: new PostgresLeases(sessions) });

beforeAll(async () => {
  database = await createTestDatabase();
  pool = await prepareDatabase(database.url);
  sessions = writerPool(database.url);
  metrics = new Metrics('spec');
  const logger: Logger = {
    ...createLogger('spec', 'silent'),
    error: (...line: unknown[]) => void errors.push(line),
  };
  const counts = new LedgerMetrics(
    metrics,
    logger,
    () => 0,
    () => 0,
    () => 0,
  );
  test = await startWriter(ports(), { observe: { committed: (batch) => counts.committed(batch) } });
});

afterEach(async () => {
  errors.length = 0;
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

async function kindsOf(holdId: string): Promise<string[]> {
  const { rows } = await pool.query<{ kind: string }>(
    'select kind from ledger.journal where hold_id = $1 order by position',
    [holdId],
  );
  return rows.map(({ kind }) => kind);
}

describe('reserves', () => {
  it('gives one hold to 64 concurrent retries of one id, and the same answer to all', async () => {
    const command = reserve(await funded(1_000n), 600n);
    const answers = await Promise.all(Array.from({ length: 64 }, () => test.writer.submit(command)));
    expect(new Set(answers.map((answer) => JSON.stringify(answer, bigintText))).size).toBe(1);
    expect(answers[0]).toMatchObject({ status: 'done', hold: { id: command.holdId, amount: 600n } });
    expect(await walletRow(tenant)).toEqual({ balance: '1000', held: '600', seq: '2' });
  });

  it('admits in the order of arrival what the balance covers, inside one batch', async () => {
    await funded(1_000n);
    const answers = await test.writer.submitAll([
      reserve(tenant, 600n),
      reserve(tenant, 500n),
      reserve(tenant, 400n),
      reserve(tenant, 1n),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(['done', 'refused', 'done', 'refused']);
  });

  it('tells CapWarned at 80 % and CapTripped once per window', async () => {
    await funded(10_000n);
    await test.writer.submit({
      type: 'set-caps',
      tenantId: tenant,
      subject: SUBJECT,
      daily: 1_000n,
      monthly: undefined,
    });
    await test.writer.submitAll([reserve(tenant, 799n), reserve(tenant, 1n), reserve(tenant, 1n)]);
    const refused = await test.writer.submitAll([reserve(tenant, 500n), reserve(tenant, 500n)]);
    expect(refused[0]).toMatchObject({ status: 'refused', refusal: { code: 'spend_cap_daily' } });
    const { rows } = await pool.query<{ type: string }>(
      `select type from ledger.journal where tenant_id = $1 and type like 'Cap%' order by seq`,
      [tenant],
    );
    expect(rows.map(({ type }) => type)).toEqual(['CapSet.v1', 'CapWarned.v1', 'CapTripped.v1']);
  });

  it('refuses a hold id that is open for another tenant', async () => {
    const command = reserve(await funded(1_000n), 10n);
    await test.writer.submit(command);
    const other = await funded(1_000n);
    expect(await test.writer.submit({ ...command, tenantId: other })).toEqual({
      status: 'refused',
      refusal: { code: 'hold_conflict' },
    });
  });
});

describe('credits', () => {
  it('grants a repeated key once, and refuses it with another body', async () => {
    tenant = uuidv4();
    const first = grant(tenant, 700n, 'order-1');
    const answers = await test.writer.submitAll([first, { ...first, entryId: uuidv4() }]);
    const later = await test.writer.submit({ ...first, entryId: uuidv4() });
    for (const answer of [...answers, later])
      expect(answer).toMatchObject({
        status: 'done',
        credit: { entryId: first.entryId, balance: 700n, seq: 1 },
      });
    expect(await test.writer.submit({ ...first, amount: 701n })).toEqual({
      status: 'refused',
      refusal: { code: 'idempotency_conflict' },
    });
  });

  it('lets a negative correction take the balance below zero', async () => {
    await funded(5n);
    expect(await test.writer.submit(grant(tenant, -8n))).toMatchObject({ credit: { balance: -3n } });
  });
});

describe('reports', () => {
  it('applies a number once, drops repeats, and drops what comes after a gap', async () => {
    await funded(1_000n);
    const holds = [reserve(tenant, 100n), reserve(tenant, 100n), reserve(tenant, 100n)];
    const [a, b, c] = holds.map(({ holdId }) => holdId);
    await test.writer.submitAll(holds);
    const shipped = new ShippedPartition(tenant);
    await test.writer.settle([shipped.report(settled(tenant, a ?? '', 10n), 1)]);
    await test.writer.settle([
      shipped.report(settled(tenant, a ?? '', 10n), 1),
      shipped.report(settled(tenant, c ?? '', 30n), 3),
      shipped.report(settled(tenant, b ?? '', 20n), 2),
    ]);
    expect(await walletRow(tenant)).toMatchObject({ balance: '970', held: '100' });
    await test.writer.settle([shipped.report(settled(tenant, c ?? '', 30n), 3)]);
    expect(await walletRow(tenant)).toMatchObject({ balance: '940', held: '0' });
  });

  it('goes by the number alone: what repeats one is not even looked at, and no mark goes back', async () => {
    await funded(1_000n);
    const shipped = new ShippedPartition(tenant);
    const charge = (number: number) => shipped.report(settled(tenant, uuidv4(), 1n), number);
    await test.writer.settle([charge(1), charge(2), charge(3)]);
    await test.writer.settle([charge(1), charge(5), charge(4)]);
    expect(test.batches.at(-1)?.reports.map(({ end }) => end)).toEqual(['repeat', 'gap', 'applied']);
    expect(test.writer.marksOf(shipped.spool)).toEqual({ [String(shipped.partition)]: 4 });
    expect(await walletRow(tenant)).toMatchObject({ balance: '996' });
  });

  it('moves no offset back when two loops read the same for a moment', async () => {
    await funded(1_000n);
    const shipped = new ShippedPartition(tenant);
    const [a, b] = [settled(tenant, uuidv4(), 1n), settled(tenant, uuidv4(), 1n)].map((event) =>
      shipped.report(event),
    ) as [Report, Report];
    await Promise.all([test.writer.settle([a, b]), test.writer.settle([a])]);
    expect(test.batches.at(-1)?.reports.map(({ end }) => end)).toEqual(['applied', 'applied', 'read_before']);
    const { next } = test.writer.offsets().find(({ partition }) => partition === shipped.partition) ?? {};
    expect(next).toBe(b.next);
  });

  it('reads nothing twice: a record below the stored offset is dropped whole', async () => {
    await funded(1_000n);
    const command = reserve(tenant, 100n);
    await test.writer.submit(command);
    const shipped = new ShippedPartition(tenant);
    const report = { ...shipped.report(settled(tenant, command.holdId, 1n), 1), offset: -1n };
    await test.writer.settle([report]);
    expect(test.batches.at(-1)?.reports[0]?.end).toBe('read_before');
    expect(await walletRow(tenant)).toMatchObject({ held: '100' });
  });

  it.each([
    ['settles over the hold in full, below zero', 100n, 250n, ['opened', 'settled'], '-150'],
    ['settles under the hold', 100n, 40n, ['opened', 'settled'], '60'],
    ['releases at cost zero', 100n, 0n, ['opened', 'released'], '100'],
  ])('%s', async (_, amount, cost, kinds, balance) => {
    const command = reserve(await funded(100n), amount);
    await test.writer.submit(command);
    await ship(settled(tenant, command.holdId, cost));
    expect(await kindsOf(command.holdId)).toEqual(kinds);
    expect(await walletRow(tenant)).toMatchObject({ balance, held: '0' });
  });

  it('charges a settlement after expiry exactly once, late, in the windows of the hold', async () => {
    const command = reserve(await funded(100n), 80n);
    await test.writer.submit(command);
    await test.writer.submit({
      type: 'expire',
      holdId: command.holdId,
      tenantId: tenant,
      reason: 'spool_silent',
    });
    await ship(settled(tenant, command.holdId, 0n));
    await ship(settled(tenant, command.holdId, 70n));
    await ship(settled(tenant, command.holdId, 70n));
    expect(await kindsOf(command.holdId)).toEqual(['opened', 'expired', 'late']);
    expect(await walletRow(tenant)).toMatchObject({ balance: '30', held: '0' });
  });

  it('charges a hold that was never seen late, and refuses a reserve that comes after', async () => {
    await funded(100n);
    const command = reserve(tenant, 50n);
    await ship(settled(tenant, command.holdId, 30n));
    expect(await test.writer.submit(command)).toMatchObject({ refusal: { code: 'hold_ended' } });
    expect(await kindsOf(command.holdId)).toEqual(['late']);
  });

  it('records the end of an unknown hold, so that the reserve on its way is refused, and still charges it late', async () => {
    await funded(100n);
    const command = reserve(tenant, 50n);
    await ship(settled(tenant, command.holdId, 0n));
    expect(await test.writer.submit(command)).toMatchObject({ refusal: { code: 'hold_ended' } });
    await ship(settled(tenant, command.holdId, 20n));
    expect(await kindsOf(command.holdId)).toEqual(['released', 'late']);
  });

  it('parks what cannot be read, whole, and the later records of its hold with it', async () => {
    const command = reserve(await funded(100n), 50n);
    await test.writer.submit(command);
    const shipped = new ShippedPartition(tenant);
    const text = `{"hold_id":"${command.holdId}","cost_micros":-5,"note":"\\u0000"}`;
    const damaged = shipped.damaged(tenant, text);
    const behind = shipped.report(settled(tenant, command.holdId, 5n));
    const before = await parkedCounts();
    await test.writer.settle([damaged, behind]);
    const { rows } = await pool.query(
      'select reason, hold_id, value, headers from ledger.parked where hold_id = $1 order by id',
      [command.holdId],
    );
    expect(rows).toHaveLength(2);
    expect(rows[0].value.toString()).toBe(text);
    expect(rows[1].reason).toBe('an earlier record of this hold is parked');
    expect(await kindsOf(command.holdId)).toEqual(['opened']);
    expect(test.writer.marksOf(shipped.spool)).toEqual({ [String(shipped.partition)]: 2 });
    expect(await parkedCounts()).toEqual(before.map((count) => count + 2));
    expect(errors).toEqual([
      parkedLine(damaged, command.holdId, rows[0].reason),
      parkedLine(behind, command.holdId, rows[1].reason),
    ]);
  });

  it('parks a record that Postgres could not even write as it is', async () => {
    await funded(100n);
    const shipped = new ShippedPartition(tenant);
    const bad = shipped.damaged(tenant, '{"hold_id":1,"a\\u0000b":2}');
    const record = { ...bad.record, key: 'a\0b', headers: { ...bad.record.headers, ce_id: '\0' } };
    const before = await parkedCounts();
    await test.writer.settle([{ ...bad, record, asks: { kind: 'park', reason: 'unrecognized key: a\0b' } }]);
    expect(test.batches.at(-1)?.reports[0]?.end).toBe('parked');
    const { rows } = await pool.query('select key, reason, headers from ledger.parked where off = $1', [
      bad.offset,
    ]);
    expect(rows).toMatchObject([
      { key: 'a\uFFFDb', reason: 'unrecognized key: a\uFFFDb', headers: { ce_id: '\0' } },
    ]);
    expect(test.dropped).toBe(0);
    expect(await parkedCounts()).toEqual(before.map((count) => count + 1));
    expect(errors).toEqual([parkedLine(bad, null, 'unrecognized key: a\0b')]);
  });

  it('parks the settlement of another tenant’s hold', async () => {
    const command = reserve(await funded(100n), 50n);
    await test.writer.submit(command);
    const other = await funded(100n);
    const report = new ShippedPartition(other).report(settled(other, command.holdId, 5n));
    const before = await parkedCounts();
    await test.writer.settle([report]);
    expect(test.batches.at(-1)?.reports[0]?.end).toBe('parked');
    expect(await kindsOf(command.holdId)).toEqual(['opened']);
    const { rows } = await pool.query('select reason from ledger.parked where off = $1', [report.offset]);
    expect(rows).toHaveLength(1);
    expect(await parkedCounts()).toEqual(before.map((count) => count + 1));
    expect(errors).toEqual([parkedLine(report, command.holdId, rows[0].reason)]);
  });
});

/** `ledger_parked_total`, and the parked ones of `ledger_reports_total`. */
async function parkedCounts(): Promise<number[]> {
  const text = await metrics.text();
  return [/^ledger_parked_total\{[^}]*\} (\d+)$/m, /^ledger_reports_total\{end="parked"[^}]*\} (\d+)$/m].map(
    (line) => Number(line.exec(text)?.[1] ?? 0),
  );
}

function parkedLine({ partition, offset }: Report, hold: string | null, reason: string): unknown[] {
  return [{ partition, offset: String(offset), hold, reason }, 'a record of gateway.events was parked'];
}

/** Ships one record of a spool of its own, after whatever the partition has had. */
async function ship(event: ReturnType<typeof settled>): Promise<void> {
  await test.writer.settle([new ShippedPartition(event.tenantId).report(event)]);
}

function bigintText(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
