import { type EventRecord, GATEWAY_TOPIC, LEDGER_TOPIC, type Topic } from '@vendo/events';
import { BATCH_RECORDS_MAX } from './batch-queue.js';
import { EventLog, type LogBatch, LogMismatchError, type LogPosition } from './event-log.js';
import { genesisRecord, newLogId, startingOffset } from './genesis.js';

interface MemoryPartition {
  logId: string;
  records: EventRecord[];
  readers: Set<() => void>;
}

/** What lives longer than one handle: the records, and who waits for the topics. */
export class MemoryLogStore {
  readonly topics = new Map<Topic, MemoryPartition[]>();
  readonly waiting = new Set<() => void>();
}

/** The log of tests and simulations: one process, nothing on disk. Handles on one store see the same log. */
export class MemoryEventLog extends EventLog {
  private readonly closing = new AbortController();

  constructor(private readonly store = new MemoryLogStore()) {
    super();
  }

  async createTopics(partitions: number): Promise<void> {
    if (this.store.topics.size > 0) return this.checkCount(partitions);
    for (const topic of [GATEWAY_TOPIC, LEDGER_TOPIC] as const) {
      this.store.topics.set(topic, Array.from({ length: partitions }, emptyPartition));
    }
    for (const wake of [...this.store.waiting]) wake();
  }

  async ready(partitions: number, signal: AbortSignal): Promise<void> {
    while (this.store.topics.size === 0) {
      signal.throwIfAborted();
      await woken(this.store.waiting, signal);
    }
    this.checkCount(partitions);
  }

  async append(topic: Topic, partition: number, records: readonly EventRecord[]): Promise<bigint> {
    if (this.closing.signal.aborted) throw new Error('the event log is closed');
    if (records.length === 0) throw new RangeError('nothing to append');
    const log = this.partition(topic, partition);
    const first = BigInt(log.records.length);
    log.records.push(...records);
    for (const wake of [...log.readers]) wake();
    return first;
  }

  async *consume(
    topic: Topic,
    partition: number,
    from: LogPosition,
    signal: AbortSignal,
  ): AsyncIterable<LogBatch> {
    const log = this.partition(topic, partition);
    const ended = AbortSignal.any([signal, this.closing.signal]);
    const head = BigInt(log.records.length);
    let next = Number(startingOffset(`${topic}/${partition}`, from, { logId: log.logId, head }));
    while (!ended.aborted) {
      const taken = log.records.slice(next, next + BATCH_RECORDS_MAX);
      if (taken.length === 0) {
        await woken(log.readers, ended);
        continue;
      }
      const records = taken.map((record, index) => ({ ...record, offset: BigInt(next + index) }));
      next += taken.length;
      yield { records, next: BigInt(next), logId: log.logId };
    }
  }

  async head(topic: Topic, partition: number): Promise<bigint> {
    return BigInt(this.partition(topic, partition).records.length);
  }

  async close(): Promise<void> {
    this.closing.abort();
  }

  private partition(topic: Topic, partition: number): MemoryPartition {
    const log = this.store.topics.get(topic)?.[partition];
    if (!log) throw new Error(`${topic}/${partition} does not exist`);
    return log;
  }

  private checkCount(partitions: number): void {
    for (const [topic, { length }] of this.store.topics) {
      if (length !== partitions) {
        throw new LogMismatchError(`${topic} has ${length} partitions, expected ${partitions}`);
      }
    }
  }
}

function emptyPartition(): MemoryPartition {
  const logId = newLogId();
  return { logId, records: [genesisRecord(logId)], readers: new Set() };
}

/** Resolves at the next change or when the signal aborts. */
function woken(waiting: Set<() => void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      waiting.delete(done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    waiting.add(done);
    signal.addEventListener('abort', done, { once: true });
  });
}
