import { randomUUID } from 'node:crypto';
import type { Topic } from '@vendo/events';
import type { Clock, Logger } from '@vendo/runtime';
import type { Consumer, EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs';
import type { StoredRecord } from './event-log.js';
import { disconnectInTime } from './kafka-client.js';
import type { KafkaPartition, Next } from './kafka-partition.js';

/** A seek or resume takes effect with the next fetch only, so an empty fetch is not held longer, milliseconds. */
const FETCH_WAIT_MS = 100;
const FETCH_BYTES_PER_PARTITION = 1024 * 1024;
const RESTART_MS = 1_000;

export interface ConsumerParts {
  kafka: Kafka;
  clock: Clock;
  logger: Logger;
  /** Low and high offset of each partition, as Kafka knows them now. */
  bounds(topic: Topic): Promise<Map<number, { low: bigint; head: bigint }>>;
}

/**
 * Reads one topic for this process, without consumer groups: kafkajs has no manual assignment, so each consumer joins
 * under a group id of its own, is given every partition, pauses those nobody reads here and seeks the others. Offsets
 * are never committed to Kafka. A consumer that crashes is replaced for as long as it takes.
 */
export class KafkaConsumer {
  private readonly partitions = new Map<number, KafkaPartition>();
  private readonly closing = new AbortController();
  private running: Promise<void> | null = null;
  private joined: Consumer | null = null;

  constructor(
    private readonly topic: Topic,
    private readonly parts: ConsumerParts,
  ) {}

  has(partition: number): boolean {
    return this.partitions.has(partition);
  }

  add(partition: KafkaPartition): void {
    this.partitions.set(partition.partition, partition);
    this.running ??= this.keepRunning();
    if (this.joined) void this.begin(this.joined, [partition]);
  }

  remove(partition: KafkaPartition): void {
    this.partitions.delete(partition.partition);
    this.joined?.pause([{ topic: this.topic, partitions: [partition.partition] }]);
  }

  resume(partition: KafkaPartition): void {
    this.joined?.resume([{ topic: this.topic, partitions: [partition.partition] }]);
  }

  async close(): Promise<void> {
    this.closing.abort();
    await this.running;
  }

  private async keepRunning(): Promise<void> {
    while (!this.closing.signal.aborted) {
      try {
        await this.runOnce();
      } catch (err) {
        this.parts.logger.warn({ err, topic: this.topic }, 'reading from Kafka broke off, trying again');
      }
      await this.parts.clock.sleep(RESTART_MS, this.closing.signal);
    }
  }

  /** Resolves when closed; throws when the consumer has crashed. */
  private async runOnce(): Promise<void> {
    const consumer = this.parts.kafka.consumer({
      groupId: `vendo-${randomUUID()}`,
      allowAutoTopicCreation: false,
      minBytes: 1,
      maxWaitTimeInMs: FETCH_WAIT_MS,
      maxBytesPerPartition: FETCH_BYTES_PER_PARTITION,
      // One way back for every crash: a new consumer.
      retry: { retries: 5, initialRetryTime: 100, maxRetryTime: 2_000, restartOnFailure: async () => false },
    });
    const ended = new Promise<void>((resolve, reject) => {
      consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
      this.closing.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    ended.catch(() => undefined);
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) =>
      this.takeOver(consumer, payload.memberAssignment[this.topic] ?? []),
    );
    const begun = this.run(consumer);
    try {
      // Closing does not wait for a broker that does not answer.
      await Promise.race([begun.then(() => ended), ended]);
    } finally {
      this.joined = null;
      // One that is disconnected while it still connects would come up after that, and stay.
      const begunOrNot = begun.then(
        () => consumer,
        () => consumer,
      );
      await disconnectInTime(begunOrNot, this.parts.clock);
    }
  }

  private async run(consumer: Consumer): Promise<void> {
    await consumer.connect();
    await consumer.subscribe({ topic: this.topic, fromBeginning: true });
    await consumer.run({ autoCommit: false, eachBatch: (payload) => this.receive(consumer, payload) });
  }

  /** A (re)join forgets seeks: everything is paused, and what is read here begins anew. */
  private takeOver(consumer: Consumer, assigned: number[]): void {
    consumer.pause([{ topic: this.topic, partitions: assigned }]);
    this.joined = consumer;
    void this.begin(consumer, [...this.partitions.values()]);
  }

  private async begin(consumer: Consumer, partitions: KafkaPartition[]): Promise<void> {
    const bounds = await this.boundsOnceReachable(consumer);
    if (!bounds) return;
    for (const partition of partitions) {
      // Removed, or given to a newer consumer, while the bounds were asked for.
      if (this.joined !== consumer || this.partitions.get(partition.partition) !== partition) continue;
      partition.restart(bounds.get(partition.partition) ?? { low: 0n, head: 0n });
      consumer.seek({ topic: this.topic, partition: partition.partition, offset: '0' });
      if (!partition.full) this.resume(partition);
    }
  }

  private async boundsOnceReachable(
    consumer: Consumer,
  ): Promise<Map<number, { low: bigint; head: bigint }> | null> {
    while (this.joined === consumer && !this.closing.signal.aborted) {
      try {
        return await this.parts.bounds(this.topic);
      } catch (err) {
        this.parts.logger.debug({ err, topic: this.topic }, 'the offsets of the topic are not known yet');
        await this.parts.clock.sleep(RESTART_MS, this.closing.signal);
      }
    }
    return null;
  }

  /** Only enqueues: kafkajs fetches nothing more from a broker while a handler runs. */
  private async receive(consumer: Consumer, { batch, isStale }: EachBatchPayload): Promise<void> {
    if (this.joined !== consumer || isStale()) return;
    const partition = this.partitions.get(batch.partition);
    if (!partition) return;
    const next = partition.offer(batch.messages.map(toRecord));
    this.follow(consumer, batch.partition, next);
  }

  private follow(consumer: Consumer, partition: number, next: Next): void {
    if (next.do === 'pause') consumer.pause([{ topic: this.topic, partitions: [partition] }]);
    if (next.do === 'seek') consumer.seek({ topic: this.topic, partition, offset: String(next.offset) });
  }
}

function toRecord({ offset, key, headers, value }: KafkaMessage): StoredRecord {
  return {
    offset: BigInt(offset),
    key: key?.toString('utf8') ?? '',
    headers: Object.fromEntries(Object.entries(headers ?? {}).map(([name, text]) => [name, String(text)])),
    value: value ?? Buffer.alloc(0),
  };
}
