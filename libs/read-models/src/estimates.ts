import type { UsageLine } from '@vendo/events';
import { microsToWire } from '@vendo/money';
import type pg from 'pg';
import type { EventsCursor } from './events-cursor.js';

/** Evidence of a usage event whose quantity no final report gave. */
export type EstimateEvidence = 'counted' | 'estimated';

/** Which estimates; what is absent narrows nothing. */
export interface EstimatesFilter {
  evidence?: EstimateEvidence | undefined;
  tenantId?: string | undefined;
  provider?: string | undefined;
  /** UTC days, `YYYY-MM-DD`, both of them included. */
  from?: string | undefined;
  to?: string | undefined;
}

/** A usage event that was counted or estimated, as finance sees it: micros are integers, other decimals strings. */
export interface Estimate {
  hold_id: string;
  tenant_id: string;
  provider: string;
  model: string | null;
  lines: UsageLine[];
  cost_micros: number;
  evidence: EstimateEvidence;
  /** By the ledger's clock when the hold was reserved: what decides the usage day. */
  at: string;
}

/** How many estimates there are of one provider and kind of evidence, and what they cost together. */
export interface EstimateTotal {
  provider: string;
  evidence: EstimateEvidence;
  count: number;
  cost_micros: number;
}

// The first condition is that of the partial indexes, in the words by which Postgres knows it again.
const OF_FILTER = `from read.usage_events
  where evidence in ('counted', 'estimated') and ($1::text is null or evidence = $1)
    and ($2::uuid is null or tenant_id = $2) and ($3::text is null or provider = $3)
    and ($4::date is null or reserved_at >= $4::date::timestamp at time zone 'UTC')
    and ($5::date is null or reserved_at < ($5::date + 1)::timestamp at time zone 'UTC')`;

/** Newest first by `at`, then by hold id; at most `limit`, strictly after the cursor. */
export async function estimatesOf(
  pool: pg.Pool,
  filter: EstimatesFilter,
  after: EventsCursor | undefined,
  limit: number,
): Promise<Estimate[]> {
  const { rows } = await pool.query<Omit<Estimate, 'cost_micros' | 'at'> & { cost_micros: string; at: Date }>(
    `select hold_id, tenant_id, provider, model, lines, cost_micros, evidence, reserved_at as at
     ${OF_FILTER} and ($6::timestamptz is null or (reserved_at, hold_id) < ($6, $7::uuid))
     order by reserved_at desc, hold_id desc limit $8`,
    [...parametersOf(filter), after?.reservedAt ?? null, after?.id ?? null, limit],
  );
  return rows.map(({ cost_micros, at, ...row }) => ({
    ...row,
    cost_micros: microsToWire(BigInt(cost_micros)),
    at: at.toISOString(),
  }));
}

/** Of everything that the filter finds, whatever page is shown; by provider, then evidence. */
export async function estimateTotalsOf(pool: pg.Pool, filter: EstimatesFilter): Promise<EstimateTotal[]> {
  const { rows } = await pool.query<
    Omit<EstimateTotal, 'count' | 'cost_micros'> & Record<'count' | 'cost_micros', string>
  >(
    `select provider, evidence, count(*), sum(cost_micros) as cost_micros ${OF_FILTER} group by 1, 2 order by 1, 2`,
    parametersOf(filter),
  );
  return rows.map(({ count, cost_micros, ...row }) => ({
    ...row,
    count: Number(count),
    cost_micros: microsToWire(BigInt(cost_micros)),
  }));
}

function parametersOf({ evidence, tenantId, provider, from, to }: EstimatesFilter): (string | null)[] {
  return [evidence ?? null, tenantId ?? null, provider ?? null, from ?? null, to ?? null];
}
