import { METERS, MicrosWire } from '@vendo/events';
import { type Micros, microsToWire } from '@vendo/money';
import type { Usage, UsageRow } from '@vendo/read-models';
import { z } from 'zod';
import { UsagePeriod } from './requests.js';

const MeterView = z.strictObject({ meter: z.string(), quantity: z.string(), cost_micros: MicrosWire });

const ModelView = z.strictObject({
  model: z.string().nullable(),
  total_micros: MicrosWire,
  calls: z.int(),
  meters: z.array(MeterView),
});
type ModelView = z.infer<typeof ModelView>;

const ProviderView = z.strictObject({
  provider: z.string(),
  total_micros: MicrosWire,
  calls: z.int(),
  models: z.array(ModelView),
});
type ProviderView = z.infer<typeof ProviderView>;

const Instant = z.iso.datetime({ precision: 3 });

export const UsageView = z.strictObject({
  period: UsagePeriod,
  start: Instant,
  end: Instant,
  currency: z.literal('USD'),
  total_micros: MicrosWire,
  calls: z.int(),
  as_of: Instant,
  providers: z.array(ProviderView),
});
export type UsageView = z.infer<typeof UsageView>;

/** The answer of `GET /api/billing/usage`: providers and models by name, meters in the order of the meter list. Every total is the sum of what stands below it. */
export function usageView(period: UsagePeriod, { start, end, asOf, rows }: Usage): UsageView {
  const providers = groups(rows, ({ provider }) => provider).map(([provider, group]) =>
    providerView(provider, group),
  );
  return {
    period,
    start: start.toISOString(),
    end: end.toISOString(),
    currency: 'USD',
    total_micros: totalOf(rows),
    calls: callsOf(rows),
    as_of: asOf.toISOString(),
    providers,
  };
}

function providerView(provider: string, rows: readonly UsageRow[]): ProviderView {
  return {
    provider,
    total_micros: totalOf(rows),
    calls: callsOf(rows),
    models: groups(rows, ({ model }) => model).map(([model, group]) => modelView(model, group)),
  };
}

function modelView(model: string | null, rows: readonly UsageRow[]): ModelView {
  const meters = rows
    .flatMap((row) =>
      row.meter === null
        ? []
        : [{ meter: row.meter, quantity: row.quantity, cost_micros: microsToWire(row.cost) }],
    )
    .sort((a, b) => meterRank(a.meter) - meterRank(b.meter));
  return { model, total_micros: totalOf(rows), calls: callsOf(rows), meters };
}

function totalOf(rows: readonly UsageRow[]): number {
  return microsToWire(rows.reduce<Micros>((sum, row) => sum + (row.meter === null ? 0n : row.cost), 0n));
}

function callsOf(rows: readonly UsageRow[]): number {
  return rows.reduce((sum, row) => sum + (row.meter === null ? row.calls : 0), 0);
}

function groups<Key extends string | null>(
  rows: readonly UsageRow[],
  keyOf: (row: UsageRow) => Key,
): [Key, UsageRow[]][] {
  const byKey = Map.groupBy(rows, keyOf);
  return [...byKey].sort(([a], [b]) => ((a ?? '') < (b ?? '') ? -1 : 1));
}

function meterRank(meter: string): number {
  return (METERS as readonly string[]).indexOf(meter);
}
