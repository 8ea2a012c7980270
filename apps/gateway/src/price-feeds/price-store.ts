import type { Meter } from '@vendo/events';
import { Rational } from '@vendo/money';
import { Audit, nextRateVersion, Rate } from '@vendo/registry';
import type { DataSource, EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import type { FeedReading } from '../providers/price-feed.js';
import { type PriceInForce, type PricePlan, planOf } from './price-plan.js';

const ROWS_PER_INSERT = 500;

/** The registry's rows as feeds change them: rows are only ever added. */
export class PriceStore {
  constructor(private readonly registry: DataSource) {}

  /**
   * Whether this process reads the feed now: it was last begun, by whichever process, at least `everyMs` ago. The row is
   * the lease, and a reading is over long before the next is due.
   */
  async claim(provider: string, everyMs: number): Promise<boolean> {
    const claimed: unknown[] = await this.registry.query(
      `insert into registry.price_feeds (provider, tried_at) values ($1, clock_timestamp())
       on conflict (provider) do update set tried_at = clock_timestamp()
         where price_feeds.tried_at <= clock_timestamp() - $2 * interval '1 millisecond'
       returning provider`,
      [provider, everyMs],
    );
    return claimed.length > 0;
  }

  /**
   * Adds what the reading changes as one rate version, in force from now; answers what that is, and the version (null:
   * nothing changed). Planned and written under the lock of the version counter, so no price can come between the two.
   */
  async apply(provider: string, reading: FeedReading): Promise<PricePlan & { version: number | null }> {
    return this.registry.transaction(async (tx) => {
      await tx.query('select from registry.rate_version for update');
      const [clock] = await tx.query<{ now: Date }[]>('select clock_timestamp() as now');
      if (!clock) throw new Error('the database did not tell the time');
      const plan = planOf(reading, await this.inForce(tx, provider, clock.now));
      if (plan.changes.length === 0) return { ...plan, version: null };
      const version = await nextRateVersion(tx);
      await write(tx, provider, plan, version, clock.now);
      return { ...plan, version };
    });
  }

  private async inForce(tx: EntityManager, provider: string, now: Date): Promise<PriceInForce[]> {
    const rows: { model: string; meter: Meter; usd: string; per: string; source: string | null }[] =
      await tx.query(
        `select distinct on (model, meter) model, meter, unit_cost_usd::text as usd, per::text as per, source
         from registry.rates where provider = $1 and tier = 'standard' and context_from = 0 and effective_from <= $2
         order by model, meter, effective_from desc, version desc`,
        [provider, now],
      );
    return rows.map(({ model, meter, usd, per, source }) => ({
      model,
      meter,
      usd: Rational.parse(usd),
      per: Rational.parse(per),
      // Whatever comes of a list says which.
      isOperators: source === null,
      isFromFeed: source?.startsWith(feedOf(provider)) === true,
    }));
  }
}

async function write(
  tx: EntityManager,
  provider: string,
  { changes }: PricePlan,
  version: number,
  now: Date,
): Promise<void> {
  const source = `${feedOf(provider)} of ${now.toISOString().slice(0, 10)}`;
  const rows = changes.map(({ model, meter, usd, per }) => ({
    id: uuidv7(),
    ...{ provider, model, meter, version, source },
    unitCostUsd: usd.toDecimal(),
    per: per.toDecimal(),
    free: usd.isZero(),
    effectiveFrom: now,
  }));
  for (let from = 0; from < rows.length; from += ROWS_PER_INSERT)
    await tx.insert(Rate, rows.slice(from, from + ROWS_PER_INSERT));
  await tx.insert(Audit, {
    id: uuidv7(),
    who: feedOf(provider),
    action: 'rates.added',
    subject: `rate_version ${version}`,
    before: null,
    after: { version, rates: rows },
  });
}

function feedOf(provider: string): string {
  return `${provider} models feed`;
}
