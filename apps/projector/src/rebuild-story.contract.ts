import { randomUUID } from 'node:crypto';
import { expect } from '@jest/globals';
import { type EventRecord, GATEWAY_TOPIC, shardOf, type UsageMeasuredV2 } from '@vendo/events';
import { generationsOf, ReadModels, startRebuild, USAGE_TABLES } from '@vendo/read-models';
import { eventually, gatewayRecord, ProjectionStand } from './projection.contract.js';
import { usage } from './projections/usage/usage.projection.js';

const TENANTS = Array.from({ length: 40 }, () => randomUUID());
const [KEY, CONNECTION] = [randomUUID(), randomUUID()];
const COST = 30;

/** The n-th event: spread over tenants and every minute of ten days. */
export function usageRecord(n: number): EventRecord {
  const tenant_id = TENANTS[n % TENANTS.length] ?? '';
  const [day, hour, minute] = [n % 10, Math.floor(n / 10) % 24, Math.floor(n / 240) % 60];
  const at = new Date(Date.UTC(2026, 10, 12 + day, hour, minute, 0, n % 1000)).toISOString();
  const line = { unit_cost_usd: '1', per: '1', margin_pct: '0', cost_micros_exact: '15/1', cost_micros: 15 };
  const data: UsageMeasuredV2 = {
    id: randomUUID(),
    tenant_id,
    app_id: null,
    key_id: KEY,
    connection_id: CONNECTION,
    provider: n % 3 ? 'openai' : 'anthropic',
    route: 'chat.completions',
    model: `model-${n % 4}`,
    upstream_request_id: `req_${n}`,
    status: 200,
    outcome: 'completed',
    evidence: 'exact',
    lines: [
      { ...line, meter: 'input_tokens', quantity: String(n % 100) },
      { ...line, meter: 'output_tokens', quantity: `${n % 7}.5` },
    ],
    provider_cost_micros: COST,
    cost_micros: COST,
    rate_version: 1,
    hold_micros: 100,
    reserved_at: at,
    started_at: at,
    ended_at: at,
    ttfb_ms: 12.5,
    stream: true,
    provider_units: null,
  };
  return gatewayRecord(tenant_id, { type: 'UsageMeasured.v2', data });
}

/** Appends the n-th events of `from` up to `to`, in one append per partition. */
export async function appendUsage(stand: ProjectionStand, from: number, to: number): Promise<void> {
  const records = Array.from({ length: to - from }, (_, n) => usageRecord(from + n));
  const byPartition = Map.groupBy(records, ({ key }) => shardOf(key, stand.partitions));
  for (const [partition, some] of byPartition) await stand.log.append(GATEWAY_TOPIC, partition, some);
}

export interface RebuildFigures {
  /** From the start to the swap. */
  rebuildSeconds: number;
  /** Events that arrived meanwhile. */
  arrived: number;
  /** The longest that a read of a tenant's usage took while the rebuild ran, and how many there were. */
  slowestReadMs: number;
  reads: number;
}

/**
 * `events` are live; then `perSecond` more arrive while two projectors rebuild the projection and a reader reads.
 * Throws when the swap does not come within `withinMs`, and when anything is lost, doubled or changed.
 */
export async function rebuildUnderLoad(
  { events, perSecond, partitions }: { events: number; perSecond: number; partitions: number },
  withinMs: number,
): Promise<RebuildFigures> {
  const stand = await ProjectionStand.open([usage], partitions);
  const projectors = [await stand.start(), await stand.start()];
  const figures: RebuildFigures = { rebuildSeconds: 0, arrived: 0, slowestReadMs: 0, reads: 0 };
  let ended = false;
  let helpers: Promise<unknown> = Promise.resolve();
  try {
    for (let at = 0; at < events; at += 10_000) await appendUsage(stand, at, Math.min(events, at + 10_000));
    await eventually(() => stand.caughtUp(), withinMs);

    const began = Date.now();
    helpers = Promise.all([
      (async () => {
        while (!ended) {
          const due = Math.floor(((Date.now() - began) * perSecond) / 1_000);
          if (due > figures.arrived) await appendUsage(stand, events + figures.arrived, events + due);
          figures.arrived = Math.max(figures.arrived, due);
          await pause(20);
        }
      })(),
      readOnAndOn(stand, figures, () => ended),
    ]);
    await startRebuild(stand.pool, usage.name, usage.tables);
    await eventually(async () => (await stateOf(stand, 2)) !== 'building', withinMs);
    figures.rebuildSeconds = (Date.now() - began) / 1_000;
    await pause(200);
    ended = true;
    await helpers;
    await eventually(() => stand.caughtUp(), withinMs);

    expect(await generationsOf(stand.pool, usage.name)).toMatchObject([
      { generation: 1, state: 'old' },
      { generation: 2, state: 'live', report: null },
    ]);
    const all = events + figures.arrived;
    expect(
      await stand.rows(
        `select (select count(*) from read.usage_events)::int as events,
           (select sum(cost_micros) from read.usage_events)::int as cost,
           (select sum(cost_micros) from read.usage_hourly)::int as hourly,
           (select sum(calls) from read.usage_calls_hourly)::int as calls,
           (select count(*) from read_usage_1.usage_events)::int >= ${events} as "oldIsKept"`,
      ),
    ).toEqual([{ events: all, cost: all * COST, hourly: all * COST, calls: all, oldIsKept: true }]);
    await sameShape(stand);
    return figures;
  } finally {
    ended = true;
    await helpers.catch(() => undefined);
    await Promise.all(projectors.map((projector) => projector.stop()));
    await stand.close();
  }
}

export async function stateOf(stand: ProjectionStand, generation: number): Promise<string | undefined> {
  const all = await generationsOf(stand.pool, usage.name);
  return all.find((one) => one.generation === generation)?.state;
}

/** A tenant's events never become fewer, through the swap as before it. */
async function readOnAndOn(
  stand: ProjectionStand,
  figures: RebuildFigures,
  isEnded: () => boolean,
): Promise<void> {
  const readModels = new ReadModels(stand.pool);
  let seen = 0;
  while (!isEnded()) {
    const began = performance.now();
    await readModels.usageOf({ tenantId: TENANTS[0] ?? '', connectionId: CONNECTION }, 'month');
    const [row] = await stand.rows(
      `select count(*) as events from read.usage_events where tenant_id = '${TENANTS[0]}'`,
    );
    figures.slowestReadMs = Math.max(figures.slowestReadMs, performance.now() - began);
    figures.reads += 1;
    expect(Number(row?.events)).toBeGreaterThanOrEqual(seen);
    seen = Number(row?.events);
    await pause(5);
  }
}

/** A rebuilt table has the columns, the indexes and the constraints of the first, by the same names. */
async function sameShape(stand: ProjectionStand): Promise<void> {
  for (const { name } of USAGE_TABLES) {
    const shape = async (schema: string) =>
      stand.rows(
        `select replace(pg_get_indexdef(indexrelid), '${schema}.', '') as def from pg_index
         where indrelid = '${schema}.${name}'::regclass
         union all select conname || ' ' || pg_get_constraintdef(oid) from pg_constraint
         where conrelid = '${schema}.${name}'::regclass
         union all select attname || ' ' || atttypid::regtype || ' ' || attnotnull from pg_attribute
         where attrelid = '${schema}.${name}'::regclass and attnum > 0 order by 1`,
      );
    expect(await shape('read')).toEqual(await shape('read_usage_1'));
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
