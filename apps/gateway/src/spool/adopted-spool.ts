import path from 'node:path';
import type { FrameSource, SegmentFile } from './frame-source.js';
import { type Consumed, grown, type Marks, passed } from './marks.js';
import type { AppendToLog } from './partition-lane.js';
import { Shipper } from './shipper.js';
import type { SpoolFolders } from './spool-folders.js';
import type { SpoolParts } from './spool-parts.js';

/** How long a spool that is shipped to its end is kept, in case its writer was not gone after all. */
export const KEEP_MS = 86_400_000;
const SHIPPED_FILE = 'shipped.json';

/**
 * A spool that this process has adopted: shipped on from the marks under its own id and numbers, and nothing else. Once
 * the marks have reached its end it is kept for a day, then read once more, and deleted when they have reached that end.
 */
export class AdoptedSpool implements FrameSource {
  readonly growing = false;
  /** As they were when shipping began: what a writer that lives after all adds is read another time. */
  segments: SegmentFile[] = [];
  isDeleted = false;
  private shipper: Shipper | null = null;
  private marks: Marks = {};
  /** When the marks were first seen at its end, wall clock. */
  private shippedAtMs: number | null = null;
  private isAtEnd = false;

  constructor(
    readonly id: string,
    private readonly folders: SpoolFolders,
    private readonly append: AppendToLog,
    private readonly parts: SpoolParts,
  ) {}

  /** Whether shipping has begun and the marks have not been seen at its end. */
  get isShipping(): boolean {
    return this.shipper !== null;
  }

  /** Whether there is something on its way to the log; it then takes one of the places for that. */
  get isBusy(): boolean {
    return this.shipper !== null && !this.shipper.isDone;
  }

  /** Whether the marks are wanted now: to ship on, or to be deleted. */
  get isDue(): boolean {
    if (this.isDeleted) return false;
    return !this.isAtEnd || this.parts.clock.wallMs() - (this.shippedAtMs ?? 0) >= KEEP_MS;
  }

  /** Bytes on the disk while the ledger may still need them. */
  get bytes(): number {
    return this.isAtEnd ? 0 : this.segments.reduce((sum, segment) => sum + segment.bytes, 0);
  }

  /** Looks what there is. Throws when the folder cannot be read. */
  async measure(): Promise<void> {
    this.segments = await this.folders.segments(this.id);
  }

  /** Looks what there is and begins to ship it, each partition once its mark is told. Throws when the folder cannot be read. */
  async ship(): Promise<void> {
    await this.measure();
    this.isAtEnd = false;
    const { append, parts } = this;
    parts.logger.info({ spool: this.id, segments: this.segments.length }, 'shipping an adopted spool');
    const { dataDir } = this.folders;
    this.shipper = new Shipper({ source: this, dataDir, append, isNew: false }, parts);
    this.shipper.start();
  }

  /**
   * Takes marks that were asked for after `ship` looked: so what is missing in front of the first frame was applied and
   * deleted, and is not lost. Ends when they have reached the end.
   */
  async marked(marks: Marks, consumed: Consumed): Promise<void> {
    this.marks = grown(this.marks, marks);
    this.shipper?.marked(this.marks, consumed);
    if (this.shipper?.isDone && passed(this.marks, this.shipper.lastNumbers())) await this.end();
    else await this.leaveOutDeleted();
  }

  async stop(): Promise<void> {
    const { shipper } = this;
    this.shipper = null;
    await shipper?.stop();
  }

  /** Remembers since when the marks are at its end, or deletes it after a day. */
  private async end(): Promise<void> {
    await this.stop();
    this.isAtEnd = true;
    // Its writer has ended well between the look at the folder and the adoption, and took it along.
    this.isDeleted = (await this.folders.headerOf(this.id)) === null;
    if (this.isDeleted) return;
    const { disk, logger, clock } = this.parts;
    const nowMs = clock.wallMs();
    const file = path.join(this.folders.pathOf(this.id), SHIPPED_FILE);
    this.shippedAtMs ??= shippedAt(await disk.readText(file));
    if (this.shippedAtMs === null) {
      this.shippedAtMs = nowMs;
      await disk.writeFile(file, JSON.stringify({ at_ms: nowMs }));
      logger.info({ spool: this.id }, 'an adopted spool is applied to its end');
    } else if (nowMs - this.shippedAtMs >= KEEP_MS) {
      await disk.removeFolder(this.folders.pathOf(this.id));
      this.isDeleted = true;
      logger.info({ spool: this.id }, 'an adopted spool is deleted');
    }
  }

  /** A writer that lives after all deletes what the ledger has applied. */
  private async leaveOutDeleted(): Promise<void> {
    const there = new Set((await this.folders.segments(this.id)).map(({ index }) => index));
    this.segments = this.segments.filter(({ index }) => there.has(index));
  }
}

function shippedAt(text: string | null): number | null {
  const [, digits] = /^\{"at_ms":(\d+)\}$/.exec(text ?? '') ?? [];
  return digits === undefined ? null : Number(digits);
}
