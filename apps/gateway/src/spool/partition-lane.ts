import { type EventRecord, encodeEvent, NUMBER_HEADER, SPOOL_HEADER } from '@vendo/events';
import type { Clock, Logger } from '@vendo/runtime';
import { v5 as uuidFrom } from 'uuid';
import { Acknowledged } from './acknowledged.js';
import { type Frame, recordsOf } from './frame.js';
import type { Position } from './frame-source.js';
import type { SpoolMetrics } from './spool-metrics.js';

export const BATCH_RECORDS = 1_000;
/** Counted in bytes of frames, headers included; the rest to Kafka's default limit of 1 MiB is for the two headers that are added. */
const BATCH_BYTES = 900_000;
/** What one lane keeps in memory; the files keep the rest. */
const LANE_BYTES = 1_048_576;
const LANE_ITEMS = 8_192;
const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 5_000;

/** Appends records to one partition of the log; resolves when they are durable, with the offset of the first one. */
export type AppendToLog = (partition: number, records: readonly EventRecord[]) => Promise<bigint>;

export interface LaneParts {
  spoolId: string;
  clock: Clock;
  logger: Logger;
  metrics: SpoolMetrics;
  append: AppendToLog;
  /** Called when the lane has room again. */
  onRoom: () => void;
  signal: AbortSignal;
}

/** Numbers to ship: those of a frame, or (without one) numbers that no readable frame has. */
interface Item {
  first: number;
  last: number;
  frame: Frame | null;
}

interface Batch {
  records: EventRecord[];
  /** The number of its last record. */
  last: number;
}

/**
 * One partition of one spool on its way to the log: strictly in the order of the numbers, one append in flight. It is
 * shipped from a mark: closed until the mark is known, and once more when the ledger has read past a number without
 * applying it.
 */
export class PartitionLane {
  /** Everything of this partition before this place in the spool has been taken. */
  from: Position = 0;
  /** Whether the mark is known to begin behind. */
  isOpen = false;
  private next = 1;
  private queue: Item[] = [];
  private queuedBytes = 0;
  private running = false;
  private inFlight: Item | null = null;
  private acknowledged = new Acknowledged();

  constructor(
    readonly partition: number,
    private readonly parts: LaneParts,
  ) {}

  /** Begins behind the mark, from the first byte of the spool. What is in flight is not waited for: repeats are dropped. */
  shipFrom(mark: number): void {
    this.isOpen = true;
    this.from = 0;
    this.acknowledged = new Acknowledged();
    this.goOnBehind(mark);
    this.parts.onRoom();
  }

  /** @param consumed the next offset of this partition that the ledger reads, of the same moment as the mark or before. */
  marked(mark: number, consumed: number): void {
    if (!this.isOpen) {
      this.shipFrom(mark);
    } else if (this.acknowledged.isMissing(mark, consumed)) {
      const facts = { spool: this.parts.spoolId, partition: this.partition, mark };
      this.parts.logger.warn(facts, 'the ledger has read past records without applying them: shipping again');
      this.parts.metrics.reships.inc();
      this.shipFrom(mark);
    } else if (mark >= this.next) {
      // Somebody else ships this spool as well, its writer or an adopter, and is ahead.
      this.goOnBehind(mark);
    }
  }

  get hasRoom(): boolean {
    return this.isOpen && this.queuedBytes < LANE_BYTES && this.queue.length < LANE_ITEMS;
  }

  get isIdle(): boolean {
    return !this.running;
  }

  /** The last number that was taken, or the mark. */
  get last(): number {
    return this.next - 1;
  }

  /** When the oldest frame that the log has not taken was written; null when there is none. */
  get oldestWrittenAtMs(): number | null {
    return (this.inFlight ?? this.queue[0])?.frame?.writtenAtMs ?? null;
  }

  /** Takes a frame that was read back. Numbers that were taken are skipped; numbers that are missing before it are lost. */
  take(frame: Frame): void {
    const last = frame.first + frame.count - 1;
    if (last < this.next) return;
    this.expect(frame.first - 1);
    // A copy: the frame is a view on a buffer of many frames, and a waiting lane must not keep those.
    this.push({ first: this.next, last, frame: { ...frame, bytes: Buffer.from(frame.bytes) } });
    this.start();
  }

  /** Says that the spool had all numbers up to `last`, and that what was not taken by now cannot be read. */
  expect(last: number): void {
    if (last < this.next) return;
    const reason = { alert: 'spool_records_lost', spool: this.parts.spoolId, partition: this.partition };
    this.parts.logger.error(
      { ...reason, first: this.next, last },
      'records of the spool cannot be read back',
    );
    this.parts.metrics.recordsLost.inc(last - this.next + 1);
    while (this.next <= last)
      this.push({ first: this.next, last: Math.min(last, this.next + BATCH_RECORDS - 1), frame: null });
    this.start();
  }

  private goOnBehind(mark: number): void {
    this.next = mark + 1;
    this.queue = [];
    this.queuedBytes = 0;
  }

  private push(item: Item): void {
    this.queue.push(item);
    this.queuedBytes += item.frame?.bytes.length ?? 0;
    this.next = item.last + 1;
  }

  private start(): void {
    if (this.running) return;
    this.running = true;
    void this.run();
  }

  private async run(): Promise<void> {
    while (this.queue.length > 0 && !this.parts.signal.aborted) {
      this.inFlight = this.queue[0] ?? null;
      await this.ship(this.nextBatch());
      this.inFlight = null;
    }
    this.running = false;
    this.parts.onRoom();
  }

  /** Appends a batch until the log has it. What failed may be in the log all the same: it goes again, from its first number on. */
  private async ship({ records, last }: Batch): Promise<void> {
    const { clock, signal, metrics, logger, append } = this.parts;
    const { acknowledged } = this;
    const isWanted = (): boolean => !signal.aborted && acknowledged === this.acknowledged;
    for (let waitMs = RETRY_MS_MIN; isWanted(); waitMs = Math.min(waitMs * 2, RETRY_MS_MAX)) {
      try {
        const offset = await append(this.partition, records);
        metrics.recordsShipped.inc(records.length);
        acknowledged.took(last, offset + BigInt(records.length - 1));
        return;
      } catch (thrown) {
        metrics.appendFailures.inc();
        if (waitMs === RETRY_MS_MIN)
          logger.warn(
            { partition: this.partition, err: thrown },
            'an append to the log failed and is retried',
          );
      }
      await clock.sleep(waitMs, signal);
    }
  }

  private nextBatch(): Batch {
    const wasFull = !this.hasRoom;
    const records: EventRecord[] = [];
    let taken = 0;
    let bytes = 0;
    let last = 0;
    for (const item of this.queue) {
      const size = item.frame?.bytes.length ?? 0;
      const isOver =
        records.length + item.last - item.first + 1 > BATCH_RECORDS || bytes + size > BATCH_BYTES;
      if (taken > 0 && isOver) break;
      for (const record of this.recordsOf(item)) records.push(record);
      taken += 1;
      bytes += size;
      last = item.last;
    }
    this.queue.splice(0, taken);
    this.queuedBytes -= bytes;
    if (wasFull && this.hasRoom) this.parts.onRoom();
    return { records, last };
  }

  private recordsOf({ first, last, frame }: Item): EventRecord[] {
    const records = frame
      ? recordsOf(frame).slice(first - frame.first)
      : Array.from({ length: last - first + 1 }, (_, index) => this.recordLost(first + index));
    return records.map((record, index) => ({
      ...record,
      headers: {
        ...record.headers,
        [SPOOL_HEADER]: this.parts.spoolId,
        [NUMBER_HEADER]: String(first + index),
      },
    }));
  }

  /** Stands in the place of a record that cannot be read. Its tenant is unknown, so its subject and key are the spool. */
  private recordLost(number: number): EventRecord {
    const { spoolId, clock } = this.parts;
    return encodeEvent(
      {
        id: uuidFrom(`${this.partition}/${number}`, spoolId),
        type: 'RecordLost.v1',
        tenantId: spoolId,
        at: new Date(clock.wallMs()).toISOString(),
        data: { spool_id: spoolId, partition: this.partition, number, reason: 'damaged in the spool' },
      },
      '/gateway',
    );
  }
}
