import type { UsageLine } from '@vendo/events';
import { type Micros, microsToWire } from '@vendo/money';
import type pg from 'pg';
import {
  type Estimate,
  type EstimatesFilter,
  type EstimateTotal,
  estimatesOf,
  estimateTotalsOf,
} from './estimates.js';
import type { EventsCursor } from './events-cursor.js';

/** A tenant's wallet as the newest folded journal row left it. */
export interface WalletBalance {
  /** Settled credit; may be negative. */
  balance: Micros;
  /** The sum of open holds. */
  held: Micros;
  /** The tenant's journal sequence number that this is as of; 0 before the first. */
  seq: number;
  /** Everything that was projected by then is counted. */
  asOf: Date;
}

/** Whose usage: a tenant's, or within it one app's or one connection's. */
export type UsageScope = { tenantId: string; appId?: string } | { tenantId: string; connectionId: string };

export type UsagePeriod = 'day' | 'month';

export interface Usage {
  /** The UTC calendar day or month of now, by the database's clock; `end` is exclusive. */
  start: Date;
  end: Date;
  /** Everything that was projected by then is counted. */
  asOf: Date;
  rows: UsageRow[];
}

/** One group of the roll-ups: a meter with its quantity and cost, or (meter null) a model with its calls. */
export type UsageRow =
  | { provider: string; model: string | null; meter: string; quantity: string; cost: Micros }
  | { provider: string; model: string | null; meter: null; calls: number };

/** A usage event as the operator API shows it: micros are integers, other decimals strings. */
export interface UsageEvent {
  id: string;
  tenant_id: string;
  app_id: string | null;
  key_id: string;
  connection_id: string;
  provider: string;
  route: string;
  model: string | null;
  upstream_request_id: string | null;
  status: number | null;
  outcome: string;
  evidence: string;
  lines: UsageLine[];
  provider_cost_micros: number;
  cost_micros: number;
  /** What corrections have changed its cost by; negative gave back. */
  corrected_micros: number;
  rate_version: number;
  hold_micros: number;
  reserved_at: string;
  started_at: string;
  ended_at: string;
  ttfb_ms: number | null;
  stream: boolean;
}

/** A record that a projection set aside, without its bytes. */
export interface ParkedProjection {
  id: string;
  projection: string;
  topic: string;
  partition: number;
  offset: string;
  tenantId: string;
  reason: string;
  parkedAt: Date;
}

type UsageEventRow = Omit<
  UsageEvent,
  | 'provider_cost_micros'
  | 'cost_micros'
  | 'corrected_micros'
  | 'rate_version'
  | 'hold_micros'
  | 'reserved_at'
  | 'started_at'
  | 'ended_at'
> &
  Record<
    'provider_cost_micros' | 'cost_micros' | 'corrected_micros' | 'rate_version' | 'hold_micros',
    string
  > &
  Record<'reserved_at' | 'started_at' | 'ended_at', Date>;

/** What the gateway asks the read models. Each answer is one snapshot; the tables lag the journal, usually by milliseconds. */
export class ReadModels {
  constructor(private readonly pool: pg.Pool) {}

  /** Zeros for a tenant of which the journal has said nothing yet. */
  async balanceOf(tenantId: string): Promise<WalletBalance> {
    const { rows } = await this.pool.query<{
      balance_micros: string;
      held_micros: string;
      seq: string;
      as_of: Date;
    }>(
      `select coalesce(balance_micros, 0) as balance_micros, coalesce(held_micros, 0) as held_micros,
              coalesce(seq, 0) as seq, now() as as_of
       from (values ($1::uuid)) as asked (tenant_id) left join read.wallet_balances using (tenant_id)`,
      [tenantId],
    );
    const [row] = rows;
    if (!row) throw new Error('the database did not tell the time');
    return {
      balance: BigInt(row.balance_micros),
      held: BigInt(row.held_micros),
      seq: Number(row.seq),
      asOf: row.as_of,
    };
  }

  /** Usage of the current UTC day or month, grouped by provider, model and meter. */
  async usageOf(scope: UsageScope, period: UsagePeriod): Promise<Usage> {
    // The window is read first: its snapshot is the older one, so `asOf` never claims more than `rows` holds.
    const { rows: windows } = await this.pool.query<{ start: Date; end: Date; as_of: Date }>(
      `select first as start, (first at time zone 'UTC' + ('1 ' || $1)::interval) at time zone 'UTC' as end, now() as as_of
       from date_trunc($1, now(), 'UTC') as first`,
      [period],
    );
    const [window] = windows;
    if (!window) throw new Error('the database did not tell the time');
    const [column, id] =
      'connectionId' in scope ? ['connection_id', scope.connectionId] : ['app_id', scope.appId ?? null];
    const { rows } = await this.pool.query<UsageGroup>(
      `select provider, model, meter, sum(quantity)::text as quantity, sum(cost_micros)::text as cost, null as calls
       from read.usage_hourly
       where tenant_id = $1 and ($2::uuid is null or ${column} = $2) and hour >= $3 and hour < $4 group by 1, 2, 3
       union all
       select provider, model, null, null, null, sum(calls)::text
       from read.usage_calls_hourly
       where tenant_id = $1 and ($2::uuid is null or ${column} = $2) and hour >= $3 and hour < $4 group by 1, 2`,
      [scope.tenantId, id, window.start, window.end],
    );
    return { start: window.start, end: window.end, asOf: window.as_of, rows: rows.map(toUsageRow) };
  }

  /** What a cap subject has used of its current UTC windows, open holds included: what is no longer free under a cap. */
  async usedOf(tenantId: string, subject: string): Promise<{ today: Micros; month: Micros }> {
    const { rows } = await this.pool.query<{ period: 'daily' | 'monthly'; used: string }>(
      `select period, (spent_micros + held_micros)::text as used from read.spend_windows
       where tenant_id = $1 and subject = $2 and (period, cap_window) in
         (('daily', to_char(now() at time zone 'UTC', 'YYYY-MM-DD')), ('monthly', to_char(now() at time zone 'UTC', 'YYYY-MM')))`,
      [tenantId, subject],
    );
    const used = (asked: string) => BigInt(rows.find(({ period }) => period === asked)?.used ?? '0');
    return { today: used('daily'), month: used('monthly') };
  }

  /** Newest first by `reserved_at`, then by id; at most `limit`, strictly after the cursor. */
  async usageEvents(
    filter: { tenantId?: string; after?: EventsCursor },
    limit: number,
  ): Promise<UsageEvent[]> {
    const { rows } = await this.pool.query<UsageEventRow>(
      `select hold_id as id, tenant_id, app_id, key_id, connection_id, provider, route, model, upstream_request_id,
              status, outcome, evidence, lines, provider_cost_micros, cost_micros,
              (select coalesce(sum(c.cost_micros), 0) from read.usage_corrections c where c.hold_id = u.hold_id)
                as corrected_micros,
              rate_version, hold_micros, reserved_at, started_at, ended_at, ttfb_ms, stream
       from read.usage_events u
       where ($1::uuid is null or tenant_id = $1)
         and ($2::timestamptz is null or (reserved_at, hold_id) < ($2, $3::uuid))
       order by reserved_at desc, hold_id desc limit $4`,
      [filter.tenantId ?? null, filter.after?.reservedAt ?? null, filter.after?.id ?? null, limit],
    );
    return rows.map(toUsageEvent);
  }

  /** Usage events that were counted or estimated, newest first; at most `limit`, strictly after the cursor. */
  estimates(filter: EstimatesFilter, after: EventsCursor | undefined, limit: number): Promise<Estimate[]> {
    return estimatesOf(this.pool, filter, after, limit);
  }

  /** Count and cost of all that the filter finds, per provider and evidence. */
  estimateTotals(filter: EstimatesFilter): Promise<EstimateTotal[]> {
    return estimateTotalsOf(this.pool, filter);
  }

  /** The newest 1,000 records that projections have set aside, newest first. */
  async parked(): Promise<ParkedProjection[]> {
    const { rows } = await this.pool.query<
      Omit<ParkedProjection, 'tenantId' | 'parkedAt'> & { tenant_id: string; parked_at: Date }
    >(
      `select id, projection, topic, partition, record_offset as offset, tenant_id, reason, parked_at
       from read.parked order by id desc limit 1000`,
    );
    return rows.map(({ tenant_id, parked_at, ...row }) => ({
      ...row,
      tenantId: tenant_id,
      parkedAt: parked_at,
    }));
  }

  /**
   * Asks for a parked record to be folded again, and what is parked behind it of its tenant; a projector does it within
   * a second or so. What fails again stays, with its new reason. False when no such record is parked.
   */
  async requestReplay(id: string): Promise<boolean> {
    if (!/^\d{1,18}$/.test(id)) return false;
    const { rowCount } = await this.pool.query(
      'update read.parked set replay_requested_at = clock_timestamp() where id = $1',
      [id],
    );
    return rowCount === 1;
  }
}

interface UsageGroup {
  provider: string;
  model: string | null;
  meter: string | null;
  quantity: string | null;
  cost: string | null;
  calls: string | null;
}

function toUsageRow({ provider, model, meter, quantity, cost, calls }: UsageGroup): UsageRow {
  if (meter === null) return { provider, model, meter, calls: Number(calls) };
  return { provider, model, meter, quantity: plainDecimal(quantity ?? '0'), cost: BigInt(cost ?? '0') };
}

function toUsageEvent(row: UsageEventRow): UsageEvent {
  return {
    ...row,
    provider_cost_micros: microsToWire(BigInt(row.provider_cost_micros)),
    cost_micros: microsToWire(BigInt(row.cost_micros)),
    corrected_micros: microsToWire(BigInt(row.corrected_micros)),
    rate_version: Number(row.rate_version),
    hold_micros: microsToWire(BigInt(row.hold_micros)),
    reserved_at: row.reserved_at.toISOString(),
    started_at: row.started_at.toISOString(),
    ended_at: row.ended_at.toISOString(),
  };
}

/** Sums of numeric keep the longest scale of their parts: `1.50` becomes `1.5`. */
function plainDecimal(numeric: string): string {
  return numeric.includes('.') ? numeric.replace(/\.?0+$/, '') : numeric;
}
