import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { GATEWAY_TOPIC, LEDGER_TOPIC } from '@vendo/events';
import { createLogger, createPool, SystemClock } from '@vendo/runtime';
import { createTestDatabase, type TestDatabase } from '@vendo/testing';
import type pg from 'pg';
import { batchOf, eventLogContract, PARTITIONS, record, take, texts } from './event-log.contract.js';
import { type EventLog, LogMismatchError, OffsetOutOfRangeError } from './event-log.js';
import { openEventLog } from './event-log.module.js';
import { migrateLog } from './migrate-log.js';
import { APPEND } from './postgres.event-log.js';

const surroundings = { clock: new SystemClock(), logger: createLogger('spec', 'silent') };
const BEGINNING = { next: 0n, logId: null };

/** Stands for the ledger's journal: the view that its migration makes, with a genesis row per shard. */
const JOURNAL = `
  create table journal (part int, off bigint, key text, headers jsonb, value bytea, primary key (part, off));
  insert into journal select part, 0, '', jsonb_build_object('ce_type', 'Genesis', 'ce_id', gen_random_uuid()), ''
    from generate_series(0, ${PARTITIONS - 1}) as part;
  create view log.ledger_events as select * from journal;`;

class LogInDatabase {
  private readonly handles: EventLog[] = [];

  private constructor(
    readonly database: TestDatabase,
    readonly admin: pg.Pool,
  ) {}

  static async make(): Promise<LogInDatabase> {
    const database = await createTestDatabase();
    const admin = createPool(database.url, { app: 'spec', max: 20 });
    await migrateLog(admin);
    await admin.query(JOURNAL);
    return new LogInDatabase(database, admin);
  }

  open(): EventLog {
    const handle = openEventLog({ kind: 'postgres', databaseUrl: this.database.url }, surroundings);
    this.handles.push(handle);
    return handle;
  }

  async dispose(): Promise<void> {
    await Promise.all(this.handles.map((handle) => handle.close().catch(() => undefined)));
    await this.admin.end();
    await this.database.drop();
  }
}

describe('PostgresEventLog', () => {
  eventLogContract(() => LogInDatabase.make());

  describe('beyond the contract', () => {
    let log: LogInDatabase;
    let ended: AbortController;
    beforeEach(async () => {
      log = await LogInDatabase.make();
      ended = new AbortController();
    });
    afterEach(async () => {
      ended.abort();
      await log.dispose();
    });
    const read = (
      handle: EventLog,
      partition: number,
      topic: typeof GATEWAY_TOPIC | typeof LEDGER_TOPIC = GATEWAY_TOPIC,
    ) => handle.consume(topic, partition, BEGINNING, ended.signal)[Symbol.asyncIterator]();

    it('reads the journal through its view, and refuses to append to it', async () => {
      const handle = log.open();
      await handle.createTopics(PARTITIONS);
      const reader = read(handle, 2, LEDGER_TOPIC);
      const first = take(reader, 2);
      await log.admin.query(
        `insert into journal values (2, 1, 't', '{"ce_id":"a"}', 'one'), (2, 2, 't', '{"ce_id":"b"}', 'two')`,
      );
      await log.admin.query(`select pg_notify('vendo_log', $1)`, [LEDGER_TOPIC]);
      const { records, logId } = await first;
      expect(records.map(({ value }) => value.toString())).toEqual(['one', 'two']);
      const genesis = await log.admin.query(
        `select headers->>'ce_id' as id from journal where part = 2 and off = 0`,
      );
      expect(logId).toBe(genesis.rows[0].id);
      expect(await handle.head(LEDGER_TOPIC, 2)).toBe(3n);
      await expect(handle.append(LEDGER_TOPIC, 2, [record('x')])).rejects.toThrow(
        'nothing is appended to it',
      );
    });

    it('waits until the ledger has made schema and topics', async () => {
      await log.admin.query('alter schema log rename to later');
      const waiting = log.open();
      let ready = false;
      const done = waiting.ready(PARTITIONS, ended.signal).then(() => {
        ready = true;
      });
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(ready).toBe(false);
      await log.admin.query('alter schema later rename to log');
      await log.open().createTopics(PARTITIONS);
      await done;
    });

    it('refuses topics that live on Kafka, and a journal with another number of shards', async () => {
      await expect(log.open().createTopics(PARTITIONS + 1)).rejects.toThrow(LogMismatchError);
      await log.open().createTopics(PARTITIONS);
      await log.admin.query(`update log.topics set kind = 'kafka'`);
      await expect(log.open().createTopics(PARTITIONS)).rejects.toThrow(LogMismatchError);
      await expect(log.open().ready(PARTITIONS, ended.signal)).rejects.toThrow(LogMismatchError);
    });

    it('stops at a record that is missing, and at a log that was exchanged', async () => {
      const handle = log.open();
      await handle.createTopics(PARTITIONS);
      await handle.append(GATEWAY_TOPIC, 0, ['a', 'b', 'c'].map(record));
      await log.admin.query(`delete from log.records where partition = 0 and "offset" = 2`);
      await expect(take(read(handle, 0), 3)).rejects.toThrow(OffsetOutOfRangeError);
      await log.admin.query(
        `update log.records set headers = headers || '{"ce_id":"other"}' where partition = 1 and "offset" = 0`,
      );
      await expect(batchOf(read(handle, 1))).rejects.toThrow(LogMismatchError);
    });

    it('creates the topics once when several start together', async () => {
      await Promise.all(Array.from({ length: 5 }, () => log.open().createTopics(PARTITIONS)));
      const { rows } = await log.admin.query('select count(*)::int as count from log.records');
      expect(rows[0].count).toBe(PARTITIONS);
    });

    it('is woken by an append of another process, long before it would poll', async () => {
      const [writer, handle] = [log.open(), log.open()];
      await writer.createTopics(PARTITIONS);
      const reader = read(handle, 0);
      const lagsMs: number[] = [];
      for (let round = 0; round < 5; round += 1) {
        const next = reader.next();
        await pause(20);
        const appendedAt = performance.now();
        await writer.append(GATEWAY_TOPIC, 0, [record(String(round))]);
        await next;
        lagsMs.push(performance.now() - appendedAt);
      }
      expect(lagsMs.sort((a, b) => a - b)[2]).toBeLessThan(100);
    });

    it('goes on reading and appending after all of its connections were cut', async () => {
      const handle = log.open();
      await handle.createTopics(PARTITIONS);
      const reader = read(handle, 0);
      await handle.append(GATEWAY_TOPIC, 0, [record('before')]);
      expect(await texts(reader, 1)).toEqual(['before']);
      const next = batchOf(reader);
      await log.admin.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
      );
      await untilAppended(handle, 'after');
      expect((await next).records.map(({ value }) => value.toString())).toEqual(['after']);
    });

    it('loses, doubles and reorders nothing under 16 writers of which a tenth rolls back', async () => {
      const handle = log.open();
      await handle.createTopics(PARTITIONS);
      const committed: string[] = [];
      const seen: string[] = [];
      const readers = [0, 1].map(async (partition) => {
        const next = new Map<string, number>();
        let offset = 1n;
        for await (const { records } of handle.consume(GATEWAY_TOPIC, partition, BEGINNING, ended.signal)) {
          for (const one of records) {
            expect(one.offset).toBe(offset++);
            const text = one.value.toString();
            const [writer = '', number] = text.split(':');
            expect(Number(number)).toBeGreaterThan(next.get(writer) ?? -1);
            next.set(writer, Number(number));
            seen.push(text);
          }
        }
      });
      await Promise.all(
        Array.from({ length: 16 }, (_, writer) => writeHostile(log.admin, writer, committed)),
      );
      const deadline = Date.now() + 3_000;
      while (seen.length < committed.length && Date.now() < deadline) await pause(10);
      ended.abort();
      await Promise.all(readers);
      expect(committed.length).toBeGreaterThan(400);
      expect(seen.sort()).toEqual(committed.sort());
    });
  });
});

/** Appends with the adapter's own statement inside transactions that dawdle and sometimes roll back. */
async function writeHostile(pool: pg.Pool, writer: number, committed: string[]): Promise<void> {
  for (let number = 0; number < 30; number += 1) {
    const client = await pool.connect();
    try {
      const text = `${writer}:${number}`;
      const { key, headers, value } = record(text);
      await client.query('begin');
      await client.query(APPEND, [GATEWAY_TOPIC, writer % 2, [key], [JSON.stringify(headers)], [value]]);
      await pause(Math.random() * 4);
      const rollsBack = Math.random() < 0.1;
      await client.query(rollsBack ? 'rollback' : 'commit');
      if (!rollsBack) committed.push(text);
    } finally {
      client.release();
    }
  }
}

async function untilAppended(log: EventLog, text: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await log.append(GATEWAY_TOPIC, 0, [record(text)]);
      return;
    } catch (thrown) {
      if (attempt === 20) throw thrown;
      await pause(50);
    }
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
