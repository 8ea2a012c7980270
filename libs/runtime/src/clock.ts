/** Time, handed in from the module file so that tests and simulations can move it. Nothing here decides money: that is the ledger's clock. */
export abstract class Clock {
  /** Wall time in milliseconds since the epoch. May jump. */
  abstract wallMs(): number;
  /** Monotonic milliseconds with a fraction; only differences mean something. */
  abstract monotonicMs(): number;
  /** Resolves after `ms`, or at once when the signal aborts. Never throws. */
  abstract sleep(ms: number, signal?: AbortSignal): Promise<void>;

  /** Resolves when the work has ended, or after `ms` without it, and leaves no timer behind. Throws what the work throws. */
  async within(ms: number, work: Promise<unknown>): Promise<void> {
    const over = new AbortController();
    await Promise.race([work, this.sleep(ms, over.signal)]).finally(() => over.abort());
  }
}

export class SystemClock extends Clock {
  wallMs(): number {
    return Date.now();
  }

  monotonicMs(): number {
    return performance.now();
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal?.addEventListener('abort', done, { once: true });
    });
  }
}
