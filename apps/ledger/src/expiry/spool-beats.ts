import type { SpoolRef } from '@vendo/ledger-api';
import type { Clock } from '@vendo/runtime';

const WRITE_EVERY_MS = 10_000;

interface Beaten {
  host: string;
  atMs: number;
  writtenAtMs: number | null;
}

/**
 * When each spool's writer was heard of last, by this process's monotonic clock. Nobody's silence counts across a break
 * of the ledger itself: it begins anew when the break is over.
 */
export class SpoolBeats {
  private readonly spools = new Map<string, Beaten>();
  private resumedAtMs: number;

  constructor(private readonly clock: Clock) {
    this.resumedAtMs = clock.monotonicMs();
  }

  /** A beat, or a reserve, which counts as one. */
  heard({ id, host }: SpoolRef): void {
    const known = this.spools.get(id);
    const atMs = this.clock.monotonicMs();
    this.spools.set(id, { host, atMs, writtenAtMs: known?.writtenAtMs ?? null });
  }

  /** The ledger is back from a break: everybody's silence starts at zero. */
  resumed(): void {
    this.resumedAtMs = this.clock.monotonicMs();
  }

  /** How long the spool's writer has been silent, milliseconds. A spool never heard of is silent since the last break. */
  silentMs(spoolId: string): number {
    const heardAtMs = this.spools.get(spoolId)?.atMs ?? Number.NEGATIVE_INFINITY;
    return this.clock.monotonicMs() - Math.max(heardAtMs, this.resumedAtMs);
  }

  /** Spools whose row is due: at their first beat and every 10 s while they beat. */
  due(): SpoolRef[] {
    return [...this.spools]
      .filter(
        ([, { atMs, writtenAtMs }]) =>
          writtenAtMs === null ||
          (atMs > writtenAtMs && this.clock.monotonicMs() - writtenAtMs >= WRITE_EVERY_MS),
      )
      .map(([id, { host }]) => ({ id, host }));
  }

  written(spools: readonly SpoolRef[]): void {
    const nowMs = this.clock.monotonicMs();
    for (const { id } of spools) {
      const known = this.spools.get(id);
      if (known) known.writtenAtMs = nowMs;
    }
  }

  /** Forgets spools that nobody has beaten for a while and that hold nothing any more. */
  forget(olderThanMs: number, holding: ReadonlySet<string>): void {
    for (const [id, { atMs }] of this.spools)
      if (this.clock.monotonicMs() - atMs > olderThanMs && !holding.has(id)) this.spools.delete(id);
  }
}
