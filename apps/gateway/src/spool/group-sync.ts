import type { SpoolParts } from './spool-parts.js';

/** Power loss may cost what was written in this long, milliseconds. */
const GROUP_MS = 20;

/** Brings written files to the disk in the background, all writes of 20 ms together; idle when nothing was written. */
export class GroupSync {
  /** True from a failed sync to the next good one. */
  failed = false;
  private readonly dirty = new Set<number>();
  private folderDirty = false;
  private timer: NodeJS.Timeout | null = null;
  private running: Promise<void> | null = null;
  /** Deleted files that the running sync may still use. */
  private readonly forgotten = new Set<number>();

  constructor(
    private readonly parts: Pick<SpoolParts, 'disk' | 'logger' | 'metrics'>,
    private readonly folder: string,
  ) {}

  written(file: number): void {
    this.dirty.add(file);
    this.schedule();
  }

  /** A file was created: the folder's entries must reach the disk with its data. */
  created(): void {
    this.folderDirty = true;
    this.schedule();
  }

  /** Closes a deleted file as soon as no sync uses it. */
  forget(file: number): void {
    this.dirty.delete(file);
    this.forgotten.add(file);
    if (this.running === null) this.closeForgotten();
  }

  /** Syncs what is left; the files stay open. */
  async close(): Promise<void> {
    await this.running;
    if (this.timer) clearTimeout(this.timer);
    await this.run();
    this.closeForgotten();
  }

  private schedule(): void {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.running ??= this.run().finally(() => {
        this.running = null;
        this.closeForgotten();
        if (this.dirty.size > 0 || this.folderDirty) this.schedule();
      });
    }, GROUP_MS);
  }

  private async run(): Promise<void> {
    const { disk, logger, metrics } = this.parts;
    const files = [...this.dirty];
    const withFolder = this.folderDirty;
    this.dirty.clear();
    this.folderDirty = false;
    try {
      await Promise.all(files.map((file) => disk.sync(file)));
      if (withFolder) await disk.syncFolder(this.folder);
      this.failed = false;
    } catch (thrown) {
      metrics.writeFailures.inc();
      if (!this.failed)
        logger.error(
          { alert: 'spool_sync_failed', err: thrown },
          'the spool could not be synced to the disk',
        );
      this.failed = true;
      for (const file of files) if (!this.forgotten.has(file)) this.dirty.add(file);
      this.folderDirty ||= withFolder;
    }
  }

  private closeForgotten(): void {
    for (const file of this.forgotten) this.parts.disk.close(file);
    this.forgotten.clear();
  }
}
