import { GATEWAY_TOPIC, LEDGER_TOPIC, type Topic } from '@vendo/events';
import type { Clock, Logger } from '@vendo/runtime';
import type pg from 'pg';
import type { EventLogConfig } from './config.js';
import { LogMismatchError } from './event-log.js';

export type StoredKind = Exclude<EventLogConfig['kind'], 'memory'>;

/** A row of `log.topics`: one partition that exists, or (not ready) is being made. */
export interface TopicRow {
  topic: Topic;
  partition: number;
  logId: string;
  kind: StoredKind;
  ready: boolean;
}

const POLL_MS = 250;

export async function readTopicRows(db: pg.Pool | pg.ClientBase): Promise<TopicRow[]> {
  const { rows } = await db.query<TopicRow>(
    'select topic, partition, log_id as "logId", kind, ready from log.topics order by topic, partition',
  );
  return rows;
}

export async function insertTopicRows(db: pg.ClientBase, rows: readonly TopicRow[]): Promise<void> {
  await db.query(
    `insert into log.topics (topic, partition, log_id, kind, ready)
     select topic, partition, "logId", kind, ready
     from jsonb_to_recordset($1) as r(topic text, partition int, "logId" text, kind text, ready boolean)`,
    [JSON.stringify(rows)],
  );
}

/** Throws LogMismatchError when rows of another kind of log or another partition count are there. */
export function checkTopicRows(rows: readonly TopicRow[], kind: StoredKind, partitions: number): void {
  if (rows.length === 0) return;
  const other = rows.find((row) => row.kind !== kind);
  if (other) throw new LogMismatchError(`${other.topic} is on ${other.kind}, configured is ${kind}`);
  for (const topic of [GATEWAY_TOPIC, LEDGER_TOPIC]) {
    const count = rows.filter((row) => row.topic === topic).length;
    if (count !== partitions) {
      throw new LogMismatchError(`${topic} has ${count} partitions, expected ${partitions}`);
    }
  }
}

/**
 * Waits until the ledger has made the topics, through any outage of Postgres; says so once. Throws LogMismatchError
 * when they are others, and the signal's reason when it aborts.
 */
export async function awaitTopics(
  pool: pg.Pool,
  expected: { kind: StoredKind; partitions: number },
  { clock, logger }: { clock: Clock; logger: Logger },
  signal: AbortSignal,
): Promise<void> {
  for (let told = false; ; told = true) {
    signal.throwIfAborted();
    const rows = await readTopicRows(pool).catch(() => []);
    checkTopicRows(rows, expected.kind, expected.partitions);
    if (rows.length > 0 && rows.every((row) => row.ready)) return;
    if (!told) logger.info('waiting for the ledger to create the topics of the event log');
    await clock.sleep(POLL_MS, signal);
  }
}

/** Runs `create` on one connection while no other instance creates topics: the advisory lock is the connection's. */
export async function whileLocked<Result>(
  pool: pg.Pool,
  create: (client: pg.PoolClient) => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect();
  try {
    // Another creator may take long: making topics on Kafka does.
    await client.query('set lock_timeout = 0; set statement_timeout = 0');
    await client.query(`select pg_advisory_lock(hashtext('vendo log.topics'))`);
    return await create(client);
  } finally {
    // Destroying the connection ends the lock, and a transaction that failed, in every case.
    client.release(true);
  }
}
