import { SHARD_COUNT } from '@vendo/events';
import { type Chunk, type FrameSource, nextUnread, type Position, readChunk } from './frame-source.js';
import { type Consumed, type Marks, markOf } from './marks.js';
import { type AppendToLog, PartitionLane } from './partition-lane.js';
import { damagedFile } from './spool-folders.js';
import type { SpoolParts } from './spool-parts.js';

export interface ShipperOptions {
  source: FrameSource;
  dataDir: string;
  append: AppendToLog;
  /** Nothing of it has ever been shipped, so that no mark needs to be known before it is. */
  isNew: boolean;
}

const READ_RETRY_MS = 500;

/**
 * Reads a spool's frames back from its files and ships them to the log, each partition in a lane of its own. A lane
 * that stands still (its partition fails) fills up and stays behind in the files; the others go on, and it is read
 * again from where it stopped once it has room.
 */
export class Shipper {
  private readonly lanes: PartitionLane[];
  private readonly stopping = new AbortController();
  private readonly knownDamage = new Set<Position>();
  private wakeUp: (() => void) | null = null;
  private running: Promise<void> | null = null;
  private reading = false;
  private catchUpNext = false;

  constructor(
    private readonly options: ShipperOptions,
    private readonly parts: SpoolParts,
  ) {
    const { source, append, isNew } = options;
    const laneParts = {
      ...parts,
      spoolId: source.id,
      append,
      onRoom: () => this.wake(),
      signal: this.stopping.signal,
    };
    this.lanes = Array.from(
      { length: SHARD_COUNT },
      (_, partition) => new PartitionLane(partition, laneParts),
    );
    if (isNew) for (const lane of this.lanes) lane.shipFrom(0);
  }

  start(): void {
    this.running = this.run();
  }

  /**
   * Tells where the ledger stands: a partition whose mark was unknown begins behind it, one that it has read past
   * without applying is shipped again from it. Partitions that are absent from `consumed` have an unknown mark.
   */
  marked(marks: Marks, consumed: Consumed): void {
    for (const lane of this.lanes) {
      const next = consumed[lane.partition];
      if (next !== undefined) lane.marked(markOf(marks, lane.partition), next);
    }
  }

  /** There may be something to read. Cheap: called for every frame. */
  wake(): void {
    const wakeUp = this.wakeUp;
    this.wakeUp = null;
    wakeUp?.();
  }

  /** Whether the log has everything that is in the files now. */
  get isDone(): boolean {
    if (this.reading || this.lanes.some((lane) => !lane.isIdle)) return false;
    return this.lanes.every((lane) => nextUnread(this.options.source, lane.from) === null);
  }

  /** The last number of each partition that was read. */
  *lastNumbers(): Iterable<[partition: number, last: number]> {
    for (const { partition, last } of this.lanes) yield [partition, last];
  }

  /** Age of the oldest frame that was read and that the log has not taken. */
  get lagMs(): number {
    const oldest = this.lanes.flatMap(({ oldestWrittenAtMs }) => oldestWrittenAtMs ?? []);
    return oldest.length === 0 ? 0 : Math.max(0, this.parts.clock.wallMs() - Math.min(...oldest));
  }

  /** Gives up what is on its way: the files have it. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.wake();
    await this.running;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      const start = this.nextStart();
      if (start === null) {
        await new Promise<void>((resolve) => {
          this.wakeUp = resolve;
        });
        continue;
      }
      this.reading = true;
      try {
        const chunk = await readChunk(this.options.source, this.parts.disk, start);
        await this.setAside(chunk);
        this.hand(chunk);
      } catch (thrown) {
        // The segment may just have been deleted by the marks; else the disk must get well.
        this.parts.logger.warn({ spool: this.options.source.id, err: thrown }, 'the spool could not be read');
        await this.parts.clock.sleep(READ_RETRY_MS, signal);
      }
      this.reading = false;
    }
  }

  /** Where to read on: in turn for the lane that is behind the others and for the one that is ahead, so that neither starves. */
  private nextStart(): Position | null {
    const starts = this.lanes
      .filter((lane) => lane.hasRoom)
      .flatMap((lane) => nextUnread(this.options.source, lane.from) ?? []);
    if (starts.length === 0) return null;
    this.catchUpNext = !this.catchUpNext;
    return this.catchUpNext ? Math.min(...starts) : Math.max(...starts);
  }

  /** Gives each frame to its lane, unless the lane had it or stands still at an earlier one. */
  private hand(chunk: Chunk): void {
    const standing = new Map<PartitionLane, Position>();
    const current = new Set(
      this.lanes.filter(
        (lane) => lane.isOpen && (nextUnread(this.options.source, lane.from) ?? chunk.end) >= chunk.start,
      ),
    );
    const isOffered = (lane: PartitionLane, at: Position): boolean =>
      current.has(lane) && lane.from <= at && !standing.has(lane);
    for (const { at, frame } of chunk.frames) {
      const before = frame.previous && this.lanes[frame.previous.partition];
      if (before && isOffered(before, at)) before.expect(frame.previous?.last ?? 0);
      const lane = this.lanes[frame.partition];
      if (lane === undefined || !isOffered(lane, at)) continue;
      if (lane.hasRoom) lane.take(frame);
      else standing.set(lane, at);
    }
    for (const lane of current) lane.from = Math.max(lane.from, standing.get(lane) ?? chunk.end);
  }

  /** Keeps damaged bytes for people, once, and raises the alert. */
  private async setAside({ damage, tornBytes, end }: Chunk): Promise<void> {
    const { source, dataDir } = this.options;
    if (this.knownDamage.has(end)) return;
    if (tornBytes > 0 || damage.length > 0) this.knownDamage.add(end);
    if (tornBytes > 0)
      this.parts.logger.warn(
        { spool: source.id, bytes: tornBytes },
        'the torn last write of a spool was cut',
      );
    for (const { segment, offset, bytes } of damage) {
      const file = damagedFile(dataDir, source.id, segment, offset);
      const where = { spool: source.id, segment, offset, bytes: bytes.length, file };
      this.parts.logger.error(
        { alert: 'spool_damaged', ...where },
        'damaged bytes of a spool were set aside',
      );
      await this.parts.disk.writeFile(file, bytes);
    }
  }
}
