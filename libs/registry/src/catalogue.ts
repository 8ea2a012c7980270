import type { DataSource } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import type { CatalogueRow } from './catalogue-file.js';
import { Rate } from './entities/rate.js';
import { nextRateVersion } from './rate-version.js';

const ROWS_PER_INSERT = 500;

/**
 * Adds the catalogue rows that the registry lacks as one rate version, in force from their own days, and returns how
 * many. Calls that named an older version keep its prices, whatever the day says. An operator's price stays in force
 * against every list price of an earlier day.
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
    const rates = missing.map((row) => rateOf(row, version));
    for (let from = 0; from < rates.length; from += ROWS_PER_INSERT)
      await tx.insert(Rate, rates.slice(from, from + ROWS_PER_INSERT));
    return missing.length;
  });
}

function rateOf(row: CatalogueRow, version: number): Rate {
  const { provider, model, meter, tier, free, per, source } = row;
  return {
    id: uuidv7(),
    ...{ provider, model, meter, tier, free, per, source, version },
    contextFrom: row.context_from,
    unitCostUsd: row.unit_cost_usd,
    effectiveFrom: new Date(`${row.effective_from}T00:00:00Z`),
    catalogueKey: keyOf(row),
  };
}

function keyOf(row: CatalogueRow): string {
  const { provider, model, meter, tier, context_from, unit_cost_usd, per, effective_from } = row;
  return [provider, model, meter, tier, context_from, unit_cost_usd, per, effective_from].join(' ');
}
