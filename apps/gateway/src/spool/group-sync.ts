import type { SpoolParts } from './spool-parts.js';

/** Power loss may cost what was written in this long, milliseconds. */
const GROUP_MS = 20;
/** A disk that takes longer than this for a sync counts as failed for those who wait, milliseconds. */
export const PATIENCE_MS = 2_000;

interface Waiting {
  /** How many writes must be on the disk. */
  upTo: number;
  release(): void;
}

/**
 * Brings written files to the disk, all writes of 20 ms together in the background, or at once when somebody waits: then
 * those who come while a sync runs share the next one. Idle when nothing was written.
 */
export class GroupSync {
  /** True from a failed or stuck sync to the next good one. */
  failed = false;
  /** Of the writes that `written` counted, how many are on the disk. */
  onDisk = 0;
  private writes = 0;
  private readonly dirty = new Set<number>();
  private folderDirty = false;
  private timer: NodeJS.Timeout | null = null;
  private running: Promise<void> | null = null;
  private waiting: Waiting[] = [];
  private patience: NodeJS.Timeout | null = null;
  /** Deleted files that the running sync may still use. */
  private readonly forgotten = new Set<number>();

  constructor(
    private readonly parts: Pick<SpoolParts, 'disk' | 'logger' | 'metrics'>,
    private readonly folder: string,
  ) {}

  /** Returns the write's number, which `onDisk` reaches. */
  written(file: number): number {
    this.dirty.add(file);
    this.writes += 1;
    this.schedule();
    return this.writes;
  }

  /** A file was created: the folder's entries must reach the disk with its data. */
  created(): void {
    this.folderDirty = true;
    this.schedule();
  }

  /**
   * Resolves when everything written so far is on the disk, or when that has failed or takes longer than 2 s: then
   * `failed` says so. Null when there is nothing to wait for. Never rejects.
   */
  reached(): Promise<void> | null {
    if (this.failed || this.onDisk === this.writes) return null;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.waiting.push({ upTo: this.writes, release: resolve });
    this.patience ??= setTimeout(() => this.fail(new Error('the sync is stuck')), PATIENCE_MS);
    if (this.running === null) this.start();
    return promise;
  }

  /** Closes a deleted file as soon as no sync uses it. */
  forget(file: number): void {
    this.dirty.delete(file);
    this.forgotten.add(file);
    if (this.running === null) this.closeForgotten();
  }

  /** Syncs what is left; the files stay open. */
  async close(): Promise<void> {
    // What ends may begin the next one, for those who wait.
    while (this.running !== null) await this.running;
    this.cancelTimer();
    await this.run();
    this.closeForgotten();
  }

  private schedule(): void {
    if (this.running === null) this.timer ??= setTimeout(() => this.start(), GROUP_MS);
  }

  private start(): void {
    this.cancelTimer();
    this.running = this.run().finally(() => {
      this.running = null;
      this.closeForgotten();
      if (this.waiting.length > 0) this.start();
      else if (this.dirty.size > 0 || this.folderDirty) this.schedule();
    });
  }

  private cancelTimer(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
  }

  private async run(): Promise<void> {
    const { disk } = this.parts;
    const files = [...this.dirty];
    const withFolder = this.folderDirty;
    const upTo = this.writes;
    this.dirty.clear();
    this.folderDirty = false;
    try {
      await Promise.all(files.map((file) => disk.sync(file)));
      if (withFolder) await disk.syncFolder(this.folder);
      this.failed = false;
      this.onDisk = upTo;
      this.release(upTo);
    } catch (thrown) {
      for (const file of files) if (!this.forgotten.has(file)) this.dirty.add(file);
      this.folderDirty ||= withFolder;
      this.fail(thrown);
    }
  }

  /** Nobody waits for a disk that does not work: billing never fails a call. */
  private fail(thrown: unknown): void {
    const { logger, metrics } = this.parts;
    metrics.writeFailures.inc();
    if (!this.failed)
      logger.error({ alert: 'spool_sync_failed', err: thrown }, 'the spool could not be synced to the disk');
    this.failed = true;
    this.release(this.writes);
  }

  private release(upTo: number): void {
    const released = this.waiting.filter((one) => one.upTo <= upTo);
    this.waiting = this.waiting.filter((one) => one.upTo > upTo);
    for (const one of released) one.release();
    if (this.patience) clearTimeout(this.patience);
    this.patience =
      this.waiting.length === 0
        ? null
        : setTimeout(() => this.fail(new Error('the sync is stuck')), PATIENCE_MS);
  }

  private closeForgotten(): void {
    for (const file of this.forgotten) this.parts.disk.close(file);
    this.forgotten.clear();
  }
}
