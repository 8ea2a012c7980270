import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { SHARD_COUNT } from '@vendo/events';
import { createTestDatabase, type TestDatabase } from '@vendo/testing';
import type pg from 'pg';
import { type LoadedShard, OutageError, type TakenShard } from '../journal/journal.js';
import { PostgresJournal } from '../journal/postgres.journal.js';
import { PostgresLeases } from '../journal/postgres.leases.js';
import {
  prepareDatabase,
  startWriter,
  until,
  type WriterUnderTest,
  writerPool,
} from './ledger-under-test.js';

/** Takes shards and cannot load them, while told so. */
class UnreadableJournal extends PostgresJournal {
  unreadable = false;
  override load(taken: readonly TakenShard[]): Promise<LoadedShard[]> {
    return this.unreadable ? Promise.reject(new OutageError('it cannot be read')) : super.load(taken);
  }
}

let database: TestDatabase;
let sessions: pg.Pool;
let ledgers: WriterUnderTest[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  await (await prepareDatabase(database.url)).end();
  sessions = writerPool(database.url);
});

afterEach(async () => {
  await Promise.all(ledgers.map((ledger) => ledger.stop()));
  ledgers = [];
});

afterAll(async () => {
  await sessions.end();
  await database.drop();
});

async function start(journal: UnreadableJournal): Promise<WriterUnderTest> {
  const url = `http://ledger-${ledgers.length}`;
  const ledger = await startWriter({ journal, leases: new PostgresLeases(sessions) }, { url });
  ledgers.push(ledger);
  return ledger;
}

const owned = () => ledgers.map(({ writer }) => writer.owned().length);

it('a ledger that cannot load what it took leaves it to the others, and comes back when it can', async () => {
  const journal = new UnreadableJournal(sessions);
  journal.unreadable = true;
  await start(new UnreadableJournal(sessions));
  const unfit = await start(journal);
  await until(() => owned()[0] === SHARD_COUNT / 2);
  await until(() => owned()[0] === SHARD_COUNT, 6_000);
  // It still knows who owns what.
  await until(() => unfit.shards.owners().size === SHARD_COUNT);
  journal.unreadable = false;
  await until(() => owned().every((count) => count === SHARD_COUNT / 2), 15_000);
}, 40_000);

it('alone it tries again at once', async () => {
  const journal = new UnreadableJournal(sessions);
  journal.unreadable = true;
  const ledger = await start(journal);
  expect(owned()).toEqual([0]);
  expect(ledger.health.report()).toHaveProperty('shards');
  journal.unreadable = false;
  await until(() => owned()[0] === SHARD_COUNT, 1_000);
});
