import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '@vendo/testing';
import type pg from 'pg';
import { v4 as uuidv4 } from 'uuid';
import { audit } from './audit.js';
import { PostgresJournal } from './journal/postgres.journal.js';
import { PostgresLeases } from './journal/postgres.leases.js';
import {
  grant,
  prepareDatabase,
  reserve,
  ShippedPartition,
  SUBJECT,
  settled,
  startWriter,
  writerPool,
} from './writer/ledger-under-test.js';

let database: TestDatabase;
let pool: pg.Pool;
const tenant = uuidv4();

beforeAll(async () => {
  database = await createTestDatabase();
  pool = await prepareDatabase(database.url);
  const sessions = writerPool(database.url);
  const test = await startWriter({
    journal: new PostgresJournal(sessions),
    leases: new PostgresLeases(sessions),
  });
  const { writer } = test;
  const ending = reserve(tenant, 100n);
  await writer.submitAll([
    grant(tenant, 1_000n),
    { type: 'set-caps', tenantId: tenant, subject: SUBJECT, daily: 900n, monthly: null },
    ending,
    reserve(tenant, 200n),
  ]);
  await writer.settle([new ShippedPartition(tenant).report(settled(tenant, ending.holdId, 60n))]);
  await test.stop();
  await sessions.end();
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

/** One more entry of the tenant, as no writer would write it. */
const entry = (kind: string, value: unknown, micros = 0, seqAfterLast = 1) => `
  insert into ledger.journal (shard, position, tenant_id, seq, type, kind, hold_id, wallet_micros, counter_micros, at, value)
  select shard, max(position) + 1, '${tenant}', max(seq) + ${seqAfterLast}, 'x', '${kind}', gen_random_uuid(),
    ${micros}, ${-micros}, now(), '${JSON.stringify(value)}'
  from ledger.journal where tenant_id = '${tenant}' group by shard`;
const after = (balance: number, held: number, windows: unknown[] = []) => ({
  balance_micros: balance,
  held_micros: held,
  windows,
});
const day = { subject: SUBJECT, period: 'daily', window: '2026-11-21', cap_micros: 900 };

describe('the audit', () => {
  it('finds nothing in a ledger that is right', async () => {
    expect(await audit(pool)).toMatchObject({
      ok: true,
      violations: [],
      entries: 5,
      balanceMicros: '940',
      heldMicros: '200',
    });
  });

  it.each([
    [
      'a balance that is not the sum of its postings',
      'update ledger.balances set balance = 941',
      'balance 941, postings 940',
    ],
    [
      'a hold that has lost its row',
      'delete from ledger.holds',
      'is open in one place and ended in the other',
    ],
    [
      'a hold whose amount has changed',
      'update ledger.holds set amount = 201',
      'the last entry says 200 held, open holds 201',
    ],
    [
      'a window that has lost what was spent in it',
      'delete from ledger.window_spending',
      '0 spent, settlements 60',
    ],
    [
      'a window with more spent than was settled',
      'update ledger.window_spending set spent = 61',
      '61 spent, settlements 60',
    ],
    [
      'a head that is ahead of the journal',
      'update ledger.shards set position = position + 1',
      'rows up to position',
    ],
    ['a gap in a tenant’s seq', entry('cap', { after: after(940, 200) }, 0, 2), 'rows up to seq'],
    [
      'an entry that says another balance than its postings make',
      entry('cap', { after: after(939, 200) }),
      'balance after is 939, postings 940',
    ],
    [
      'a hold above the balance',
      entry('opened', { amount_micros: 800, after: after(940, 1_000) }),
      'was admitted above the balance',
    ],
    [
      'a hold above a cap',
      entry('opened', {
        amount_micros: 700,
        after: after(940, 900, [{ ...day, spent_micros: 60, held_micros: 900 }]),
      }),
      'was admitted above the daily cap',
    ],
  ])('finds %s', async (_, tamper, violation) => {
    const client = await pool.connect();
    try {
      await client.query('begin');
      await client.query(tamper);
      // The audit's own transaction would not see this one: it reads in here, and its rollback undoes the tampering.
      const { violations } = await audit({ connect: async () => within(client) } as unknown as pg.Pool);
      expect(violations.join('\n')).toContain(violation);
    } finally {
      client.release();
    }
    expect((await audit(pool)).violations).toEqual([]);
  });
});

/** The client, for whom the transaction that is open has begun already. */
function within(client: pg.PoolClient) {
  return {
    query: (text: string) => (text.startsWith('begin') ? Promise.resolve() : client.query(text)),
    release: () => undefined,
  };
}
