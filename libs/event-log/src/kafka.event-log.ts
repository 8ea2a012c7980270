import { type EventRecord, GATEWAY_TOPIC, LEDGER_TOPIC, type Topic } from '@vendo/events';
import type { Clock, Logger } from '@vendo/runtime';
import type { Kafka } from 'kafkajs';
import type pg from 'pg';
import { EventLog, type LogBatch, LogMismatchError, type LogPosition } from './event-log.js';
import { genesisRecord, newLogId } from './genesis.js';
import { isOutage, KafkaAdmin } from './kafka-admin.js';
import { kafkaClient } from './kafka-client.js';
import { KafkaConsumer } from './kafka-consumer.js';
import { KafkaPartition } from './kafka-partition.js';
import { KafkaProducer } from './kafka-producer.js';
import {
  awaitTopics,
  checkTopicRows,
  insertTopicRows,
  readTopicRows,
  type TopicRow,
  whileLocked,
} from './log-topics.js';

const TOPICS: readonly Topic[] = [GATEWAY_TOPIC, LEDGER_TOPIC];
const RETRY_MS = 500;

/** Nothing is ever deleted: the log is what finance replays. One append is one Kafka batch, so it may be large. */
const TOPIC_CONFIG = [
  { name: 'cleanup.policy', value: 'delete' },
  { name: 'retention.ms', value: '-1' },
  { name: 'retention.bytes', value: '-1' },
  { name: 'max.message.bytes', value: String(16 * 1024 * 1024) },
];

/**
 * The log on Kafka, for more than one machine. Postgres keeps which topics belong to this installation
 * (`log.topics`), so a broker that lost its disk, or another installation's topic, is noticed.
 */
export class KafkaEventLog extends EventLog {
  private readonly kafka: Kafka;
  private readonly producer: KafkaProducer;
  private readonly consumers: { topic: Topic; consumer: KafkaConsumer }[] = [];
  private readonly closing = new AbortController();
  private readonly admin: KafkaAdmin;

  /** @param pool becomes the log's own: `close` ends it. */
  constructor(
    brokers: readonly string[],
    private readonly pool: pg.Pool,
    private readonly surroundings: { clock: Clock; logger: Logger },
  ) {
    super();
    this.kafka = kafkaClient(brokers, surroundings.logger);
    this.producer = new KafkaProducer(this.kafka, surroundings.clock);
    this.admin = new KafkaAdmin(this.kafka, surroundings.clock);
  }

  /** Waits for a broker that is away, unless the topics were made before: then their readers check what they find. */
  async createTopics(partitions: number): Promise<void> {
    for (let told = false; ; told = true) {
      try {
        return await this.createTopicsNow(partitions);
      } catch (thrown) {
        if (!isOutage(thrown) || this.closing.signal.aborted) throw thrown;
        if (!told) this.surroundings.logger.warn({ err: thrown }, 'waiting for Kafka to create the topics');
        await this.surroundings.clock.sleep(RETRY_MS, this.closing.signal);
      }
    }
  }

  /**
   * The ids are registered before the genesis records are written and marked ready after, so that a creator that dies
   * in between is followed by one that knows which topics are its own.
   */
  private createTopicsNow(partitions: number): Promise<void> {
    return whileLocked(this.pool, async (client) => {
      let rows = await readTopicRows(client);
      checkTopicRows(rows, 'kafka', partitions);
      if (rows.length === 0) {
        await this.refuseForeignTopics();
        rows = newRows(partitions);
        await insertTopicRows(client, rows);
      }
      if (rows.every(({ ready }) => ready)) return this.checkTopicsIfReachable(partitions);
      await this.makeTopics(partitions);
      for (const row of rows) await this.writeGenesis(row);
      await client.query('update log.topics set ready = true');
    });
  }

  ready(partitions: number, signal: AbortSignal): Promise<void> {
    return awaitTopics(this.pool, { kind: 'kafka', partitions }, this.surroundings, signal);
  }

  append(topic: Topic, partition: number, records: readonly EventRecord[]): Promise<bigint> {
    if (this.closing.signal.aborted) return Promise.reject(new Error('the event log is closed'));
    if (records.length === 0) return Promise.reject(new RangeError('nothing to append'));
    return this.producer.append(topic, partition, records);
  }

  async *consume(
    topic: Topic,
    partition: number,
    from: LogPosition,
    signal: AbortSignal,
  ): AsyncIterable<LogBatch> {
    const ended = AbortSignal.any([signal, this.closing.signal]);
    const logId = await this.logIdOnceReachable(topic, partition, ended);
    if (logId === null) return;
    const reading = new KafkaPartition(topic, partition, logId, from);
    const consumer = this.consumerFor(topic, partition);
    consumer.add(reading);
    try {
      for (;;) {
        const batch = await reading.take(ended, () => consumer.resume(reading));
        if (!batch) return;
        yield batch;
      }
    } finally {
      consumer.remove(reading);
    }
  }

  async head(topic: Topic, partition: number): Promise<bigint> {
    const bounds = (await this.admin.bounds(topic)).get(partition);
    if (!bounds) throw new LogMismatchError(`${topic}/${partition} does not exist`);
    return bounds.head;
  }

  async close(): Promise<void> {
    this.closing.abort();
    const consumers = this.consumers.map(({ consumer }) => consumer.close());
    await Promise.all([...consumers, this.producer.close(), this.admin.close()]);
    await this.pool.end();
  }

  /** Readers of one partition each need a consumer of their own; different partitions share one. */
  private consumerFor(topic: Topic, partition: number): KafkaConsumer {
    const free = this.consumers.find((one) => one.topic === topic && !one.consumer.has(partition));
    if (free) return free.consumer;
    const consumer = new KafkaConsumer(topic, {
      ...this.surroundings,
      kafka: this.kafka,
      bounds: (asked) => this.admin.bounds(asked),
    });
    this.consumers.push({ topic, consumer });
    return consumer;
  }

  private async logIdOnceReachable(
    topic: Topic,
    partition: number,
    signal: AbortSignal,
  ): Promise<string | null> {
    for (let told = false; !signal.aborted; told = true) {
      const rows = await readTopicRows(this.pool).catch(() => null);
      const row = rows?.find((one) => one.topic === topic && one.partition === partition);
      if (row?.kind === 'kafka' && row.ready) return row.logId;
      if (rows) throw new LogMismatchError(`${topic}/${partition} does not exist on Kafka`);
      if (!told)
        this.surroundings.logger.warn({ topic, partition }, 'Postgres unreachable, waiting for the log id');
      await this.surroundings.clock.sleep(RETRY_MS, signal);
    }
    return null;
  }

  /** A topic with records that this database knows nothing of is another installation's, or this one's lost past. */
  private async refuseForeignTopics(): Promise<void> {
    const existing = await this.admin.topics();
    for (const topic of TOPICS.filter((name) => existing.includes(name))) {
      for (const [partition, { head }] of await this.admin.bounds(topic)) {
        if (head > 0n)
          throw new LogMismatchError(`${topic}/${partition} on Kafka has records of another database`);
      }
    }
  }

  private async makeTopics(partitions: number): Promise<void> {
    const existing = await this.admin.topics();
    const missing = TOPICS.filter((topic) => !existing.includes(topic));
    if (missing.length > 0) {
      await this.admin.create(
        missing.map((topic) => ({ topic, numPartitions: partitions, configEntries: TOPIC_CONFIG })),
      );
    }
    for (const topic of TOPICS) checkCount(topic, await this.admin.bounds(topic), partitions);
  }

  /** A ledger must begin, and reserve, while Kafka is away. */
  private async checkTopicsIfReachable(partitions: number): Promise<void> {
    try {
      await this.checkTopics(partitions);
    } catch (thrown) {
      if (!isOutage(thrown)) throw thrown;
      this.surroundings.logger.warn({ err: thrown }, 'Kafka is away: its topics could not be checked');
    }
  }

  /** Topics that were ready once are never made again: a broker that has lost them has lost what finance replays. */
  private async checkTopics(partitions: number): Promise<void> {
    const existing = await this.admin.topics();
    for (const topic of TOPICS) {
      if (!existing.includes(topic)) throw new LogMismatchError(`${topic} is gone from Kafka`);
      const bounds = await this.admin.bounds(topic);
      checkCount(topic, bounds, partitions);
      for (const [partition, { head }] of bounds) {
        if (head === 0n) throw new LogMismatchError(`${topic}/${partition} on Kafka has lost its records`);
      }
    }
  }

  private async writeGenesis({ topic, partition, logId }: TopicRow): Promise<void> {
    if ((await this.head(topic, partition)) > 0n) return;
    await this.producer.append(topic, partition, [genesisRecord(logId)]);
  }
}

function checkCount(topic: Topic, { size }: Map<number, unknown>, partitions: number): void {
  if (size !== partitions)
    throw new LogMismatchError(`${topic} has ${size} partitions, expected ${partitions}`);
}

function newRows(partitions: number): TopicRow[] {
  return TOPICS.flatMap((topic) =>
    Array.from({ length: partitions }, (_, partition) => ({
      topic,
      partition,
      logId: newLogId(),
      kind: 'kafka' as const,
      ready: false,
    })),
  );
}
