import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { shardOf } from '@vendo/events';
import { createTestDatabase, type TestDatabase } from '@vendo/testing';
import type pg from 'pg';
import { v4 as uuidv4 } from 'uuid';
import { audit } from '../audit.js';
import { OutageError } from '../journal/journal.js';
import { PostgresJournal } from '../journal/postgres.journal.js';
import { PostgresLeases } from '../journal/postgres.leases.js';
import {
  grant,
  prepareDatabase,
  reserve,
  ShippedPartition,
  settled,
  startWriter,
  until,
  type WriterUnderTest,
  writerPool,
} from '../writer/ledger-under-test.js';
import type { Report } from '../writer/work.js';
import { ParkedRecords } from './parked-records.js';
import { ReplayCommand, ReplayHandler } from './replay.js';

/** Fails after the commit when told to: its outcome is then unknown to the writer. */
class UncertainJournal extends PostgresJournal {
  uncertain = false;
  override async commit(batch: Parameters<PostgresJournal['commit']>[0]): Promise<void> {
    await super.commit(batch);
    if (!this.uncertain || batch.replays.length === 0) return;
    this.uncertain = false;
    throw new OutageError('the answer was lost');
  }
}

let database: TestDatabase;
let pool: pg.Pool;
let sessions: pg.Pool;
let journal: UncertainJournal;
let test: WriterUnderTest;
let handler: ReplayHandler;
let tenant: string;
let holdId: string;
let shipped: ShippedPartition;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = await prepareDatabase(database.url);
  sessions = writerPool(database.url);
  journal = new UncertainJournal(sessions);
  test = await startWriter({ journal, leases: new PostgresLeases(sessions) });
  handler = new ReplayHandler(new ParkedRecords(pool), test.writer, test.shards);
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
});

afterAll(async () => {
  await test.stop();
  await sessions.end();
  await pool.end();
  await database.drop();
});

/** A good record that an earlier program could not read: its bytes are fine, only the reading failed. */
function misread(report: Report, reason = 'a later version'): Report {
  return { ...report, asks: { kind: 'park', reason } };
}

/** Parks records of the hold, in this order; returns their ids. */
async function parked(...reports: Report[]): Promise<string[]> {
  await test.writer.settle(reports);
  return (await standing()).slice(-reports.length).map(({ id }) => id);
}

async function standing(): Promise<{ id: string; reason: string }[]> {
  const sql = 'select id, reason from ledger.parked where hold_id = $1 and replayed_at is null order by id';
  return (await pool.query<{ id: string; reason: string }>(sql, [holdId])).rows;
}

async function kinds(): Promise<string[]> {
  const sql = 'select kind from ledger.journal where hold_id = $1 order by position';
  return (await pool.query<{ kind: string }>(sql, [holdId])).rows.map(({ kind }) => kind);
}

async function balance(): Promise<string> {
  const { rows } = await pool.query('select balance from ledger.wallets where tenant_id = $1', [tenant]);
  return rows[0].balance;
}

const replay = (id = '') => handler.execute(new ReplayCommand(`ledger-${id}`));
const settlement = (cost: bigint) => shipped.report(settled(tenant, holdId, cost));
const damage = () => shipped.damaged(tenant, `{"hold_id":"${holdId}","cost_micros":-5}`);

describe('replay of a parked record', () => {
  it('applies it from its stored bytes, moves neither mark nor offset, and lets the hold’s records through again', async () => {
    const [id] = await parked(misread(settlement(30n)));
    const marks = test.writer.marksOf(shipped.spool);
    const offsets = JSON.stringify(test.writer.offsets().map(({ next }) => String(next)));
    await replay(id);
    expect(await standing()).toEqual([]);
    expect(await kinds()).toEqual(['opened', 'settled']);
    expect(await balance()).toBe('970');
    expect(test.writer.marksOf(shipped.spool)).toEqual(marks);
    expect(JSON.stringify(test.writer.offsets().map(({ next }) => String(next)))).toBe(offsets);
    await test.writer.settle([settlement(30n)]);
    expect(test.batches.at(-1)?.reports[0]?.end).toBe('applied');
  });

  it('takes what is parked behind it along, in order', async () => {
    const [first] = await parked(misread(settlement(0n)), settlement(40n), settlement(50n));
    await replay(first);
    // The release came first, so the hold was released; what was spent is charged late, once.
    expect(await kinds()).toEqual(['opened', 'released', 'late']);
    expect(await balance()).toBe('960');
    expect(await standing()).toEqual([]);
  });

  it('may be asked for a later record alone, when an earlier one can never be read', async () => {
    const [bad, good] = await parked(damage(), settlement(40n));
    await replay(good);
    expect(await kinds()).toEqual(['opened', 'settled']);
    expect((await standing()).map(({ id }) => id)).toEqual([bad]);
    await test.writer.settle([settlement(40n)]);
    expect(test.batches.at(-1)?.reports[0]?.end).toBe('parked');
  });

  it('leaves parked what fails again, with its new reason, and says so', async () => {
    const [id] = await parked(misread(damage(), 'an old reason'), settlement(40n));
    await expect(replay(id)).rejects.toMatchObject({
      code: 'still_parked',
      message: expect.stringMatching(new RegExp(`^ledger-${id} stays parked: .{10}`)),
    });
    expect(await standing()).toMatchObject([
      { id, reason: expect.not.stringContaining('an old reason') },
      { reason: 'an earlier record of this hold is parked' },
    ]);
    expect(await kinds()).toEqual(['opened']);
  });

  it('stops at the first one behind that fails, and names it', async () => {
    const [first, second] = await parked(misread(settlement(40n)), damage(), settlement(1n));
    await expect(replay(first)).rejects.toMatchObject({
      message: expect.stringContaining(`ledger-${second} stays parked`),
    });
    expect(await kinds()).toEqual(['opened', 'settled']);
    expect(await standing()).toHaveLength(2);
  });

  it('is done once, however often and at once it is asked for', async () => {
    const [id] = await parked(misread(settlement(30n)), settlement(30n));
    await Promise.all(Array.from({ length: 8 }, () => replay(id)));
    await replay(id);
    expect(await kinds()).toEqual(['opened', 'settled']);
    expect(await balance()).toBe('970');
  });

  it('is neither lost nor done twice when nobody knows whether it was committed', async () => {
    const [id] = await parked(misread(settlement(30n)), settlement(35n));
    journal.uncertain = true;
    await expect(replay(id)).rejects.toMatchObject({ code: 'billing_unavailable' });
    await until(() => test.writer.owned().includes(shardOf(tenant)));
    expect(await standing()).toHaveLength(1);
    await replay(id);
    expect(await standing()).toEqual([]);
    expect(await kinds()).toEqual(['opened', 'settled']);
    expect(await balance()).toBe('970');
  });

  it('a writer that starts anew knows which holds still have parked records', async () => {
    const [id] = await parked(misread(settlement(0n)));
    await replay(id);
    const [other] = await parked(damage());
    await replay(other).catch(() => undefined);
    const shard = shardOf(tenant);
    const { rows } = await pool.query<{ epoch: string }>('select epoch from ledger.shards where shard = $1', [
      shard,
    ]);
    const [loaded] = await journal.load([{ shard, epoch: BigInt(rows[0]?.epoch ?? 0) }]);
    expect(loaded?.parkedHolds.filter((record) => record.holdId === holdId)).toHaveLength(1);
  });

  it.each(['', '1', 'ledger-0', 'ledger-1.5', 'ledger-x', 'ledger-99999999', `ledger-${'9'.repeat(30)}`])(
    'knows no record %j',
    async (id) => expect(handler.execute(new ReplayCommand(id))).rejects.toMatchObject({ code: 'not_found' }),
  );
});
