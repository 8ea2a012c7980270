import type { Clock } from '@vendo/runtime';

const FRESH_MS = 1_000;
const FREE_GRACE_MS = 600_000;

/** How old the knowledge of the registry's changes is: counted from the begin of the last good poll. */
export class PollAge {
  private lastGoodBegan = Number.NEGATIVE_INFINITY;

  constructor(private readonly clock: Clock) {}

  /** @param began monotonic milliseconds. */
  succeeded(began: number): void {
    this.lastGoodBegan = began;
  }

  /** Whatever changed over 1 s ago is known. */
  isFresh(): boolean {
    return this.ms() <= FRESH_MS;
  }

  /** Free routes may still go on with what is cached. */
  isTolerable(): boolean {
    return this.ms() <= FREE_GRACE_MS;
  }

  private ms(): number {
    return this.clock.monotonicMs() - this.lastGoodBegan;
  }
}
