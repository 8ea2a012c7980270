import type { LogBatch } from './event-log.js';

/** Most records that one LogBatch carries, on every adapter: what a reader applies in one transaction. */
export const BATCH_RECORDS_MAX = 500;

/** Batches that were fetched for one reader and that it has not taken yet. A failure is told after the batches before it. */
export class BatchQueue {
  private readonly batches: LogBatch[] = [];
  private failure: Error | null = null;
  private wake: (() => void) | null = null;

  get length(): number {
    return this.batches.length;
  }

  put(batch: LogBatch): void {
    this.batches.push(batch);
    this.wake?.();
  }

  fail(error: Error): void {
    this.failure ??= error;
    this.wake?.();
  }

  /** The next batch, waiting for it; null when the signal aborts. Throws what `fail` was given. */
  async take(signal: AbortSignal): Promise<LogBatch | null> {
    while (!signal.aborted) {
      const batch = this.batches.shift();
      if (batch) return batch;
      if (this.failure) throw this.failure;
      await this.changed(signal);
    }
    return null;
  }

  private changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.wake = null;
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.wake = done;
      signal.addEventListener('abort', done, { once: true });
    });
  }
}
