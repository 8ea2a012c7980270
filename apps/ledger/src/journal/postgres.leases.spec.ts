import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '@vendo/testing';
import type pg from 'pg';
import { prepareDatabase, writerPool } from '../writer/ledger-under-test.js';
import { PostgresLeases } from './postgres.leases.js';

let database: TestDatabase;
let pool: pg.Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = await prepareDatabase(database.url);
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

/** The transaction that wrote the row, the one that locked or replaced it last, and what it says. */
async function memberRow() {
  const { rows } = await pool.query('select xmin, xmax, seen_at, url from ledger.members');
  return rows;
}

it('a look that tells nothing new writes nothing, not even a lock', async () => {
  const leases = new PostgresLeases(pool);
  const self = { id: 'one', url: null };
  await leases.look(self, true);
  // However slow this machine is, it was just now.
  await pool.query(`update ledger.members set seen_at = clock_timestamp() + interval '1 minute'`);
  const told = await memberRow();
  for (let look = 0; look < 3; look++) expect((await leases.look(self, true)).living).toEqual(['one']);
  expect(await memberRow()).toEqual(told);
});

it('a look tells a new address at once, and that it lives about once a second', async () => {
  const leases = new PostgresLeases(pool);
  const self = { id: 'one', url: 'http://one' };
  await leases.look(self, true);
  expect(await memberRow()).toMatchObject([{ url: 'http://one' }]);
  await pool.query(`update ledger.members set seen_at = seen_at - interval '1 second'`);
  const [before] = await memberRow();
  await leases.look(self, true);
  const [after] = await memberRow();
  expect(after.seen_at.getTime()).toBeGreaterThan(before.seen_at.getTime());
});

it('a session that has scans off has the compiler off as well', async () => {
  const sessions = writerPool(database.url);
  const { rows } = await sessions.query(
    `select current_setting('enable_seqscan') as scans, current_setting('jit') as compiler`,
  );
  await sessions.end();
  expect(rows).toEqual([{ scans: 'off', compiler: 'off' }]);
});
