import type { Meter } from '@vendo/events';
import { Rational } from '@vendo/money';
import type { CatalogueRow } from '@vendo/registry';
import type { Conventions } from './conventions.js';
import { withMultipliers } from './multipliers.js';
import type { Price, Say } from './price.js';
import { isPrice, isPriceField, isTooHigh, readPriceField, TOO_HIGH } from './price-fields.js';
import type { Origin, SourceEntry } from './source-file.js';

const TWO = Rational.of(2n);
const TOKEN_MODES = ['chat', 'responses', 'completion', 'embedding'];

/** The catalogue rows of one entry; none where the entry as a whole has no sound price. */
export function listPrices(
  name: string,
  entry: SourceEntry,
  { conventions, model }: { conventions: Conventions; model: string },
  origin: Origin,
  say: Say,
): CatalogueRow[] {
  const { provider } = conventions;
  const prices = withoutZeros(model, entry, readPrices(name, entry, conventions, say), say);
  if (conventions.cacheWrite1hIsTwiceInput) addCacheWrites1h(prices, say);
  if (conventions.audioAtInputPrice.includes(model)) addAudio(prices);
  const lacking = missingPrice(entry, prices);
  if (lacking) {
    say(`skipped: ${lacking}`);
    return [];
  }
  const all = withMultipliers(withoutHalfTiers(entry, prices, say), entry, say);
  all.push(...serverTools(conventions, entry, [...new Set(all.map(({ tier }) => tier))], say));
  return all.map(({ meter, tier, contextFrom, usd, per, free, notes }) => ({
    ...{ provider, model, tier, meter, context_from: contextFrom },
    unit_cost_usd: usd.times(per).toDecimal(),
    per: per.toDecimal(),
    effective_from: origin.date,
    source: [origin.source, ...notes].join('; '),
    free,
  }));
}

function readPrices(name: string, entry: SourceEntry, conventions: Conventions, say: Say): Price[] {
  const skipped = new Map<string, string[]>();
  const prices: Price[] = [];
  for (const [field, value] of Object.entries(entry)) {
    if (!isPriceField(field) || field === 'provider_specific_entry') continue;
    const read = readPriceField(name, entry, conventions, field, value);
    if ('why' in read) skipped.set(read.why, [...(skipped.get(read.why) ?? []), field]);
    else if (!prices.some((price) => isSame(price, read)))
      prices.push({ ...read, free: false, notes: read.note ? [read.note] : [] });
  }
  for (const [why, fields] of skipped) say(`skipped ${fields.join(' ')}: ${why}`);
  return withoutPlainReasoning(prices);
}

function isSame(a: Pick<Price, 'meter' | 'tier' | 'contextFrom'>, b: typeof a): boolean {
  return a.meter === b.meter && a.tier === b.tier && a.contextFrom === b.contextFrom;
}

/** Reasoning is billed as output unless it costs something else. */
function withoutPlainReasoning(prices: readonly Price[]): Price[] {
  return prices.filter(
    (price) =>
      price.meter !== 'reasoning_tokens' ||
      !prices.some(
        (output) =>
          isSame(output, { ...price, meter: 'output_tokens' }) && output.usd.compare(price.usd) === 0,
      ),
  );
}

/** A zero is a hole in the source. Moderation and the output of an embedding are free for certain, and say so. */
function withoutZeros(model: string, entry: SourceEntry, prices: readonly Price[], say: Say): Price[] {
  const zeros = prices.filter(({ usd }) => usd.isZero());
  const isFree = ({ meter }: Price) =>
    entry.mode === 'moderation' ||
    (entry.mode === 'embedding' && /embedding/.test(model) && meter === 'output_tokens');
  const holes = zeros.filter((price) => !isFree(price));
  if (holes.length > 0) say(`skipped ${holes.map(({ meter }) => meter).join(' ')}: a zero is no price`);
  return prices
    .filter((price) => !holes.includes(price))
    .map((price) => (price.usd.isZero() ? { ...price, free: true, notes: ['free of charge'] } : price));
}

/** A cache write for one hour costs twice the input (docs/providers/anthropic.md); what says otherwise is wrong. */
function addCacheWrites1h(prices: Price[], say: Say): void {
  for (const input of prices.filter(({ meter }) => meter === 'input_tokens')) {
    const usd = input.usd.times(TWO);
    const derived: Price = {
      ...input,
      meter: 'cache_write_1h_tokens',
      usd,
      notes: ['derived: 1 h cache write = 2 x input'],
    };
    const stated = prices.find((price) => isSame(price, derived));
    if (stated && stated.usd.compare(usd) === 0) continue;
    if (stated) {
      say(`corrected cache_write_1h_tokens: ${perMillion(stated)} is not 2 x input (${perMillion(derived)})`);
      Object.assign(stated, derived);
    } else prices.push(derived);
  }
}

/** As genai-prices 0.1.8 quotes them: a single price for whatever is put in. */
function addAudio(prices: Price[]): void {
  for (const input of prices.filter(({ meter }) => meter === 'input_tokens')) {
    const audio: Price = {
      ...input,
      meter: 'audio_input_tokens',
      notes: ['derived: audio at the input price as genai-prices 0.1.8 has it'],
    };
    if (!prices.some((price) => isSame(price, audio))) prices.push(audio);
  }
}

/** Why nothing of the entry is taken: half a price would let calls through whose other half nobody can charge. */
function missingPrice({ mode }: SourceEntry, prices: readonly Price[]): string | null {
  if (prices.length === 0) return 'has no price';
  if (!TOKEN_MODES.includes(mode ?? '')) return null;
  const lacks = (['input_tokens', 'output_tokens'] as const).filter(
    (meter) => !prices.some((price) => isSame(price, { meter, tier: 'standard', contextFrom: 0 })),
  );
  return lacks.length > 0 ? `has no price for ${lacks.join(' and ')}` : null;
}

/** A tier with a price for input and none for output, or the other way round, is a slip of the source. */
function withoutHalfTiers({ mode = '' }: SourceEntry, prices: readonly Price[], say: Say): Price[] {
  if (!TOKEN_MODES.includes(mode) || mode === 'embedding') return [...prices];
  const has = (meter: Meter, tier: string) =>
    prices.some((price) => isSame(price, { meter, tier, contextFrom: 0 }));
  const halves = new Set(
    prices.map(({ tier }) => tier).filter((tier) => has('input_tokens', tier) !== has('output_tokens', tier)),
  );
  for (const tier of halves) say(`skipped ${tier}: has no price for both input and output`);
  return prices.filter(({ tier }) => !halves.has(tier));
}

/** Searches, priced per use whatever the tier, and what is free beyond its tokens. */
function serverTools(
  { freeTools }: Conventions,
  entry: SourceEntry,
  tiers: readonly string[],
  say: Say,
): Price[] {
  const search = searchPrice(entry, say);
  const flat = { contextFrom: 0, per: Rational.ONE };
  return tiers.flatMap((tier): Price[] => [
    ...(search
      ? [{ ...flat, meter: 'web_searches' as const, tier, usd: search, free: false, notes: [] }]
      : []),
    ...freeTools.map((meter) => ({
      ...flat,
      meter,
      tier,
      usd: Rational.ZERO,
      free: true,
      notes: ['free beyond its tokens'],
    })),
  ]);
}

/** Of one search, whatever it brings; null: none that is sound. */
function searchPrice({ search_context_cost_per_query: bySize }: SourceEntry, say: Say): Rational | null {
  if (bySize === undefined || bySize === null) return null;
  const sizes: unknown[] = bySize instanceof Rational ? [bySize] : Object.values(bySize);
  const [search] = sizes;
  const skipped = (why: string): null => {
    say(`skipped search_context_cost_per_query: ${why}`);
    return null;
  };
  if (!isPrice(search) || !sizes.every(isPrice)) return skipped('is not a price');
  if (sizes.some((size) => size.compare(search) !== 0))
    return skipped('the price depends on the size of the context');
  if (search.isZero()) return skipped('a zero is no price');
  return isTooHigh({ usd: search, per: Rational.ONE }) ? skipped(TOO_HIGH) : search;
}

function perMillion({ usd, per }: Price): string {
  return usd.times(per).toDecimal();
}
