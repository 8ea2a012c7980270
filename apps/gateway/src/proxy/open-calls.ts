/** A call that is under way. */
export interface OpenCall {
  /** Looks at the bounds of time. */
  tick(nowMs: number): void;
  /** Ends it now: what was measured is settled, the client's connection is closed. */
  cut(): void;
}

const TICK_MS = 1_000;

/** All calls that are under way: one timer for all their bounds, and the place where a stop waits. */
export class OpenCalls {
  private readonly calls = new Set<OpenCall>();
  private readonly timer: NodeJS.Timeout;
  private endWait: (() => void) | null = null;
  private isStopping = false;

  constructor(
    private readonly nowMs: () => number,
    private readonly changed: (open: number) => void,
  ) {
    this.timer = setInterval(() => this.tick(), TICK_MS);
    this.timer.unref();
  }

  get stopping(): boolean {
    return this.isStopping;
  }

  add(call: OpenCall): void {
    this.calls.add(call);
    this.changed(this.calls.size);
  }

  delete(call: OpenCall): void {
    if (!this.calls.delete(call)) return;
    this.changed(this.calls.size);
    if (this.calls.size === 0) this.endWait?.();
  }

  /** Gives open calls `graceMs` to end, then cuts those that are left. New ones are to be refused from now on. */
  async stop(graceMs: number): Promise<void> {
    this.isStopping = true;
    await this.emptyWithin(graceMs);
    clearInterval(this.timer);
    for (const call of [...this.calls]) call.cut();
  }

  /** Ends the time that a stop gives to open calls. */
  hurry(): void {
    this.endWait?.();
  }

  private emptyWithin(ms: number): Promise<void> {
    if (this.calls.size === 0) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.endWait = () => {
      clearTimeout(timer);
      resolve();
    };
    return promise;
  }

  private tick(): void {
    const now = this.nowMs();
    for (const call of [...this.calls]) call.tick(now);
  }
}
