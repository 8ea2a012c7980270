import type { VendoEvent } from '@vendo/events';
import type { SpoolRef } from '@vendo/ledger-api';

/**
 * The gateway's numbered stream of what it reports. Files on the local disk decide; the event log is only its transport.
 * Numbers are gap-free per partition, in the order of the appends.
 */
export abstract class Spool {
  /** This process's spool, named in every reserve. Another one once it was adopted: read it at each use. */
  abstract readonly ref: SpoolRef;

  /**
   * Writes one frame to the page cache (about 0.1 ms): when it returns, the death of this process loses nothing.
   * All events are of one tenant. When the write fails it returns false: the frame stays in memory, is retried in turn,
   * an alert fires and `refusal()` says why until it is written; the events are not lost while the process lives.
   */
  abstract append(events: readonly VendoEvent[]): boolean;

  /**
   * With VENDO_SPOOL_SYNC=wait: resolves when all that was appended is on the disk. It resolves too, after at most 2 s,
   * when the disk fails; an alert fires and `refusal()` says why. Never rejects. Null: there is nothing to wait for.
   */
  abstract synced(): Promise<void> | null;

  /** Null, or why new metered calls must get 503: the spool is full, or a write has failed and is not mended yet. */
  abstract refusal(): string | null;
}
