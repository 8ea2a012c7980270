import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { decodeEvent, POSITION_HEADER, SEQ_HEADER, shardOf } from '@vendo/events';
import { createTestDatabase, type TestDatabase } from '@vendo/testing';
import type pg from 'pg';
import { v4 as uuidv4 } from 'uuid';
import {
  grant,
  prepareDatabase,
  reserve,
  startWriter,
  type WriterUnderTest,
  writerPool,
} from '../writer/ledger-under-test.js';
import { PostgresJournal } from './postgres.journal.js';
import { PostgresLeases } from './postgres.leases.js';

let database: TestDatabase;
let pool: pg.Pool;
let sessions: pg.Pool;
let test: WriterUnderTest;
const tenant = uuidv4();

const ports = () => ({ journal: new PostgresJournal(sessions), leases: new PostgresLeases(sessions) });

beforeAll(async () => {
  database = await createTestDatabase();
  pool = await prepareDatabase(database.url);
  sessions = writerPool(database.url);
  test = await startWriter(ports());
  await test.writer.submitAll([grant(tenant, 1_000n), reserve(tenant, 10n)]);
});

afterAll(async () => {
  await test.stop();
  await sessions.end();
  await pool.end();
  await database.drop();
});

describe('the journal', () => {
  it.each([
    'update ledger.journal set value = value',
    'delete from ledger.journal',
    'truncate ledger.journal',
  ])('refuses its owner and superuser: %s', async (sql) => {
    await expect(pool.query(sql)).rejects.toMatchObject({ message: 'the journal is append-only' });
  });

  it.each([
    'update ledger.journal set value = value',
    'delete from ledger.journal',
    'truncate ledger.journal',
  ])('gives the writer’s role no right: %s', async (sql) => {
    await expect(sessions.query(sql)).rejects.toMatchObject({
      code: '42501',
      message: expect.stringContaining('permission denied'),
    });
  });

  it('is the topic ledger.events: genesis, then each event with its headers and exact bytes', async () => {
    const { rows } = await pool.query<{
      part: number;
      off: string;
      key: string;
      headers: Record<string, string>;
      value: Buffer;
    }>('select * from log.ledger_events where part = $1 order by off', [shardOf(tenant)]);
    expect(rows.map(({ off }) => off)).toEqual(['0', '1', '2']);
    expect(rows[0]?.headers).toEqual({ ce_type: 'Genesis', ce_id: expect.stringMatching(/^[0-9a-f-]{36}$/) });
    const events = rows.slice(1).map((row) => decodeEvent(row));
    expect(events).toMatchObject([
      { id: `${tenant}/1`, type: 'CreditGranted.v1', tenantId: tenant, data: { amount_micros: 1_000 } },
      { id: `${tenant}/2`, type: 'HoldOpened.v1', data: { after: { held_micros: 10 } } },
    ]);
    expect(rows[2]).toMatchObject({
      key: tenant,
      headers: {
        ce_specversion: '1.0',
        ce_source: '/ledger',
        ce_subject: tenant,
        'content-type': 'application/json',
        [POSITION_HEADER]: '2',
        [SEQ_HEADER]: '2',
      },
    });
    expect(events[1]).toMatchObject({ data: { reserved_at: events[1]?.at } });
  });

  it('reads old windows for the holds that are still open in them, and no others', async () => {
    const old = uuidv4();
    await test.writer.submitAll([grant(old, 100n), reserve(old, 0n)]);
    await pool.query(
      `update ledger.holds set daily = '2020-01-31', monthly = '2020-01' where tenant_id = $1`,
      [old],
    );
    await pool.query(
      `insert into ledger.window_spending select tenant_id, subject, name, 'monthly', 5, false, false
       from ledger.holds, unnest(array['2019-12', '2020-01']) name where tenant_id = $1`,
      [old],
    );
    const { wallets } = await new PostgresJournal(sessions).read({ tenants: [old], holds: [], credits: [] });
    const windows = wallets[0]?.windows.map(({ window, spent }) => `${window}: ${spent}`).sort();
    expect(windows).toEqual(['2020-01-31: 0', '2020-01: 5']);
  });

  it('refuses a second opening, a second end and a second late of one hold in the database itself', async () => {
    const insert = (kind: string, hold: string, position: number) =>
      pool.query(
        `insert into ledger.journal (shard, position, tenant_id, seq, type, kind, hold_id, at, value)
         values (0, $3, $2, $3, 'x', $1, $2, now(), '{}')`,
        [kind, hold, position],
      );
    const hold = uuidv4();
    for (const [index, kind] of ['opened', 'expired', 'late'].entries())
      await insert(kind, hold, 100 + index);
    for (const kind of ['opened', 'settled', 'released', 'late'])
      await expect(insert(kind, hold, 200)).rejects.toMatchObject({ code: '23505' });
  });
});
