import type { EventData, UsageMeasuredV1 } from '@vendo/events';
import type pg from 'pg';
import type { ReadModelTable } from './generations.js';

// Tables are named bare: `beginIn` says which generation's they are.

export const USAGE_TABLES: readonly ReadModelTable[] = [
  { name: 'usage_events', time: 'reserved_at', sums: ['provider_cost_micros', 'cost_micros', 'hold_micros'] },
  { name: 'usage_corrections', time: 'reserved_at', sums: ['provider_cost_micros', 'cost_micros'] },
  { name: 'usage_hourly', time: 'hour', sums: ['quantity', 'cost_micros'] },
  { name: 'usage_calls_hourly', time: 'hour', sums: ['calls'] },
];

const COLUMNS = `hold_id, tenant_id, app_id, key_id, connection_id, provider, route, model, upstream_request_id,
  status, outcome, evidence, lines, provider_cost_micros, cost_micros, rate_version, hold_micros,
  reserved_at, started_at, ended_at, ttfb_ms, stream`;

const CORRECTION_COLUMNS = `hold_id, n, tenant_id, app_id, key_id, connection_id, provider, route, model, reason, lines,
  provider_cost_micros, cost_micros, rate_version, hold_micros, reserved_at`;

/**
 * Inserts usage events, at most one per hold, and answers the holds that were new: the same fact written twice by a
 * gateway has two offsets, so the checkpoint does not guard against it.
 */
export async function insertUsageEvents(
  tx: pg.PoolClient,
  events: readonly UsageMeasuredV1[],
): Promise<string[]> {
  const given = events.map(({ id, ...fields }) => ({ hold_id: id, ...fields }));
  const { rows } = await tx.query<{ hold_id: string }>(
    `insert into usage_events (${COLUMNS})
     select ${COLUMNS} from json_populate_recordset(null::usage_events, $1::json) order by hold_id
     on conflict (hold_id) do nothing
     returning hold_id`,
    [JSON.stringify(given)],
  );
  return rows.map(({ hold_id }) => hold_id);
}

/** Adds these stored events to the hourly roll-ups; call it once per event, with what `insertUsageEvents` answered. */
export async function addToRollups(tx: pg.PoolClient, holdIds: readonly string[]): Promise<void> {
  await tx.query(
    `insert into usage_calls_hourly (hour, tenant_id, app_id, connection_id, provider, model, calls)
     select date_trunc('hour', reserved_at, 'UTC'), tenant_id, app_id, connection_id, provider, model, count(*)
     from usage_events where hold_id = any($1)
     group by 1, 2, 3, 4, 5, 6 order by 2, 1, 3, 4, 5, 6
     on conflict (tenant_id, hour, app_id, connection_id, provider, model)
     do update set calls = usage_calls_hourly.calls + excluded.calls`,
    [holdIds],
  );
  await addLines(tx, `select * from usage_events where hold_id = any($1)`, holdIds);
}

/** Inserts corrections, at most one per hold and number, and adds the lines of those that were new to the hours of their holds. */
export async function addCorrections(
  tx: pg.PoolClient,
  corrections: readonly EventData<'UsageCorrected.v1'>[],
): Promise<void> {
  const { rows } = await tx.query<{ place: string }>(
    `insert into usage_corrections (${CORRECTION_COLUMNS})
     select ${CORRECTION_COLUMNS} from json_populate_recordset(null::usage_corrections, $1::json) order by hold_id, n
     on conflict (hold_id, n) do nothing
     returning hold_id || ' ' || n as place`,
    [JSON.stringify(corrections)],
  );
  const fresh = rows.map(({ place }) => place);
  if (fresh.length === 0) return;
  await addLines(
    tx,
    `select * from usage_corrections where (hold_id, n) in (select split_part(place, ' ', 1)::uuid, split_part(place, ' ', 2)::int from unnest($1::text[]) place)`,
    fresh,
  );
}

/** @param facts rows with `lines`, named by `$1`. */
async function addLines(tx: pg.PoolClient, facts: string, names: readonly string[]): Promise<void> {
  await tx.query(
    `insert into usage_hourly (hour, tenant_id, app_id, connection_id, provider, model, meter, quantity, cost_micros)
     select date_trunc('hour', reserved_at, 'UTC'), tenant_id, app_id, connection_id, provider,
            coalesce(line->>'model', model), line->>'meter',
            sum((line->>'quantity')::numeric), sum((line->>'cost_micros')::bigint)
     from (${facts}) facts cross join lateral json_array_elements(lines) as line
     group by 1, 2, 3, 4, 5, 6, 7 order by 2, 1, 3, 4, 5, 6, 7
     on conflict (tenant_id, hour, app_id, connection_id, provider, model, meter)
     do update set quantity = usage_hourly.quantity + excluded.quantity,
                   cost_micros = usage_hourly.cost_micros + excluded.cost_micros`,
    [names],
  );
}
