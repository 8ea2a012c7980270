import type { EventRecord, Topic } from '@vendo/events';
import type { Clock } from '@vendo/runtime';
import type { Kafka, Producer, RecordMetadata } from 'kafkajs';
import { disconnectInTime } from './kafka-client.js';

/** No send waits longer for its answer, milliseconds; then it counts as unknown. */
const SEND_TIMEOUT_MS = 20_000;
/** Appends of several partitions share a send up to this size, bytes of values. A larger single append goes alone. */
const SEND_BYTES_MAX = 4 * 1024 * 1024;

interface Append {
  topic: Topic;
  partition: number;
  records: readonly EventRecord[];
  done(first: bigint): void;
  fail(error: Error): void;
}

/**
 * Appends to Kafka: acks all, idempotent, and one send in flight per process, because concurrent idempotent sends of
 * kafkajs can lose records (issue 1005). After any error the producer is thrown away: a new one has a new producer id,
 * so that no sequence number is in doubt.
 */
export class KafkaProducer {
  private readonly waiting: Append[] = [];
  private sending = false;
  private producer: Promise<Producer> | null = null;

  constructor(
    private readonly kafka: Kafka,
    private readonly clock: Clock,
  ) {}

  /** Resolves with the offset of the first record once all replicas in sync have it. */
  append(topic: Topic, partition: number, records: readonly EventRecord[]): Promise<bigint> {
    return new Promise((done, fail) => {
      this.waiting.push({ topic, partition, records, done, fail });
      if (!this.sending) void this.sendAll();
    });
  }

  async close(): Promise<void> {
    await this.discard();
  }

  private async sendAll(): Promise<void> {
    this.sending = true;
    while (this.waiting.length > 0) await this.send(this.takeSend());
    this.sending = false;
  }

  /** The oldest appends, at most one per partition. */
  private takeSend(): Append[] {
    const taken = new Map<string, Append>();
    let bytes = 0;
    for (const append of this.waiting) {
      const where = `${append.topic}/${append.partition}`;
      if (taken.has(where)) continue;
      bytes += append.records.reduce((sum, { value }) => sum + value.length, 0);
      if (taken.size > 0 && bytes > SEND_BYTES_MAX) break;
      taken.set(where, append);
    }
    const appends = [...taken.values()];
    for (const append of appends) this.waiting.splice(this.waiting.indexOf(append), 1);
    return appends;
  }

  private async send(appends: Append[]): Promise<void> {
    try {
      const answers = await this.inTime(this.sendBatch(appends));
      for (const append of appends) {
        const first = firstOffset(answers, append);
        if (first === null)
          append.fail(new Error(`${append.topic}/${append.partition}: Kafka told no offset`));
        else append.done(first);
      }
    } catch (thrown) {
      void this.discard();
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      for (const append of appends) append.fail(error);
    }
  }

  private async sendBatch(appends: Append[]): Promise<RecordMetadata[]> {
    this.producer ??= this.connect();
    const producer = await this.producer;
    return producer.sendBatch({
      acks: -1,
      timeout: 10_000,
      topicMessages: appends.map(({ topic, partition, records }) => ({
        topic,
        messages: records.map(({ key, headers, value }) => ({ key, headers, value, partition })),
      })),
    });
  }

  private async connect(): Promise<Producer> {
    const producer = this.kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition ?? 0,
      retry: { retries: 8, initialRetryTime: 100, maxRetryTime: 2_000 },
    });
    await producer.connect();
    return producer;
  }

  private async inTime<Result>(work: Promise<Result>): Promise<Result> {
    const answered = new AbortController();
    const late = this.clock.sleep(SEND_TIMEOUT_MS, answered.signal).then(() => {
      throw new Error(`Kafka did not answer within ${SEND_TIMEOUT_MS} ms`);
    });
    // The loser of the race may still fail, with nobody left to tell.
    late.catch(() => undefined);
    work.catch(() => undefined);
    return Promise.race([work, late]).finally(() => answered.abort());
  }

  private async discard(): Promise<void> {
    const producer = this.producer;
    this.producer = null;
    await disconnectInTime(producer, this.clock);
  }
}

function firstOffset(answers: RecordMetadata[], { topic, partition }: Append): bigint | null {
  const answer = answers.find((one) => one.topicName === topic && one.partition === partition);
  const offset = BigInt(answer?.baseOffset ?? -1);
  return offset < 0n ? null : offset;
}
