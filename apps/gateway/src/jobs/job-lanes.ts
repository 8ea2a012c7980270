import type { Job } from '@vendo/ledger-api';

const AT_ONCE = 4;
/** More are not taken: they come again by their lease, here or elsewhere. */
const WAITING_MAX = 20;

/** Asks after the jobs of one provider, four at a time, so that one that is slow keeps no other's waiting. */
export class JobLanes {
  /** Those that wait and those that are asked after, by their holds. */
  private readonly taken = new Set<string>();
  private readonly waiting: Job[] = [];
  private readonly lanes = new Set<Promise<void>>();

  /** @param ask never rejects. */
  constructor(private readonly ask: (job: Job) => Promise<void>) {}

  /** @returns false where too many wait already. One that has been taken and is leased again meanwhile is not taken twice. */
  take(job: Job): boolean {
    if (this.taken.has(job.hold_id)) return true;
    if (this.waiting.length >= WAITING_MAX) return false;
    this.taken.add(job.hold_id);
    this.waiting.push(job);
    if (this.lanes.size < AT_ONCE) this.open();
    return true;
  }

  /** Resolves when nothing waits and nothing is asked. */
  async idle(): Promise<void> {
    while (this.lanes.size > 0) await Promise.all(this.lanes);
  }

  /** Forgets those that wait. */
  clear(): void {
    this.waiting.length = 0;
  }

  private open(): void {
    const lane = this.askInTurn().finally(() => this.lanes.delete(lane));
    this.lanes.add(lane);
  }

  /** Each lane takes the next job that no other has. */
  private async askInTurn(): Promise<void> {
    for (let job = this.waiting.shift(); job; job = this.waiting.shift()) {
      await this.ask(job);
      this.taken.delete(job.hold_id);
    }
  }
}
