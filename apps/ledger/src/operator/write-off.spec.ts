import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '@vendo/testing';
import type pg from 'pg';
import { v4 as uuidv4, v7 as uuidv7 } from 'uuid';
import { audit } from '../audit.js';
import { SpoolRows } from '../expiry/spool-rows.js';
import { PostgresJournal } from '../journal/postgres.journal.js';
import { PostgresLeases } from '../journal/postgres.leases.js';
import {
  grant,
  prepareDatabase,
  reserve,
  ShippedPartition,
  settled,
  startWriter,
  type WriterUnderTest,
  writerPool,
} from '../writer/ledger-under-test.js';
import { WriteOffCommand, WriteOffHandler } from './write-off.js';

let database: TestDatabase;
let pool: pg.Pool;
let sessions: pg.Pool;
let test: WriterUnderTest;
let handler: WriteOffHandler;
let rows: SpoolRows;
let spool: { id: string; host: string };
let tenant: string;
let holdId: string;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = await prepareDatabase(database.url);
  sessions = writerPool(database.url);
  test = await startWriter({
    journal: new PostgresJournal(sessions),
    leases: new PostgresLeases(sessions),
  });
  handler = new WriteOffHandler(sessions);
  rows = new SpoolRows(sessions);
});

afterAll(async () => {
  await test.stop();
  await sessions.end();
  await pool.end();
  await database.drop();
});

beforeEach(async () => {
  spool = { id: uuidv7(), host: 'a' };
  await rows.beat(spool);
  tenant = uuidv4();
  await test.writer.submit(grant(tenant, 1_000n));
  const command = reserve(tenant, 100n, { spoolId: spool.id });
  holdId = command.holdId;
  await test.writer.submit(command);
});

const writeOff = (note = 'the disk is gone', spool_id = spool.id) =>
  handler.execute(new WriteOffCommand({ spool_id, note }));

async function goSilent(): Promise<void> {
  await pool.query(`update ledger.spools set beat_at = beat_at - interval '71 seconds' where id = $1`, [
    spool.id,
  ]);
}

async function expire(): Promise<void> {
  await test.writer.submit({ type: 'expire', holdId, tenantId: tenant, reason: 'spool_silent' });
}

async function money(): Promise<unknown> {
  const { violations, balanceMicros, heldMicros, entries } = await audit(pool);
  return { violations, balanceMicros, heldMicros, entries };
}

describe('write-off of a spool', () => {
  it('notes when and why, beside what expired, and touches no money; the first note stays', async () => {
    await goSilent();
    await expire();
    const before = await money();
    const state = await writeOff();
    expect(state).toMatchObject({
      id: spool.id,
      host: 'a',
      owner: null,
      open_holds: 0,
      expired_holds: 1,
      expired_micros: 100,
      written_off_at: expect.stringMatching(/Z$/),
      written_off_note: 'the disk is gone',
    });
    expect(await writeOff('again')).toEqual(state);
    expect(await money()).toEqual(before);
  });

  it('charges late what a written-off spool still reports, and shows the hold no more as expired without report', async () => {
    await goSilent();
    await expire();
    await writeOff();
    await test.writer.settle([new ShippedPartition(tenant, spool.id).report(settled(tenant, holdId, 70n))]);
    const wallet = await pool.query('select balance from ledger.wallets where tenant_id = $1', [tenant]);
    expect(wallet.rows[0].balance).toBe('930');
    expect(await writeOff()).toMatchObject({ expired_holds: 0, expired_micros: 0 });
    expect(await money()).toMatchObject({ violations: [] });
  });

  it('does not wait for the hold of a job, which lives for its own time', async () => {
    await goSilent();
    await pool.query(
      `insert into ledger.jobs (hold_id, tenant_id, shard, ttl_ms, job, started_at, due_at)
       values ($1, $2, 0, 1000, '{}', now(), now())`,
      [holdId, tenant],
    );
    expect(await writeOff()).toMatchObject({ open_holds: 0, written_off_at: expect.any(String) });
  });

  it('is refused while the spool beats', async () => {
    await expire();
    await expect(writeOff()).rejects.toMatchObject({
      code: 'spool_in_use',
      message: expect.stringContaining('heard of'),
    });
  });

  it('is refused while the spool has open holds', async () => {
    await goSilent();
    await expect(writeOff()).rejects.toMatchObject({
      code: 'spool_in_use',
      message: expect.stringContaining('1 open holds'),
    });
  });

  it('is refused for a spool that nobody knows', async () =>
    expect(writeOff('x', uuidv7())).rejects.toMatchObject({ code: 'not_found' }));
});
