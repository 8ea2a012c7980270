import type { Clock, Logger } from '@vendo/runtime';
import { type Expire, type Hold, maxAgeMs } from '../wallet/wallet.js';
import type { Writer } from '../writer/writer.js';
import type { SpoolBeats } from './spool-beats.js';

const TICK_MS = 1_000;
/** Two ticks further apart than this: the process itself was stopped, and beats may have waited outside. */
const BREAK_MS = 3_000;
const FORGET_MS = 10 * 60_000;
const EXPIRE_AT_ONCE = 1_000;

/**
 * Once a second: ends the holds of owned shards whose spool is silent or that are too old; a job's has only its age. Silence counts from the latest
 * of: the last beat, taking the shard, the end of a break of its lease or of this process.
 */
export class Expiry {
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();
  private tickedAtMs: number;

  constructor(
    private readonly writer: Writer,
    private readonly beats: SpoolBeats,
    private readonly clock: Clock,
    private readonly logger: Logger,
    /** A spool's writer that has not been heard of for this long is gone, milliseconds. */
    private readonly silenceMs: number,
  ) {
    this.tickedAtMs = clock.monotonicMs();
  }

  start(): void {
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      await this.clock.sleep(TICK_MS, signal);
      if (!signal.aborted)
        await this.tick().catch((thrown: unknown) =>
          this.logger.warn({ err: thrown }, 'expiry: a tick failed, trying again'),
        );
    }
  }

  /** One round. Throws when Postgres does not answer; the next round tries again. */
  async tick(): Promise<void> {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.tickedAtMs > BREAK_MS) this.beats.resumed();
    this.tickedAtMs = nowMs;
    await this.expire(nowMs);
    this.beats.forget(FORGET_MS, new Set([...this.writer.openHolds()].map(({ hold }) => hold.spoolId ?? '')));
  }

  private async expire(monotonicMs: number): Promise<void> {
    const due = this.dueHolds(monotonicMs);
    if (due.length === 0) return;
    await this.writer.submitAll(due);
    this.logger.warn({ holds: due.length }, 'holds expired');
  }

  /** @param monotonicMs read before anything else: whatever stops the process from there on is nobody's silence. */
  private dueHolds(monotonicMs: number): Expire[] {
    const nowMs = this.writer.ledgerNowMs();
    const due: Expire[] = [];
    for (const { hold, watchedSinceMs } of this.writer.openHolds()) {
      const reason = this.reasonToEnd(hold, monotonicMs - watchedSinceMs, monotonicMs, nowMs);
      if (reason) due.push({ type: 'expire', holdId: hold.id, tenantId: hold.tenantId, reason });
      if (due.length === EXPIRE_AT_ONCE) break;
    }
    return due;
  }

  private reasonToEnd(
    hold: Hold,
    watchedMs: number,
    monotonicMs: number,
    nowMs: number,
  ): Expire['reason'] | null {
    const { spoolId, job, reservedAtMs } = hold;
    const isWatched = spoolId !== null && job === null;
    if (isWatched && Math.min(watchedMs, this.beats.silentMs(spoolId, monotonicMs)) > this.silenceMs)
      return 'spool_silent';
    return nowMs - reservedAtMs >= maxAgeMs(hold) ? 'max_age' : null;
  }
}
