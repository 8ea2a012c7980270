import type { SpoolRef } from '@vendo/ledger-api';
import type { Clock } from '@vendo/runtime';
import type { SpoolRows } from './spool-rows.js';

/** How long a spool's row in the database may be trusted; adoption for silence waits far longer. */
const ROW_MS = 10_000;

interface Beaten {
  atMs: number;
  /** When the write of its row that succeeded last was sent. */
  rowAtMs: number;
  adopted: boolean;
}

/**
 * When each spool's writer was heard of last, by this process's monotonic clock. Nobody's silence counts across a break
 * of the ledger itself: it begins anew when the break is over.
 */
export class SpoolBeats {
  private readonly spools = new Map<string, Beaten>();
  private resumedAtMs: number;

  constructor(
    private readonly clock: Clock,
    private readonly rows: SpoolRows,
  ) {
    this.resumedAtMs = clock.monotonicMs();
  }

  /** A beat, or a reserve, which counts as one. */
  heard({ id }: SpoolRef): void {
    this.known(id).atMs = this.clock.monotonicMs();
  }

  /**
   * A beat, answered with whether another process has adopted the spool. At the first one and every 10 s the answer waits
   * for the spool's row; throws when that cannot be written, though the beat was heard.
   */
  async beat(spool: SpoolRef): Promise<{ adopted: boolean }> {
    this.heard(spool);
    const known = this.known(spool.id);
    const nowMs = this.clock.monotonicMs();
    if (nowMs - known.rowAtMs < ROW_MS) return known;
    const owner = await this.rows.beat(spool);
    known.rowAtMs = nowMs;
    // For good: an answer of the database that is late must not give the spool back to its writer.
    known.adopted ||= owner !== null;
    return known;
  }

  /** The ledger is back from a break: everybody's silence starts at zero. */
  resumed(): void {
    this.resumedAtMs = this.clock.monotonicMs();
  }

  /**
   * How long the spool's writer has been silent at a moment of the monotonic clock, milliseconds. A spool never heard of
   * is silent since the last break.
   */
  silentMs(spoolId: string, atMs: number): number {
    const heardAtMs = this.spools.get(spoolId)?.atMs ?? Number.NEGATIVE_INFINITY;
    return atMs - Math.max(heardAtMs, this.resumedAtMs);
  }

  /** Forgets spools that nobody has beaten for a while and that hold nothing any more. */
  forget(olderThanMs: number, holding: ReadonlySet<string>): void {
    for (const [id, { atMs }] of this.spools)
      if (this.clock.monotonicMs() - atMs > olderThanMs && !holding.has(id)) this.spools.delete(id);
  }

  private known(id: string): Beaten {
    const known = this.spools.get(id);
    if (known) return known;
    const first = {
      atMs: Number.NEGATIVE_INFINITY,
      rowAtMs: Number.NEGATIVE_INFINITY,
      adopted: false,
    };
    this.spools.set(id, first);
    return first;
  }
}
