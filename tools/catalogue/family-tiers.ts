import { Rational } from '@vendo/money';
import type { CatalogueRow } from '@vendo/registry';
import { tierRulesOf } from './conventions.js';

/**
 * Rows of the tiers that a model's family has and the model lacks: an answer may be billed in a tier that its price
 * file does not know. A place counts in every pace, as in `withMultipliers`.
 * @param rows of one model, with the newest of each price.
 * @param date from which the derived prices count.
 */
export function familyTiers(rows: readonly CatalogueRow[], date: string): CatalogueRow[] {
  const [{ provider, model } = { provider: '', model: '' }] = rows;
  const rules = tierRulesOf(provider, model);
  const derived: CatalogueRow[] = [];
  const inTier = (tier: string) => [...rows, ...derived].filter((row) => row.tier === tier);
  const derive = (from: string, tier: string, factor: Rational): void => {
    if (inTier(tier).length > 0) return;
    derived.push(...inTier(from).map((row) => multiplied(row, tier, factor, date)));
  };
  for (const { paces } of rules)
    for (const [pace, factor] of Object.entries(paces)) derive(STANDARD, pace, factor);
  for (const { places } of rules) {
    const names = Object.keys(places);
    const isPlace = (tier: string) => names.some((place) => tier === place || tier.endsWith(`_${place}`));
    const tiers = new Set([...rows, ...derived].map(({ tier }) => tier));
    for (const tier of [...tiers].filter((one) => !isPlace(one)))
      for (const [place, factor] of Object.entries(places))
        derive(tier, tier === STANDARD ? place : `${tier}_${place}`, factor);
  }
  return derived;
}

const STANDARD = 'standard';

/** Tools cost the same in every tier. */
function multiplied(row: CatalogueRow, tier: string, factor: Rational, date: string): CatalogueRow {
  const moved = { ...row, tier, effective_from: date };
  if (row.free || !row.meter.endsWith('_tokens')) return moved;
  return {
    ...moved,
    unit_cost_usd: Rational.parse(row.unit_cost_usd).times(factor).toDecimal(),
    source: `${row.source}; derived: ${tier} = ${factor.toDecimal()} x ${row.tier}`,
  };
}
