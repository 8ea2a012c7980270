import { type EventRecord, GATEWAY_TOPIC, LEDGER_TOPIC, type Topic } from '@vendo/events';
import type { Clock, Logger } from '@vendo/runtime';
import type pg from 'pg';
import { EventLog, type LogBatch, LogMismatchError, type LogPosition } from './event-log.js';
import { FIRST_OFFSET, genesisRecord, newLogId, startingOffset } from './genesis.js';
import {
  awaitTopics,
  checkTopicRows,
  insertTopicRows,
  readTopicRows,
  type TopicRow,
  whileLocked,
} from './log-topics.js';
import { PostgresTail } from './postgres-tail.js';
import { PostgresWakeups } from './postgres-wakeups.js';

/** No append waits longer for its answer, milliseconds. */
const APPEND_TIMEOUT_MS = 10_000;
const RETRY_MS = 250;

/**
 * The row lock on the head is held to commit: offsets are gap-free and in commit order, so a reader needs only
 * `offset >= next`. A rolled back append leaves no gap.
 */
export const APPEND = `
  with head as (
    update log.heads set next_offset = next_offset + cardinality($3::text[])
    where topic = $1 and partition = $2
    returning next_offset - cardinality($3::text[]) as first
  ), appended as (
    insert into log.records (topic, partition, "offset", key, headers, value)
    select $1, $2, head.first + given.position - 1, given.key, given.headers::jsonb, given.value
    from head, unnest($3::text[], $4::text[], $5::bytea[]) with ordinality as given(key, headers, value, position)
  )
  select first from head`;

const LOG_OF = {
  [GATEWAY_TOPIC]: `
    select topics.log_id as "logId", genesis.headers ->> 'ce_id' as genesis,
      (select next_offset from log.heads where topic = $1 and partition = $2) as head
    from log.topics
    left join log.records as genesis on genesis.topic = $1 and genesis.partition = $2 and genesis."offset" = 0
    where topics.topic = $1 and topics.partition = $2`,
  [LEDGER_TOPIC]: `
    select topics.log_id as "logId", genesis.headers ->> 'ce_id' as genesis,
      (select off + 1 from log.ledger_events where part = $2 order by off desc limit 1) as head
    from log.topics
    left join log.ledger_events as genesis on genesis.part = $2 and genesis.off = 0
    where topics.topic = $1 and topics.partition = $2`,
};

interface LogRow {
  logId: string;
  genesis: string | null;
  head: string | null;
}

/** The log in Postgres. `ledger.events` is the ledger's journal itself, seen through the view `log.ledger_events`. */
export class PostgresEventLog extends EventLog {
  private readonly closing = new AbortController();
  private readonly wakeups: PostgresWakeups;
  private readonly tails: Record<Topic, PostgresTail>;

  /** @param pool becomes the log's own: `close` ends it. */
  constructor(
    private readonly pool: pg.Pool,
    databaseUrl: string,
    private readonly surroundings: { clock: Clock; logger: Logger },
  ) {
    super();
    this.tails = {
      [GATEWAY_TOPIC]: new PostgresTail(GATEWAY_TOPIC, pool, surroundings),
      [LEDGER_TOPIC]: new PostgresTail(LEDGER_TOPIC, pool, surroundings),
    };
    this.wakeups = new PostgresWakeups(databaseUrl, pool, surroundings, (topic) => this.tails[topic].wake());
  }

  /** The journal's view must be there: the ledger migrates its schema first. */
  async createTopics(partitions: number): Promise<void> {
    await whileLocked(this.pool, async (client) => {
      const rows = await readTopicRows(client);
      checkTopicRows(rows, 'postgres', partitions);
      if (rows.length > 0) return;
      await client.query('begin');
      await createGatewayTopic(client, partitions);
      await registerJournal(client, partitions);
      await client.query('commit');
    });
  }

  ready(partitions: number, signal: AbortSignal): Promise<void> {
    return awaitTopics(this.pool, { kind: 'postgres', partitions }, this.surroundings, signal);
  }

  async append(topic: Topic, partition: number, records: readonly EventRecord[]): Promise<bigint> {
    if (topic === LEDGER_TOPIC)
      throw new Error(`${LEDGER_TOPIC} is the ledger's journal: nothing is appended to it`);
    if (records.length === 0) throw new RangeError('nothing to append');
    const query: pg.QueryConfig & { query_timeout: number } = {
      name: 'log-append',
      text: APPEND,
      values: [
        topic,
        partition,
        records.map(({ key }) => key),
        records.map(({ headers }) => JSON.stringify(headers)),
        records.map(({ value }) => value),
      ],
      query_timeout: APPEND_TIMEOUT_MS,
    };
    const { rows } = await this.pool.query<{ first: string }>(query);
    const row = rows[0];
    if (!row) throw new Error(`${topic}/${partition} does not exist`);
    this.wakeups.announce(topic);
    return BigInt(row.first);
  }

  async *consume(
    topic: Topic,
    partition: number,
    from: LogPosition,
    signal: AbortSignal,
  ): AsyncIterable<LogBatch> {
    const ended = AbortSignal.any([signal, this.closing.signal]);
    const log = await this.logOnceReachable(topic, partition, ended);
    if (!log) return;
    let next = startingOffset(`${topic}/${partition}`, from, log);
    this.wakeups.listen();
    while (!ended.aborted) {
      const records = await this.tails[topic].pull(partition, next, ended);
      if (records.length === 0) return;
      next += BigInt(records.length);
      yield { records, next, logId: log.logId };
    }
  }

  async head(topic: Topic, partition: number): Promise<bigint> {
    return (await this.logOf(topic, partition)).head;
  }

  async close(): Promise<void> {
    this.closing.abort();
    await this.wakeups.close();
    await this.pool.end();
  }

  private async logOf(topic: Topic, partition: number): Promise<{ logId: string; head: bigint }> {
    const { rows } = await this.pool.query<LogRow>(LOG_OF[topic], [topic, partition]);
    const row = rows[0];
    if (!row) throw new LogMismatchError(`${topic}/${partition} does not exist`);
    if (row.genesis !== row.logId || row.head === null) {
      throw new LogMismatchError(
        `${topic}/${partition} begins with log ${row.genesis}, registered is ${row.logId}`,
      );
    }
    return { logId: row.logId, head: BigInt(row.head) };
  }

  /** Waits through outages; null when the signal aborts. */
  private async logOnceReachable(
    topic: Topic,
    partition: number,
    signal: AbortSignal,
  ): Promise<{ logId: string; head: bigint } | null> {
    for (let told = false; !signal.aborted; told = true) {
      try {
        return await this.logOf(topic, partition);
      } catch (thrown) {
        if (thrown instanceof LogMismatchError) throw thrown;
        if (!told)
          this.surroundings.logger.warn({ err: thrown, topic, partition }, 'event log unreachable, waiting');
        await this.surroundings.clock.sleep(RETRY_MS, signal);
      }
    }
    return null;
  }
}

async function createGatewayTopic(client: pg.ClientBase, partitions: number): Promise<void> {
  const rows = Array.from({ length: partitions }, (_, partition) =>
    rowOf(GATEWAY_TOPIC, partition, newLogId()),
  );
  await insertTopicRows(client, rows);
  for (const { topic, partition, logId } of rows) {
    const { key, headers, value } = genesisRecord(logId);
    await client.query('insert into log.heads (topic, partition, next_offset) values ($1, $2, $3)', [
      topic,
      partition,
      FIRST_OFFSET,
    ]);
    await client.query('insert into log.records values ($1, $2, 0, $3, $4, $5)', [
      topic,
      partition,
      key,
      JSON.stringify(headers),
      value,
    ]);
  }
}

/** The journal wrote its genesis rows itself; their ids are taken over. */
async function registerJournal(client: pg.ClientBase, partitions: number): Promise<void> {
  const { rows } = await client.query<{ partition: number; logId: string }>(
    `select part as partition, headers ->> 'ce_id' as "logId" from log.ledger_events where off = 0`,
  );
  if (rows.length !== partitions) {
    throw new LogMismatchError(`the journal has ${rows.length} shards, expected ${partitions}`);
  }
  await insertTopicRows(
    client,
    rows.map(({ partition, logId }) => rowOf(LEDGER_TOPIC, partition, logId)),
  );
}

function rowOf(topic: Topic, partition: number, logId: string): TopicRow {
  return { topic, partition, logId, kind: 'postgres', ready: true };
}
