import { Rational } from '@vendo/money';
import type { Price, Say } from './price.js';
import { isPrice } from './price-fields.js';
import type { SourceEntry } from './source-file.js';

/**
 * The prices, and those of the tiers that an entry gives as a factor on all of them: Anthropic's `fast` (speed) and
 * `us` (inference_geo), OpenAI's `regional` (hosts of a region). A place counts in every pace: `fast_us`,
 * `flex_regional`.
 */
export function withMultipliers(prices: readonly Price[], entry: SourceEntry, say: Say): Price[] {
  const factors = new Map(
    Object.entries(entry.provider_specific_entry ?? {}).flatMap(([name, value]) => {
      const factor = asFactor(value, `multiplier ${name}`, say);
      return factor ? [[name, factor] as const] : [];
    }),
  );
  const regional = regionalFactor(entry, say);
  if (regional) factors.set('regional', regional);
  const fast = factors.get('fast');
  const standard = prices.filter(({ tier }) => tier === 'standard');
  const paces = fast ? [...prices, ...multiplied(standard, fast, () => 'fast')] : [...prices];
  const places = ['us', 'regional'].flatMap((place) => {
    const factor = factors.get(place);
    return factor
      ? multiplied(paces, factor, (tier) => (tier === 'standard' ? place : `${tier}_${place}`))
      : [];
  });
  for (const name of factors.keys())
    if (!['fast', 'us', 'regional'].includes(name)) say(`skipped multiplier ${name}: no tier for it`);
  return [...paces, ...places];
}

function multiplied(prices: readonly Price[], factor: Rational, tierOf: (tier: string) => string): Price[] {
  return prices.map((price) => ({
    ...price,
    tier: tierOf(price.tier),
    usd: price.usd.times(factor),
    notes: [...price.notes, `x ${factor.toDecimal()}`],
  }));
}

/** One tier for all regions while they cost the same. */
function regionalFactor(entry: SourceEntry, say: Say): Rational | null {
  const factors = ['eu', 'us'].flatMap((region) => {
    const field = `regional_processing_uplift_multiplier_${region}`;
    const factor = field in entry ? asFactor(entry[field], field, say) : null;
    return factor ? [factor] : [];
  });
  const [first] = factors;
  if (!first) return null;
  if (factors.every((factor) => factor.compare(first) === 0)) return first;
  say('skipped regional_processing_uplift_multiplier: the regions cost different prices');
  return null;
}

/** No tier costs more times the standard price: it is a price, or a slip. */
const FACTOR_MAX = Rational.of(10n);

function asFactor(value: unknown, name: string, say: Say): Rational | null {
  if (isPrice(value) && !value.isZero() && value.compare(FACTOR_MAX) <= 0) return value;
  say(`skipped ${name}: is no factor of a price`);
  return null;
}
