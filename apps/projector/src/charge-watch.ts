import { overdueCharges } from '@vendo/read-models';
import type { Clock, Logger, Metrics } from '@vendo/runtime';
import type pg from 'pg';
import type { Duty } from './duty.js';

const CHECK_EVERY_MS = 10_000;
/** A charge and its usage event leave the gateway in one frame, so one without the other for this long is a loss or a parked record. */
const OVERDUE_SECONDS = 60;

export interface ChargeWatchParts {
  pool: pg.Pool;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
}

/** Raises an alert for every charge whose usage event has not been projected a minute after the charge was. */
export class ChargeWatch {
  private readonly overdue;
  private told = new Set<string>();
  readonly duty: Duty = { place: 'charges without usage', run: (signal) => this.run(signal) };

  constructor(private readonly parts: ChargeWatchParts) {
    this.overdue = parts.metrics.gauge(
      'vendo_charges_without_usage',
      'Charges that have had no usage event for over 60 s',
    );
  }

  private async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.check();
      } catch (thrown) {
        // The runner has said already that the database is away.
        this.parts.logger.debug({ err: thrown }, 'charges without usage could not be looked for');
      }
      await this.parts.clock.sleep(CHECK_EVERY_MS, signal);
    }
    // Another projector counts them from here on.
    this.overdue.set(0);
    this.told.clear();
  }

  /** Throws what pg throws. */
  async check(): Promise<void> {
    const { count, oldest } = await overdueCharges(this.parts.pool, OVERDUE_SECONDS);
    this.overdue.set(count);
    for (const { holdId, tenantId, chargedAt } of oldest.filter((charge) => !this.told.has(charge.holdId)))
      this.parts.logger.error(
        {
          alert: 'charge_without_usage',
          call: holdId,
          tenant: tenantId,
          charged_at: chargedAt.toISOString(),
        },
        'a charge has no usage event',
      );
    this.told = new Set(oldest.map(({ holdId }) => holdId));
  }
}
