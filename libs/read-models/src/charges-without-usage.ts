import type pg from 'pg';

/** A charge of the ledger, named as the columns of its row. */
export interface ChargeRow {
  hold_id: string;
  tenant_id: string;
  charged_at: string;
}

export interface ChargeWithoutUsage {
  holdId: string;
  tenantId: string;
  chargedAt: Date;
}

export interface OverdueCharges {
  count: number;
  /** The oldest of them, at most 100. */
  oldest: ChargeWithoutUsage[];
}

/** Notes the charges whose usage event is not there yet; usually it is, and nothing is written. */
export async function noteChargesWithoutUsage(
  tx: pg.PoolClient,
  charges: readonly ChargeRow[],
): Promise<void> {
  await tx.query(
    `insert into read.charges_without_usage (hold_id, tenant_id, charged_at)
     select hold_id, tenant_id, charged_at
     from json_populate_recordset(null::read.charges_without_usage, $1::json) as charge
     where not exists (select from read.usage_events as usage where usage.hold_id = charge.hold_id)
     order by hold_id
     on conflict do nothing`,
    [JSON.stringify(charges)],
  );
}

/** Forgets the charges whose usage event has come, and answers those that were noted at least `seconds` ago and still lack it. */
export async function overdueCharges(pool: pg.Pool, seconds: number): Promise<OverdueCharges> {
  await pool.query(
    'delete from read.charges_without_usage as charge using read.usage_events as usage where usage.hold_id = charge.hold_id',
  );
  const { rows } = await pool.query<{ hold_id: string; tenant_id: string; charged_at: Date; count: string }>(
    `select hold_id, tenant_id, charged_at, count(*) over () as count from read.charges_without_usage
     where noticed_at <= clock_timestamp() - make_interval(secs => $1)
     order by noticed_at, hold_id limit 100`,
    [seconds],
  );
  return {
    count: Number(rows[0]?.count ?? 0),
    oldest: rows.map(({ hold_id, tenant_id, charged_at }) => ({
      holdId: hold_id,
      tenantId: tenant_id,
      chargedAt: charged_at,
    })),
  };
}
