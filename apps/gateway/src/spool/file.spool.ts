import path from 'node:path';
import { type EventRecord, encodeEvent, SHARD_COUNT, shardOf, type VendoEvent } from '@vendo/events';
import type { SpoolRef } from '@vendo/ledger-api';
import { checksumSeed, encodeFrame, type Frame, frameAt, type LastNumber } from './frame.js';
import { GroupSync } from './group-sync.js';
import { grown, type Marks, markOf, passed } from './marks.js';
import { RecentFrames } from './recent-frames.js';
import { Spool } from './spool.js';
import { segmentName, spoolsFolder } from './spool-folders.js';
import { HEADER_FILE, type SpoolHeader } from './spool-header.js';
import type { SpoolParts } from './spool-parts.js';
import type { WrittenSpool } from './written-spool.js';

export interface FileSpoolOptions {
  /** A new UUIDv7. */
  id: string;
  dataDir: string;
  /** Names this machine or container; stable over restarts, or leftovers are not recognised as its own. */
  host: string;
  /** New metered calls are refused while undeleted segments, those of leftovers included, hold more, bytes. */
  maxBytes: number;
  /** A segment is closed once it is this long, bytes. Small enough that marks can delete, large enough to be few. */
  segmentBytes?: number;
  /** Whether the end of a call waits until it is on the disk. */
  sync?: 'no' | 'wait';
}

interface Segment {
  index: number;
  path: string;
  file: number;
  bytes: number;
  /** The last number of each partition that has a frame in it. */
  last: Map<number, number>;
}

interface EncodedFrame extends LastNumber {
  bytes: Buffer;
}

const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 1_000;

/** One spool that this process writes: frames appended to numbered segment files in a folder of its own. */
export class FileSpool extends Spool implements WrittenSpool {
  readonly ref: SpoolRef;
  readonly growing = true;
  readonly segments: Segment[] = [];
  onWritten: () => void = () => undefined;
  leftoverBytes: () => number = () => 0;

  private readonly folder: string;
  private readonly seed: number;
  private readonly sync: GroupSync;
  private readonly lastNumbers = new Array<number>(SHARD_COUNT).fill(0);
  private previous: LastNumber | null = null;
  private nextSegment = 1;
  /** Frames that could not be written, in turn. Bounded by the calls that were open: `refusal` admits no new one. */
  private unwritten: EncodedFrame[] = [];
  private unwrittenBytes = 0;
  private mending = false;
  private readonly recent = new RecentFrames();
  private readonly closing = new AbortController();
  private marks: Marks = {};
  private checkpoint: { atMs: number; last: number[] };

  /** Makes the spool's folder and header on the disk. Throws when that fails: a gateway without a spool must not start. */
  constructor(
    private readonly options: FileSpoolOptions,
    private readonly parts: SpoolParts,
  ) {
    super();
    const { id, host, dataDir } = options;
    this.ref = { id, host };
    this.folder = path.join(spoolsFolder(dataDir), id);
    this.seed = checksumSeed(id);
    this.sync = new GroupSync(parts, this.folder);
    this.checkpoint = { atMs: parts.clock.monotonicMs(), last: [...this.lastNumbers] };
    const { bootId, pid } = parts.processes;
    const started = parts.processes.startOf(pid);
    // With any other word in its header a sibling would take this process for dead.
    if (started === null) throw new Error('the own process is not in the process table');
    const header: SpoolHeader = { spool_id: id, host, boot_id: bootId, pid, started };
    parts.disk.createFolder(this.folder, HEADER_FILE, JSON.stringify(header));
  }

  get id(): string {
    return this.ref.id;
  }

  get bytes(): number {
    return this.segments.reduce((sum, segment) => sum + segment.bytes, this.unwrittenBytes);
  }

  override append(events: readonly VendoEvent[]): boolean {
    const [first] = events;
    if (first === undefined) return true;
    if (events.some(({ tenantId }) => tenantId !== first.tenantId))
      throw new RangeError('one append holds the events of one tenant');
    return this.put(
      shardOf(first.tenantId),
      events.map((event) => encodeEvent(event, '/gateway')),
    );
  }

  put(partition: number, records: readonly EventRecord[]): boolean {
    const frame = this.encode(partition, records);
    this.parts.metrics.frames.inc();
    if (this.unwritten.length === 0 && this.write(frame)) {
      this.onWritten();
      return true;
    }
    this.unwritten.push(frame);
    this.unwrittenBytes += frame.bytes.length;
    void this.mend();
    return false;
  }

  override synced(): Promise<void> | null {
    return this.options.sync === 'wait' ? this.sync.reached() : null;
  }

  override refusal(): string | null {
    if (this.unwritten.length > 0) return 'the spool could not be written';
    if (this.sync.failed) return 'the spool could not be synced to the disk';
    if (this.recent.isFull) return 'the ledger has not answered beats for too long';
    return this.bytes + this.leftoverBytes() > this.options.maxBytes ? 'the spool is full' : null;
  }

  marked(marks: Marks): void {
    this.marks = grown(this.marks, marks);
    this.renewCheckpoint();
    const finished = this.segments.slice(0, -1);
    for (const segment of finished.filter(({ last }) => passed(this.marks, last))) this.delete(segment);
  }

  oldestUnmarkedMs(): number {
    return this.isMarked() ? 0 : this.parts.clock.monotonicMs() - this.checkpoint.atMs;
  }

  isMarked(): boolean {
    return passed(this.marks, this.lastNumbers.entries());
  }

  beatSent(): number {
    return this.sync.onDisk;
  }

  beatIsGood(onDisk: number): void {
    this.recent.forgetUpTo(onDisk);
  }

  unproven(): Frame[] {
    return [...this.recent.all(), ...this.unwritten.map(({ bytes }) => bytes)].map(
      (bytes) => frameAt(bytes, 0, this.seed) as Frame,
    );
  }

  async abandon(): Promise<void> {
    this.closing.abort();
    try {
      await this.closeFiles();
    } catch (thrown) {
      this.parts.logger.warn({ spool: this.id, err: thrown }, 'an abandoned spool could not be closed');
    }
  }

  async close({ keepFolder = false }: { keepFolder?: boolean } = {}): Promise<void> {
    if (this.closing.signal.aborted) return;
    this.writeWaiting();
    this.closing.abort();
    if (this.unwritten.length > 0)
      this.parts.logger.fatal(
        { alert: 'spool_frames_lost', spool: this.id, frames: this.unwritten.length },
        'the process ends with frames that could not be written',
      );
    await this.closeFiles();
    if (this.isMarked() && this.unwritten.length === 0 && !keepFolder)
      await this.parts.disk.removeFolder(this.folder);
  }

  private async closeFiles(): Promise<void> {
    await this.sync.close();
    for (const segment of this.segments) this.parts.disk.close(segment.file);
  }

  /** Gives the numbers, strictly in turn. */
  private encode(partition: number, records: readonly EventRecord[]): EncodedFrame {
    const first = (this.lastNumbers[partition] ?? 0) + 1;
    const last = first + records.length - 1;
    const about = { partition, first, writtenAtMs: this.parts.clock.wallMs(), previous: this.previous };
    const bytes = encodeFrame(about, records, this.seed);
    this.lastNumbers[partition] = last;
    this.previous = { partition, last };
    return { partition, last, bytes };
  }

  /** Says false when the frame is not whole in the file; it must be the next one that is tried. */
  private write(frame: EncodedFrame): boolean {
    const { disk, logger, metrics } = this.parts;
    try {
      if (this.closing.signal.aborted) throw new Error('the spool is closed');
      const segment = this.segmentFor(frame);
      const written = disk.write(segment.file, frame.bytes, segment.bytes);
      if (written < frame.bytes.length) {
        disk.truncate(segment.file, segment.bytes);
        throw new Error(`short write: ${written} of ${frame.bytes.length} bytes`);
      }
      segment.bytes += written;
      segment.last.set(frame.partition, frame.last);
      this.recent.add(frame.bytes, this.sync.written(segment.file));
      return true;
    } catch (thrown) {
      metrics.writeFailures.inc();
      if (!this.mending)
        logger.error(
          { alert: 'spool_write_failed', spool: this.id, err: thrown },
          'the spool could not be written',
        );
      return false;
    }
  }

  private segmentFor(frame: EncodedFrame): Segment {
    const current = this.segments.at(-1);
    const { segmentBytes = 4_194_304 } = this.options;
    if (current && (current.bytes === 0 || current.bytes + frame.bytes.length <= segmentBytes))
      return current;
    const index = this.nextSegment;
    const file = path.join(this.folder, segmentName(index));
    const segment = { index, path: file, file: this.parts.disk.create(file), bytes: 0, last: new Map() };
    this.nextSegment += 1;
    this.segments.push(segment);
    this.sync.created();
    return segment;
  }

  /** Retries what failed until it is written; nothing overtakes it. */
  private async mend(): Promise<void> {
    const { signal } = this.closing;
    if (this.mending || signal.aborted) return;
    this.mending = true;
    for (let waitMs = RETRY_MS_MIN; this.unwritten.length > 0; waitMs = Math.min(waitMs * 2, RETRY_MS_MAX)) {
      await this.parts.clock.sleep(waitMs, signal);
      if (signal.aborted) return;
      this.writeWaiting();
    }
    this.mending = false;
    this.parts.logger.warn({ spool: this.id }, 'the spool is written again');
  }

  private writeWaiting(): void {
    let written = 0;
    for (const frame of this.unwritten) {
      if (!this.write(frame)) break;
      written += 1;
      this.unwrittenBytes -= frame.bytes.length;
    }
    if (written === 0) return;
    this.unwritten = this.unwritten.slice(written);
    this.onWritten();
  }

  private delete(segment: Segment): void {
    const { disk, logger } = this.parts;
    try {
      disk.remove(segment.path);
    } catch (thrown) {
      logger.warn({ spool: this.id, segment: segment.index, err: thrown }, 'a segment could not be deleted');
      return;
    }
    this.segments.splice(this.segments.indexOf(segment), 1);
    this.sync.forget(segment.file);
  }

  /** One remembered state instead of one per record: once the marks pass it, the next is taken. */
  private renewCheckpoint(): void {
    const isPassed = this.checkpoint.last.every((last, partition) => markOf(this.marks, partition) >= last);
    if (isPassed) this.checkpoint = { atMs: this.parts.clock.monotonicMs(), last: [...this.lastNumbers] };
  }
}
