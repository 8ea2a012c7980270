import type { Topic } from '@vendo/events';
import type { Clock } from '@vendo/runtime';
import kafkajs, { type Admin, type ITopicConfig, type Kafka } from 'kafkajs';
import { disconnectInTime } from './kafka-client.js';

/** How often, and how many milliseconds apart, offsets are asked for while the partitions have no leader yet. */
const ASKS_MAX = 20;
const ASK_AGAIN_MS = 250;

/** Low and high offset of one partition; `head` is the offset that the next record gets. */
export interface Bounds {
  low: bigint;
  head: bigint;
}

/**
 * What the log asks of a broker beside records. A connection that failed is thrown away: kafkajs believes what it once
 * heard about leaders for five minutes, also after an election.
 */
export class KafkaAdmin {
  private connected: Promise<Admin> | null = null;

  constructor(
    private readonly kafka: Kafka,
    private readonly clock: Clock,
  ) {}

  topics(): Promise<string[]> {
    return this.ask((admin) => admin.listTopics());
  }

  /** Makes topics; resolves when the controller has them. Their leaders may be ready a moment later (`bounds` waits). */
  async create(topics: ITopicConfig[]): Promise<void> {
    await this.ask((admin) => admin.createTopics({ waitForLeaders: true, topics }));
  }

  /** The bounds of every partition; waits a few seconds for partitions without a leader. Throws when Kafka is away. */
  async bounds(topic: Topic): Promise<Map<number, Bounds>> {
    for (let asks = 1; ; asks += 1) {
      try {
        const offsets = await this.ask((admin) => admin.fetchTopicOffsets(topic));
        return new Map(
          offsets.map(({ partition, low, high }) => [partition, { low: BigInt(low), head: BigInt(high) }]),
        );
      } catch (thrown) {
        if (asks === ASKS_MAX || !isElection(thrown)) throw thrown;
        await this.clock.sleep(ASK_AGAIN_MS);
      }
    }
  }

  close(): Promise<void> {
    return disconnectInTime(this.connected, this.clock);
  }

  private async ask<Answer>(question: (admin: Admin) => Promise<Answer>): Promise<Answer> {
    this.connected ??= this.connect();
    const asked = this.connected;
    try {
      return await question(await asked);
    } catch (thrown) {
      if (this.connected === asked) this.connected = null;
      void disconnectInTime(asked, this.clock);
      throw thrown;
    }
  }

  private async connect(): Promise<Admin> {
    const admin = this.kafka.admin();
    await admin.connect();
    return admin;
  }
}

/** Kafka does not answer, or not now: nothing is known about the topics, and asking again may help. */
export function isOutage(thrown: unknown): boolean {
  if (thrown instanceof kafkajs.KafkaJSProtocolError) return thrown.retriable;
  return thrown instanceof kafkajs.KafkaJSError;
}

/** An answer of a broker that is not, or not yet, the leader of a partition. */
function isElection(thrown: unknown): boolean {
  return thrown instanceof kafkajs.KafkaJSProtocolError && thrown.retriable;
}
