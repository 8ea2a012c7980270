import type { Leases } from '@vendo/read-models';
import type { Clock, Health, Logger } from '@vendo/runtime';
import type { Duty } from './duty.js';

/** A dead projector's work is taken within the 3 s of its last beat, and one turn. */
const TURN_EVERY_MS = 500;

export interface RosterParts {
  leases: Leases;
  clock: Clock;
  logger: Logger;
  health: Health;
}

/** Shares the duties with the other projectors: begins what falls to this one, and ends what falls to another. */
export class Roster {
  private readonly working = new Map<string, { stop: AbortController; ended: Promise<void> }>();

  /** @param duties what there is to do now. */
  constructor(
    private readonly parts: RosterParts,
    private readonly duties: () => Promise<Duty[]>,
  ) {}

  /** Resolves when the signal aborts, every duty has ended and its lease is given back; never throws. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.turn();
        this.parts.health.up('leases');
      } catch (thrown) {
        // What was begun goes on: it can write nothing while the database is away, nor what another one has taken.
        this.parts.health.down('leases', 'waiting for the database');
        this.parts.logger.debug({ err: thrown }, 'the turn failed');
      }
      await this.parts.clock.sleep(TURN_EVERY_MS, signal);
    }
    await this.end([...this.working.keys()]);
    // The database may be away; then the leases end by themselves.
    await this.parts.leases.end().catch(() => undefined);
  }

  /** Throws what pg throws. */
  private async turn(): Promise<void> {
    const duties = await this.duties();
    const { held, surplus } = await this.parts.leases.turn(duties.map(({ place }) => place));
    const leaving = new Set(surplus);
    const ending = [...this.working.keys()].filter((place) => !held.has(place) || leaving.has(place));
    await this.end(ending);
    if (surplus.length > 0) await this.parts.leases.leave(surplus);
    const beginning = duties.filter(
      ({ place }) => held.has(place) && !leaving.has(place) && !this.working.has(place),
    );
    for (const duty of beginning) this.begin(duty);
    if (ending.length + beginning.length > 0)
      this.parts.logger.info(
        { begun: beginning.length, ended: ending.length, duties: this.working.size, of: duties.length },
        'work is shared anew',
      );
  }

  private begin({ place, run }: Duty): void {
    const stop = new AbortController();
    this.working.set(place, { stop, ended: run(stop.signal) });
  }

  private async end(places: readonly string[]): Promise<void> {
    for (const place of places) this.working.get(place)?.stop.abort();
    await Promise.all(places.map((place) => this.working.get(place)?.ended));
    for (const place of places) this.working.delete(place);
  }
}
