import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Meter } from '@vendo/events';
import type { DataSource } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import { Rate } from './entities/rate.js';
import { nextRateVersion } from './rate-version.js';

/** Data, not code: made by tools/catalogue, copied beside the code by the build. */
const CATALOGUE = path.join(import.meta.dirname, '../../pricing/catalogue/catalogue.json');
const ROWS_PER_INSERT = 500;

const Decimal = z.string().regex(/^\d+(\.\d+)?$/);
const CatalogueRow = z.strictObject({
  provider: z.string(),
  model: z.string(),
  meter: Meter,
  tier: z.string(),
  context_from: z.int().min(0),
  unit_cost_usd: Decimal,
  per: Decimal,
  free: z.boolean(),
  effective_from: z.iso.date(),
  source: z.string(),
});
export type CatalogueRow = z.infer<typeof CatalogueRow>;

/** The list prices that this version of the product ships with. Throws when the file is damaged. */
export async function readCatalogue(file = CATALOGUE): Promise<CatalogueRow[]> {
  return z.array(CatalogueRow).parse(JSON.parse(await readFile(file, 'utf8')));
}

/**
 * Adds the catalogue rows that the registry lacks as one rate version, and returns how many. The first time they are
 * in force from their own dates; what a newer catalogue brings is in force from now on at the earliest, as the past is
 * not re-priced.
 */
export async function seedCatalogue(
  dataSource: DataSource,
  catalogue: readonly CatalogueRow[],
): Promise<number> {
  return dataSource.transaction(async (tx) => {
    // Two instances that start together: the second waits here, and finds nothing left to add.
    await tx.query('select pg_advisory_xact_lock(hashtext($1))', ['vendo-seed-catalogue']);
    const seeded: { catalogue_key: string }[] = await tx.query(
      'select catalogue_key from registry.rates where catalogue_key is not null',
    );
    const known = new Set(seeded.map(({ catalogue_key }) => catalogue_key));
    const missing = catalogue.filter((row) => !known.has(keyOf(row)));
    if (missing.length === 0) return 0;
    const version = await nextRateVersion(tx);
    const [{ now }]: [{ now: Date }] = await tx.query('select clock_timestamp() as now');
    const earliest = known.size === 0 ? new Date(0) : now;
    const rates = missing.map((row) => rateOf(row, version, earliest));
    for (let from = 0; from < rates.length; from += ROWS_PER_INSERT)
      await tx.insert(Rate, rates.slice(from, from + ROWS_PER_INSERT));
    return missing.length;
  });
}

function rateOf(row: CatalogueRow, version: number, earliest: Date): Rate {
  const { provider, model, meter, tier, free, per, source } = row;
  const dated = new Date(`${row.effective_from}T00:00:00Z`);
  return {
    id: uuidv7(),
    ...{ provider, model, meter, tier, free, per, source, version },
    contextFrom: row.context_from,
    unitCostUsd: row.unit_cost_usd,
    effectiveFrom: dated > earliest ? dated : earliest,
    catalogueKey: keyOf(row),
  };
}

function keyOf(row: CatalogueRow): string {
  const { provider, model, meter, tier, context_from, unit_cost_usd, per, effective_from } = row;
  return [provider, model, meter, tier, context_from, unit_cost_usd, per, effective_from].join(' ');
}
