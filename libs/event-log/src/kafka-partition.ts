import { BATCH_RECORDS_MAX, BatchQueue } from './batch-queue.js';
import {
  type LogBatch,
  LogMismatchError,
  type LogPosition,
  OffsetOutOfRangeError,
  type StoredRecord,
} from './event-log.js';
import { FIRST_OFFSET, isGenesis, startingOffset } from './genesis.js';

/** What the consumer does next with a partition after it offered a batch. */
export type Next = { do: 'go on' } | { do: 'pause' } | { do: 'seek'; offset: bigint };

/** Fetched batches that wait for the reader before the partition is paused. */
const WAITING_MAX = 2 * (1 + 1_000 / BATCH_RECORDS_MAX);
/** Batches in a row that may begin elsewhere than asked for: fetches that were under way when the position moved. */
const STRAYS_MAX = 3;

/**
 * One reader's view of one Kafka partition: what may be believed of the batches that kafkajs hands over. After each join
 * it first reads the genesis record and the head again, because kafkajs turns a position that is out of range into a
 * reset, silently. Knows nothing of kafkajs.
 */
export class KafkaPartition {
  private readonly queue = new BatchQueue();
  private phase: 'genesis' | 'records' | 'stopped' = 'genesis';
  private next: bigint;
  private strays = 0;
  private paused = false;

  /** @param logId the registered id of the partition's log. */
  constructor(
    readonly topic: string,
    readonly partition: number,
    private readonly logId: string,
    from: LogPosition,
  ) {
    // The head is not known yet; `restart` checks it.
    this.next = startingOffset(this.where, from, { logId, head: from.next + FIRST_OFFSET });
  }

  /** True while the reader is behind: nothing may be fetched. */
  get full(): boolean {
    return this.paused || this.phase === 'stopped';
  }

  /**
   * The consumer has (re)joined and begins at offset 0, with the genesis record. The bounds come from ListOffsets: the
   * high watermark of a fetch may lag behind after a broker's restart.
   */
  restart(bounds: { low: bigint; head: bigint }): void {
    if (this.phase === 'stopped') return;
    this.phase = 'genesis';
    this.strays = 0;
    if (bounds.low > 0n) this.stop(new OffsetOutOfRangeError(`${this.where}: deleted up to ${bounds.low}`));
    if (this.next > bounds.head) {
      this.stop(
        new OffsetOutOfRangeError(`${this.where}: offset ${this.next} is beyond the head ${bounds.head}`),
      );
    }
  }

  /** @param records of one fetch, in order. */
  offer(records: readonly StoredRecord[]): Next {
    if (this.phase === 'stopped') return { do: 'pause' };
    return this.phase === 'genesis' ? this.verify(records) : this.accept(records);
  }

  /** Ends the reader with an error, after what it was already given. */
  stop(error: Error): void {
    this.phase = 'stopped';
    this.queue.fail(error);
  }

  /** The next batch for the reader; null when the signal aborts. `resume` is called when fetching may go on. */
  async take(signal: AbortSignal, resume: () => void): Promise<LogBatch | null> {
    const batch = await this.queue.take(signal);
    if (this.paused && this.queue.length < WAITING_MAX / 2) {
      this.paused = false;
      if (this.phase !== 'stopped') resume();
    }
    return batch;
  }

  private verify(records: readonly StoredRecord[]): Next {
    const [genesis] = records;
    const last = records.at(-1);
    if (!genesis || !last) return { do: 'go on' };
    if (genesis.offset !== 0n) return this.stray(genesis.offset, 0n);
    if (!isGenesis(genesis) || genesis.headers.ce_id !== this.logId) {
      this.stop(
        new LogMismatchError(
          `${this.where} begins with log ${genesis.headers.ce_id}, expected ${this.logId}`,
        ),
      );
      return { do: 'pause' };
    }
    this.phase = 'records';
    this.strays = 0;
    const wanted = records.filter(({ offset }) => offset >= this.next);
    if (wanted.length > 0) return this.accept(wanted);
    return last.offset + 1n === this.next ? { do: 'go on' } : { do: 'seek', offset: this.next };
  }

  private accept(records: readonly StoredRecord[]): Next {
    const expected = this.next;
    const odd = records.find(({ offset }, index) => offset !== expected + BigInt(index));
    if (odd) return this.stray(odd.offset, expected);
    this.strays = 0;
    for (let at = 0; at < records.length; at += BATCH_RECORDS_MAX)
      this.put(records.slice(at, at + BATCH_RECORDS_MAX));
    if (this.queue.length < WAITING_MAX) return { do: 'go on' };
    this.paused = true;
    return { do: 'pause' };
  }

  private put(records: StoredRecord[]): void {
    this.next += BigInt(records.length);
    // A genesis whose first send had an unknown outcome may be there twice.
    const events = records.filter((record) => !isGenesis(record));
    if (events.length > 0) this.queue.put({ records: events, next: this.next, logId: this.logId });
  }

  private stray(found: bigint, wanted: bigint): Next {
    this.strays += 1;
    if (this.strays <= STRAYS_MAX) return { do: 'seek', offset: wanted };
    this.stop(new OffsetOutOfRangeError(`${this.where}: reading from ${wanted} found ${found} out of turn`));
    return { do: 'pause' };
  }

  private get where(): string {
    return `${this.topic}/${this.partition}`;
  }
}
