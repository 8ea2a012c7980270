import type { Logger, Metrics } from '@vendo/runtime';
import type { KeptObject, ObjectTable } from './object-table.js';

/** At most some kilobytes each. */
const WAITING_MAX = 10_000;
const GIVEN_UP_AFTER_MS = 86_400_000;
const STOP_WITHIN_MS = 3_000;

/** Between two rounds, milliseconds: doubled after each that failed. */
export interface RetryPauses {
  least: number;
  most: number;
}
const PAUSES: RetryPauses = { least: 1_000, most: 60_000 };

interface Waiting {
  object: KeptObject;
  sinceMs: number;
}

/**
 * Writes rows that could not be written when their answer ended, again and again: without its row the maker of an object
 * is refused it by every other gateway. For a day each, 10,000 at a time; those of a process that dies are lost.
 */
export class LateWrites {
  /** In the order of their turn. */
  private waiting: Waiting[] = [];
  private underWay: Waiting | null = null;
  private timer: NodeJS.Timeout | null = null;
  private round: Promise<void> = Promise.resolve();
  private pauseMs: number;
  private stopped = false;
  private readonly given;
  private readonly gauge;

  /** @param isEnded asked when a row has been written: its job may have ended meanwhile. */
  constructor(
    private readonly table: ObjectTable,
    private readonly isEnded: (object: KeptObject) => boolean,
    private readonly logger: Logger,
    metrics: Metrics,
    private readonly pauses = PAUSES,
  ) {
    this.pauseMs = pauses.least;
    this.gauge = metrics.gauge(
      'vendo_stored_objects_waiting',
      "Rows of objects in the providers' accounts that wait to be written",
    );
    this.given = metrics.counter(
      'vendo_stored_objects_given_up_total',
      "Objects in the providers' accounts whose row is not tried any more: nobody can name them later",
      ['provider'],
    );
  }

  add(object: KeptObject): void {
    if (this.stopped) {
      this.giveUp(object);
      return;
    }
    this.waiting.push({ object, sinceMs: performance.now() });
    if (this.waiting.length > WAITING_MAX) {
      const [oldest] = this.waiting.splice(this.waiting[0] === this.underWay ? 1 : 0, 1);
      if (oldest) this.giveUp(oldest.object);
    }
    this.gauge.set(this.waiting.length);
    this.schedule();
  }

  /** Tries once more what waits, for 3 s and the write that is under way then. */
  async stop(): Promise<void> {
    this.stopped = true;
    if (this.timer) clearTimeout(this.timer);
    await this.round;
    const by = performance.now() + STOP_WITHIN_MS;
    for (const { object } of this.waiting.splice(0))
      if (performance.now() > by || !(await this.write(object))) this.giveUp(object);
  }

  private schedule(): void {
    if (this.timer || this.stopped) return;
    this.timer = setTimeout(() => {
      this.round = this.writeAll().finally(() => {
        this.timer = null;
        if (this.waiting.length > 0) this.schedule();
      });
    }, this.pauseMs);
    this.timer.unref();
  }

  /** Until one fails or a stop comes. One that failed is the last in turn: it may be the only one that cannot be written. */
  private async writeAll(): Promise<void> {
    for (let next = this.waiting[0]; next && !this.stopped; next = this.waiting[0]) {
      this.underWay = next;
      const isWritten = await this.write(next.object);
      this.underWay = null;
      this.waiting = this.waiting.filter((one) => one !== next);
      if (!isWritten) this.putOff(next);
      this.gauge.set(this.waiting.length);
      this.pauseMs = isWritten ? this.pauses.least : Math.min(this.pauseMs * 2, this.pauses.most);
      if (!isWritten) return;
    }
  }

  private async write(object: KeptObject): Promise<boolean> {
    try {
      await this.table.add(object);
      if (this.isEnded(object)) await this.table.end(object);
      return true;
    } catch (thrown) {
      this.logger.warn({ err: thrown, provider: object.provider }, 'the row of a stored object still waits');
      return false;
    }
  }

  private putOff(one: Waiting): void {
    if (performance.now() - one.sinceMs < GIVEN_UP_AFTER_MS) this.waiting.push(one);
    else this.giveUp(one.object);
  }

  private giveUp({ provider }: KeptObject): void {
    this.given.inc({ provider });
    this.logger.error({ provider }, 'the row of a stored object is lost: nobody can name it later');
  }
}
