import path from 'node:path';
import type { FrameSource, SegmentFile } from './frame-source.js';
import { type Marks, passed } from './marks.js';
import type { AppendToLog } from './partition-lane.js';
import { Shipper } from './shipper.js';
import { segmentIndex } from './spool-folder.js';
import type { SpoolParts } from './spool-parts.js';

/** How long a spool that is shipped to its end is kept, in case its writer was not gone after all. */
export const KEEP_MS = 86_400_000;
const SHIPPED_FILE = 'shipped.json';

/**
 * A spool that a dead writer left: shipped on from the marks under its own id and numbers. Once the marks have reached
 * its end it is kept for a day, then read once more, and deleted when nothing was added to it.
 */
export class Leftover implements FrameSource {
  readonly growing = false;
  segments: SegmentFile[] = [];
  isDeleted = false;
  private shipper: Shipper | null = null;
  /** When the marks were first seen at its end, wall clock. */
  private shippedAtMs: number | null = null;
  private isAtEnd = false;

  constructor(
    readonly id: string,
    private readonly folder: string,
    private readonly dataDir: string,
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

  /** Looks how much there is. Throws when the folder cannot be read. */
  async measure(): Promise<void> {
    this.segments = await this.readSegments();
  }

  /** Begins to ship what the ledger has not applied. Throws when the folder cannot be read. */
  async ship(marks: Marks): Promise<void> {
    await this.measure();
    this.isAtEnd = false;
    const { id: spool, append, dataDir } = this;
    this.parts.logger.info(
      { spool, segments: this.segments.length },
      'shipping on the spool of a dead writer',
    );
    this.shipper = new Shipper({ source: this, dataDir, append, marks }, this.parts);
    this.shipper.start();
  }

  /** Looks whether the marks have reached its end; if so, remembers since when, or deletes it after a day. */
  async settle(marks: Marks): Promise<void> {
    if (!this.shipper?.isDone || !passed(marks, this.shipper.lastNumbers())) return;
    await this.stop();
    this.isAtEnd = true;
    const nowMs = this.parts.clock.wallMs();
    this.shippedAtMs ??= await this.readShippedAt();
    if (this.shippedAtMs === null) {
      this.shippedAtMs = nowMs;
      await this.parts.disk.writeFile(path.join(this.folder, SHIPPED_FILE), JSON.stringify({ at_ms: nowMs }));
      this.parts.logger.info({ spool: this.id }, 'the spool of a dead writer is applied to its end');
    } else if (nowMs - this.shippedAtMs >= KEEP_MS) {
      await this.parts.disk.removeFolder(this.folder);
      this.isDeleted = true;
    }
  }

  async stop(): Promise<void> {
    const { shipper } = this;
    this.shipper = null;
    await shipper?.stop();
  }

  private async readSegments(): Promise<SegmentFile[]> {
    const entries = await this.parts.disk.list(this.folder);
    return entries.flatMap(({ name, bytes }) => {
      const index = segmentIndex(name);
      return index === null ? [] : { index, path: path.join(this.folder, name), bytes };
    });
  }

  private async readShippedAt(): Promise<number | null> {
    const text = await this.parts.disk.readText(path.join(this.folder, SHIPPED_FILE));
    const [, digits] = /^\{"at_ms":(\d+)\}$/.exec(text ?? '') ?? [];
    return digits === undefined ? null : Number(digits);
  }
}
