import type { EventRecord, Topic } from '@vendo/events';

/** A record as read back: its partition and offset, gap-free on the postgres and memory logs. */
export interface StoredRecord extends EventRecord {
  offset: bigint;
}

/** Where a consumer stands: the next offset to read, and the id of the log it was read from (null before the first read). */
export interface LogPosition {
  next: bigint;
  logId: string | null;
}

/** Records of one partition in offset order; `logId` names the log, `next` is the offset after the last one. Genesis records are skipped, never delivered. */
export interface LogBatch {
  records: StoredRecord[];
  next: bigint;
  logId: string;
}

/**
 * The transport between the apps: ordered per partition, at least once. It tells, it never decides.
 * Offset 0 of each partition is a genesis record with a random log id. Consumers own their offsets and keep them beside
 * their effects; the log keeps none. Contract suite: event-log.contract.ts.
 */
export abstract class EventLog {
  /**
   * Creates both topics with `partitions` partitions and their genesis records, once, under a lock; the ledger alone
   * calls it. Throws LogMismatchError when the topics exist with another count or on another kind of log.
   */
  abstract createTopics(partitions: number): Promise<void>;

  /** Resolves when the topics exist (created by the ledger); polls. Throws LogMismatchError as `createTopics` does. */
  abstract ready(partitions: number, signal: AbortSignal): Promise<void>;

  /**
   * Appends in order, all or none; resolves when the records are durable, with the offset of the first one.
   * Appends to one partition must not overlap (the caller awaits each). Throws when it is not known to be durable: the
   * caller may append again, and readers drop the repeats by their numbers.
   */
  abstract append(topic: Topic, partition: number, records: readonly EventRecord[]): Promise<bigint>;

  /**
   * Reads a partition from a position to the end of time, in batches; ends when the signal aborts.
   * Bounded: what the reader has not taken is not fetched. Survives outages of the log by waiting.
   * Throws LogMismatchError when `from.logId` is another log's, OffsetOutOfRangeError when `from.next` is beyond the
   * head or already deleted: it never resets by itself.
   */
  abstract consume(
    topic: Topic,
    partition: number,
    from: LogPosition,
    signal: AbortSignal,
  ): AsyncIterable<LogBatch>;

  /** The next offset of a partition: 1 on a log that holds its genesis only. */
  abstract head(topic: Topic, partition: number): Promise<bigint>;

  abstract close(): Promise<void>;
}

/** The log is not the one that was expected: another partition count, another kind, or another log id. Fatal: exit 1. */
export class LogMismatchError extends Error {
  override name = 'LogMismatchError';
}

/** A position that the log does not have. Fatal for the partition: stop and alert. */
export class OffsetOutOfRangeError extends Error {
  override name = 'OffsetOutOfRangeError';
}
