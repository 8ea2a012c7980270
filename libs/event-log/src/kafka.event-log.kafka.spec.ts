import { afterAll, afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { GATEWAY_TOPIC, LEDGER_TOPIC } from '@vendo/events';
import { createLogger, createPool, SystemClock } from '@vendo/runtime';
import { createTestDatabase, type KafkaForTests, kafkaForTests, type TestDatabase } from '@vendo/testing';
import type pg from 'pg';
import { batchOf, eventLogContract, PARTITIONS, record, take } from './event-log.contract.js';
import { type EventLog, LogMismatchError } from './event-log.js';
import { openEventLog } from './event-log.module.js';
import { KafkaPartition } from './kafka-partition.js';
import { migrateLog } from './migrate-log.js';

const kafka = await kafkaForTests();
const describeOnKafka = kafka ? describe : describe.skip;
const surroundings = {
  clock: new SystemClock(),
  logger: createLogger('spec', process.env.LOG_LEVEL ?? 'silent'),
};

afterAll(async () => {
  await kafka?.stop();
});

class LogOnKafka {
  private readonly handles: EventLog[] = [];

  private constructor(
    private readonly broker: KafkaForTests,
    private readonly database: TestDatabase,
    readonly pool: pg.Pool,
  ) {}

  static async make(): Promise<LogOnKafka> {
    if (!kafka) throw new Error('no broker');
    await kafka.deleteTopics();
    const database = await createTestDatabase();
    const pool = createPool(database.url, { app: 'spec' });
    await migrateLog(pool);
    return new LogOnKafka(kafka, database, pool);
  }

  open(): EventLog {
    const { brokers } = this.broker;
    const handle = openEventLog({ kind: 'kafka', brokers, databaseUrl: this.database.url }, surroundings);
    this.handles.push(handle);
    return handle;
  }

  async dispose(): Promise<void> {
    await Promise.all(this.handles.map((handle) => handle.close().catch(() => undefined)));
    await this.pool.end();
    await this.database.drop();
  }
}

describeOnKafka('KafkaEventLog', () => {
  eventLogContract(() => LogOnKafka.make());

  describe('beyond the contract', () => {
    let log: LogOnKafka;
    let ended: AbortController;
    beforeEach(async () => {
      log = await LogOnKafka.make();
      ended = new AbortController();
    });
    afterEach(async () => {
      ended.abort();
      await log.dispose();
    });
    const read = (handle: EventLog, partition: number) =>
      handle
        .consume(GATEWAY_TOPIC, partition, { next: 0n, logId: null }, ended.signal)
        [Symbol.asyncIterator]();

    it('carries the journal too', async () => {
      const handle = log.open();
      await handle.createTopics(PARTITIONS);
      expect(await handle.append(LEDGER_TOPIC, 3, [record('a')])).toBe(1n);
      expect(await handle.head(LEDGER_TOPIC, 3)).toBe(2n);
    });

    it('refuses topics with records that this database knows nothing of', async () => {
      await log.open().createTopics(PARTITIONS);
      await log.pool.query('delete from log.topics');
      await expect(log.open().createTopics(PARTITIONS)).rejects.toThrow(LogMismatchError);
    });

    it('never makes topics again that were there once: the broker has lost them', async () => {
      await log.open().createTopics(PARTITIONS);
      await kafka?.deleteTopics();
      await expect(log.open().createTopics(PARTITIONS)).rejects.toThrow(LogMismatchError);
    });

    it('goes on where a creator died between registering the topics and writing their genesis', async () => {
      await log.open().createTopics(PARTITIONS);
      await log.pool.query('update log.topics set ready = false');
      const handle = log.open();
      await handle.createTopics(PARTITIONS);
      expect(await handle.head(GATEWAY_TOPIC, 0)).toBe(1n);
      await handle.ready(PARTITIONS, ended.signal);
    });

    it('stops a reader when the topic begins with another log, though its position has no id yet', async () => {
      const handle = log.open();
      await handle.createTopics(PARTITIONS);
      await log.pool.query(`update log.topics set log_id = 'another' where partition = 0`);
      await expect(read(handle, 0).next()).rejects.toThrow(LogMismatchError);
    });

    it('refuses topics that live in Postgres', async () => {
      await log.open().createTopics(PARTITIONS);
      await log.pool.query(`update log.topics set kind = 'postgres'`);
      await expect(log.open().createTopics(PARTITIONS)).rejects.toThrow(LogMismatchError);
    });

    it('loses, doubles and reorders nothing while partitions move between two processes under load', async () => {
      const [writer, one, two] = [log.open(), log.open(), log.open()];
      await writer.createTopics(PARTITIONS);
      const count = 2_000;
      const writing = Promise.all([0, 1].map((partition) => writeNumbers(writer, partition, count)));
      const reading = Promise.all([0, 1].map((partition) => readByTurns([one, two], partition, count)));
      await writing;
      const expected = Array.from({ length: count }, (_, n) => String(n));
      expect(await reading).toEqual([expected, expected]);
    });

    it('fetches no more while a reader is behind, and the rest when it goes on', async () => {
      const handle = log.open();
      await handle.createTopics(PARTITIONS);
      const fetched = jest.spyOn(KafkaPartition.prototype, 'offer');
      const large = { ...record('x'), value: Buffer.alloc(64 * 1024) };
      for (let n = 0; n < 40; n += 1) await handle.append(GATEWAY_TOPIC, 0, Array(15).fill(large));
      const reader = read(handle, 0);
      const first = await batchOf(reader);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      expect(fetched.mock.calls.flatMap(([records]) => records).length).toBeLessThan(300);
      fetched.mockRestore();
      const rest = await take(reader, 600 - first.records.length);
      expect(rest.next).toBe(601n);
    });

    it('does not wake idle connections', async () => {
      const timers = globalThis.setTimeout;
      const handle = log.open();
      await handle.createTopics(PARTITIONS);
      let made = 0;
      globalThis.setTimeout = ((...args: Parameters<typeof timers>) => {
        made += 1;
        return timers(...args);
      }) as typeof timers;
      try {
        await new Promise((resolve) => timers(resolve, 500));
      } finally {
        globalThis.setTimeout = timers;
      }
      expect(made).toBeLessThan(20);
    });
  });
});

async function writeNumbers(log: EventLog, partition: number, count: number): Promise<void> {
  for (let n = 0; n < count; n += 20) {
    await log.append(
      GATEWAY_TOPIC,
      partition,
      Array.from({ length: 20 }, (_, i) => record(String(n + i))),
    );
  }
}

/** Two processes read one partition in turn, each from where the other stopped, as after a change of the lease. */
async function readByTurns(logs: EventLog[], partition: number, count: number): Promise<string[]> {
  const seen: string[] = [];
  let position: { next: bigint; logId: string | null } = { next: 0n, logId: null };
  for (let turn = 0; seen.length < count; turn += 1) {
    const lease = new AbortController();
    for await (const batch of logs[turn % 2]?.consume(GATEWAY_TOPIC, partition, position, lease.signal) ??
      []) {
      seen.push(...batch.records.map(({ value }) => value.toString()));
      position = { next: batch.next, logId: batch.logId };
      if (seen.length >= Math.min(count, (turn + 1) * 350)) lease.abort();
    }
  }
  return seen;
}
