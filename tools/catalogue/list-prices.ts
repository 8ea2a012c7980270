import { Rational } from '@vendo/money';
import type { SourceEntry } from './source-file.js';

/** One line of the catalogue file. */
export interface CatalogueRow {
  provider: string;
  model: string;
  meter: string;
  tier: string;
  /** The row applies to calls whose whole prompt has at least this many tokens. */
  context_from: number;
  unit_cost_usd: string;
  per: string;
  free: boolean;
  /** The date of the source, UTC. */
  effective_from: string;
  source: string;
}

export interface Origin {
  date: string;
  source: string;
}

/** Collects what the tool must say about an entry. */
export type Note = (text: string) => void;

const PER_MILLION = Rational.of(1_000_000n);
const TWO = Rational.of(2n);

const METER_OF: Readonly<Record<string, string>> = {
  input_cost_per_token: 'input_tokens',
  output_cost_per_token: 'output_tokens',
  cache_read_input_token_cost: 'cache_read_tokens',
  cache_creation_input_token_cost: 'cache_write_tokens',
  cache_creation_input_token_cost_above_1hr: 'cache_write_1h_tokens',
  input_cost_per_audio_token: 'audio_input_tokens',
  output_cost_per_audio_token: 'audio_output_tokens',
};
const FIELD = /^(.+?)(?:_above_(\d+)k_tokens)?(?:_(flex|priority|batches))?$/;
const PRICE_FIELD = /cost|multiplier/;

interface Price {
  meter: string;
  tier: string;
  contextFrom: number;
  usd: Rational;
  per: Rational;
  free: boolean;
  note: string;
}

/** The catalogue rows of one entry. What is in the entry and not in the rows is told to `note`. */
export function listPrices(model: string, entry: SourceEntry, origin: Origin, note: Note): CatalogueRow[] {
  const provider = entry.litellm_provider;
  const prices = Object.entries(entry).flatMap(([field, value]) => tokenPrice(entry, field, value, note));
  if (provider === 'anthropic') addCacheWrites1h(prices, note);
  const rows = withMultipliers(prices, entry, note);
  if (provider === 'anthropic')
    rows.push(...serverTools(entry, [...new Set(rows.map(({ tier }) => tier))], note));
  return rows.map(({ meter, tier, contextFrom, usd, per, free, note: remark }) => ({
    provider,
    model,
    meter,
    tier,
    context_from: contextFrom,
    unit_cost_usd: usd.times(per).toDecimal(),
    per: per.toDecimal(),
    free,
    effective_from: origin.date,
    source: origin.source + remark,
  }));
}

function tokenPrice(entry: SourceEntry, field: string, value: unknown, note: Note): Price[] {
  if (!PRICE_FIELD.test(field) || field === 'search_context_cost_per_query') return [];
  const [, base = '', thousands, variant] = FIELD.exec(field) ?? [];
  const meter = METER_OF[base];
  if (variant === 'batches') return [];
  if (!meter || !(value instanceof Rational)) {
    note(`${field} left out: no meter for it`);
    return [];
  }
  const free = value.isZero();
  if (free && !(entry.mode === 'embedding' && meter === 'output_tokens')) {
    note(`${field} left out: a zero is no price`);
    return [];
  }
  // OpenAI's long-context price begins at the bound, Anthropic's above it.
  const above = entry.litellm_provider === 'anthropic' ? 1 : 0;
  const contextFrom = thousands ? Number(thousands) * 1_000 + above : 0;
  return [
    {
      meter,
      tier: variant ?? 'standard',
      contextFrom,
      usd: value,
      per: PER_MILLION,
      free,
      note: free ? '; an embedding has no output' : '',
    },
  ];
}

/** A cache write for one hour costs twice the input (providers.md, Anthropic, Prices); what says otherwise is wrong. */
function addCacheWrites1h(prices: Price[], note: Note): void {
  for (const input of prices.filter(({ meter }) => meter === 'input_tokens')) {
    const usd = input.usd.times(TWO);
    const stated = prices.find(
      ({ meter, contextFrom }) => meter === 'cache_write_1h_tokens' && contextFrom === input.contextFrom,
    );
    if (stated && stated.usd.compare(usd) === 0) continue;
    const remark = '; derived: 1 h cache write = 2 x input';
    if (stated) {
      note(
        `cache_write_1h_tokens: ${perMillion(stated)} is not 2 x input (${perMillion({ usd })}), corrected`,
      );
      Object.assign(stated, { usd, note: remark });
    } else prices.push({ ...input, meter: 'cache_write_1h_tokens', usd, note: remark });
  }
}

/** Anthropic's multipliers on all tokens of a call: `us` (inference_geo), `fast` (speed), and both at once. */
function withMultipliers(prices: Price[], entry: SourceEntry, note: Note): Price[] {
  const multipliers = Object.entries((entry.provider_specific_entry ?? {}) as Record<string, Rational>);
  const tiers = new Map<string, Rational>(multipliers.filter(([name]) => name === 'us' || name === 'fast'));
  for (const [name] of multipliers) if (!tiers.has(name)) note(`multiplier ${name} left out: no tier for it`);
  const [us, fast] = [tiers.get('us'), tiers.get('fast')];
  if (us && fast) tiers.set('fast_us', us.times(fast));
  const multiplied = [...tiers].flatMap(([tier, factor]) =>
    prices.map((price) => ({
      ...price,
      tier,
      usd: price.usd.times(factor),
      note: `${price.note}; x ${factor.toDecimal()}`,
    })),
  );
  return [...prices, ...multiplied];
}

/** Anthropic's server tools, priced per use whatever the tier. Web fetch is free beyond its tokens (providers.md). */
function serverTools(entry: SourceEntry, tiers: readonly string[], note: Note): Price[] {
  const sizes = Object.values((entry.search_context_cost_per_query ?? {}) as Record<string, Rational>);
  const [search] = sizes;
  const single = search && sizes.every((size) => size.compare(search) === 0);
  if (search && !single)
    note('search_context_cost_per_query left out: the price depends on the context size');
  const flat = { contextFrom: 0, per: Rational.ONE };
  return tiers.flatMap((tier) => [
    ...(single ? [{ ...flat, meter: 'web_searches', tier, usd: search, free: false, note: '' }] : []),
    { ...flat, meter: 'web_fetches', tier, usd: Rational.ZERO, free: true, note: '; free beyond its tokens' },
  ]);
}

function perMillion({ usd }: { usd: Rational }): string {
  return usd.times(PER_MILLION).toDecimal();
}
