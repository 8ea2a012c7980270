import type { EventRecord } from '@vendo/events';
import type { Frame } from './frame.js';
import type { FrameSource } from './frame-source.js';
import type { Marks } from './marks.js';
import type { Spool } from './spool.js';

/** One spool that this process writes, as shipping and handing over need it. */
export interface WrittenSpool extends Spool, FrameSource {
  /** Bytes of undeleted segments and of frames that wait in memory. */
  readonly bytes: number;
  /** Called after frames were written; the shipper sets it. */
  onWritten: () => void;
  /** Bytes of dead writers' spools in the same data folder that the ledger still needs; the shipper sets it. */
  leftoverBytes: () => number;

  /** As `append`, of records of one partition. */
  put(partition: number, records: readonly EventRecord[]): boolean;

  /** Deletes every finished segment whose records the ledger has all applied. */
  marked(marks: Marks): void;

  /** Whether the ledger has applied everything that was ever appended. */
  isMarked(): boolean;

  /** At most how long the oldest record that the ledger has not applied has been waiting, in steps of the marks. */
  oldestUnmarkedMs(): number;

  /** How much is on the disk when a beat is sent: whoever adopts this spool after that beat's answer reads it. */
  beatSent(): number;

  /** The beat that was sent then found that this spool is still ours. */
  beatIsGood(onDisk: number): void;

  /** What an adopter may not have read, in the order of the appends: every frame since the last good beat. */
  unproven(): Frame[];

  /** Stops writing and leaves the folder to whoever has adopted it. Never rejects. */
  abandon(): Promise<void>;

  /**
   * Tries once more to write what failed, syncs, and closes the files; a spool that is empty or applied deletes itself.
   * `keepFolder`: not so; its header is what tells that this process, as the adopter of others' spools, is gone.
   */
  close(options?: { keepFolder?: boolean }): Promise<void>;
}
