import type { CatalogueRow } from '@vendo/registry';
import { toolRulesOf } from './conventions.js';

/**
 * Rows of the tools that cost a model something else than its provider's other models: in each tier in which it may be
 * billed, or the price for every model would count there.
 * @param rows of one model.
 * @param date from which the derived prices count.
 */
export function toolPrices(rows: readonly CatalogueRow[], date: string): CatalogueRow[] {
  const [first] = rows;
  if (!first) return [];
  const { provider, model, source } = first;
  return toolRulesOf(provider, model).flatMap(({ meter, usd, tiers }) => {
    const own = rows.filter((row) => row.meter === meter);
    const price: CatalogueRow = own.find(({ tier }) => tier === 'standard') ?? {
      ...{ provider, model, meter, tier: 'standard', context_from: 0, free: false, effective_from: date },
      ...{ unit_cost_usd: usd.toDecimal(), per: '1', source },
    };
    return tiers
      .filter((tier) => !own.some((row) => row.tier === tier))
      .map((tier) => ({
        ...price,
        tier,
        effective_from: date,
        source: `${price.source}; derived: ${meter} of older models`,
      }));
  });
}
