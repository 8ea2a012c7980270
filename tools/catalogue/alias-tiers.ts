import type { CatalogueRow } from '@vendo/registry';

/**
 * Rows of the tiers that the alias of a dated snapshot has and the snapshot lacks, where both cost the same as
 * `standard`: then they are one model under two names, of which a price file has often but one in full.
 * @param rows of the snapshot.
 * @param alias rows of its alias.
 * @param date from which the derived prices count.
 */
export function aliasTiers(
  rows: readonly CatalogueRow[],
  alias: readonly CatalogueRow[],
  date: string,
): CatalogueRow[] {
  const [{ model } = { model: '' }] = rows;
  if (standardOf(rows) !== standardOf(alias)) return [];
  const own = new Set(rows.map(({ tier }) => tier));
  return alias
    .filter(({ tier }) => !own.has(tier))
    .map((row) => ({
      ...row,
      model,
      effective_from: date,
      source: `${row.source}; derived: as ${row.model}`,
    }));
}

/** The standard prices, to be compared with others. */
function standardOf(rows: readonly CatalogueRow[]): string {
  return rows
    .filter(({ tier }) => tier === 'standard')
    .map(({ meter, context_from, unit_cost_usd, per, free }) =>
      [meter, context_from, unit_cost_usd, per, free].join(' '),
    )
    .sort()
    .join();
}
