import { SystemClock } from '@vendo/runtime';

/** A clock that tests can put forward. */
export class SkippingClock extends SystemClock {
  skippedMs = 0;
  /** The pauses that were made, milliseconds; without them where they are skipped. */
  readonly pausesMs: number[] = [];
  skipsPauses = false;

  override monotonicMs(): number {
    return super.monotonicMs() + this.skippedMs;
  }

  override sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.pausesMs.push(ms);
    return super.sleep(this.skipsPauses ? 0 : ms, signal);
  }
}
