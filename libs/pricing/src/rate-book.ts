import { METERS, type Meter, type UsageLine } from '@vendo/events';
import { allocate, MICROS_PER_USD, type Micros, microsToWire, Rational } from '@vendo/money';
import { MarginBook } from './margin-book.js';
import { PriceLists } from './price-list.js';
import type { Margin, PriceContext, Quantity, Rate } from './rates.js';

const INPUT_METERS = [
  'input_tokens',
  'cache_read_tokens',
  'cache_write_tokens',
  'cache_write_1h_tokens',
  'audio_input_tokens',
  'image_input_tokens',
] as const satisfies readonly Meter[];
const OUTPUT_METERS = [
  'output_tokens',
  'reasoning_tokens',
  'audio_output_tokens',
  'image_tokens',
] as const satisfies readonly Meter[];

/** What a call that is billed by tokens needs a price for. */
export const TOKENS: readonly Meter[] = ['input_tokens', 'output_tokens'];

const HUNDRED = Rational.of(100n);
const METER_ORDER = new Map(METERS.map((meter, index) => [meter, index]));

/** Upper bounds of what a request can use, in tokens. */
export interface TokenBound {
  input: number;
  output: number;
}

/** Upper bounds of what a request can use, each in its meter's own unit; a number must be whole. */
export type UnitBound = Readonly<Partial<Record<Meter, number | Rational>>>;

export interface UnpricedMeter {
  meter: Meter;
  model: string;
}

/** What a call cost. The lines' `cost_micros` sum to `costMicros` exactly. */
export interface PricedUsage {
  lines: UsageLine[];
  /** Without margin, rounded once, half to even. */
  providerCostMicros: Micros;
  /** With the margin of each line, rounded once, half to even, over the exact sum. */
  costMicros: Micros;
  /** Meters without a price in their tier: a line each, marked so, or charged in a tier that stands in. */
  unpriced: UnpricedMeter[];
}

interface CostedLine {
  line: Omit<UsageLine, 'cost_micros'>;
  /** There is no price for it in the context's tier. */
  isMissed: boolean;
  providerCost: Rational;
  cost: Rational;
}

/**
 * An immutable snapshot of all rates and margins up to `version`: what a call may cost and what it did cost.
 * Prices are those of the context's own version and instant, so a newer book prices a running call no differently.
 */
export class RateBook {
  private readonly prices: PriceLists;
  private readonly margins: MarginBook;

  /** @param version the newest rate version that is in the rows. */
  constructor(
    private readonly rateRows: readonly Rate[],
    private readonly marginRows: readonly Margin[],
    readonly version: number,
  ) {
    this.prices = new PriceLists(rateRows);
    this.margins = new MarginBook(marginRows);
  }

  /** A new book with the rows of newer versions added. */
  with(rates: readonly Rate[], margins: readonly Margin[], version: number): RateBook {
    return new RateBook([...this.rateRows, ...rates], [...this.marginRows, ...margins], version);
  }

  /**
   * Whether each of `needs`, the meters that the route bills, has a price for the model in the context's tier; a call
   * without is not forwarded. A metered route that needs no price is a mistake, and not priced.
   * @param ownPrice as of a quantity.
   */
  isPriced(context: PriceContext, needs: readonly Meter[], ownPrice = false): boolean {
    const isPriced = (meter: Meter) =>
      this.prices.find(meter, context, { contextTokens: 0, ownPrice }) !== null &&
      this.marginOf(context, meter) !== null;
    return needs.length > 0 && needs.every(isPriced);
  }

  /**
   * What a request within `bound` can cost at most, margin included, rounded up: all input at the dearest input-side
   * meter and all output at the dearest, over the context rows that the input can reach. Null when there is no price.
   */
  holdFor(context: PriceContext, bound: TokenBound): Micros | null {
    const reach = { ...context, contextTokens: Math.max(context.contextTokens, bound.input) };
    const input = this.dearest(INPUT_METERS, 'input_tokens', reach);
    const output = this.dearest(OUTPUT_METERS, 'output_tokens', reach);
    if (!input || !output) return null;
    return toHold(
      input.times(Rational.of(BigInt(bound.input))).plus(output.times(Rational.of(BigInt(bound.output)))),
    );
  }

  /**
   * What a request within `bound` can cost at most where it is billed by other units than tokens (characters, seconds,
   * images, requests): each meter at its dearest context row that the context's prompt can reach, margin included, the
   * sum rounded up. Null when one of them has no price. Throws RangeError for a number that is not whole.
   */
  holdForUnits(context: PriceContext, bound: UnitBound): Micros | null {
    let most = Rational.ZERO;
    for (const [meter, units] of Object.entries(bound) as [Meter, number | Rational][]) {
      const cost = this.dearest([meter], meter, context);
      if (!cost) return null;
      most = most.plus(cost.times(typeof units === 'number' ? Rational.of(BigInt(units)) : units));
    }
    return toHold(most);
  }

  /**
   * What the quantities cost. Total: a meter without a price in the context's tier is charged in the first of its
   * `standIns` that has one; without any it becomes a line marked `unpriced` that costs nothing.
   * Lines come in the order of METERS; quantities of zero are left out, those of the same meter and model are added up.
   * Throws RangeError for a negative quantity: a bug in a provider's folder.
   */
  price(context: PriceContext, quantities: readonly Quantity[]): PricedUsage {
    const unpriced: UnpricedMeter[] = [];
    const costed = inLineOrder(quantities).map((quantity) => {
      const line = this.costOf(context, quantity);
      if (line.isMissed)
        unpriced.push({ meter: quantity.meter, model: quantity.model ?? context.rateKeys[0] ?? '' });
      return line;
    });
    const costs = costed.map(({ cost }) => cost);
    const costMicros = sum(costs).roundHalfEven();
    const shares = allocate(costMicros, costs);
    return {
      lines: costed.map(({ line }, index) => ({ ...line, cost_micros: microsToWire(shares[index] ?? 0n) })),
      providerCostMicros: sum(costed.map(({ providerCost }) => providerCost)).roundHalfEven(),
      costMicros,
      unpriced,
    };
  }

  private costOf(
    context: PriceContext,
    { meter, quantity, rateKeys, ownPrice, model, included }: Quantity,
  ): CostedLine {
    const named = { meter, ...(model === undefined ? {} : { model }), quantity: quantity.toDecimal() };
    if (included) return freeLine(named);
    const inTier = this.prices.find(meter, context, { rateKeys, ownPrice });
    const rate = inTier ?? this.prices.findStandIn(meter, context, { rateKeys, ownPrice });
    const margin = this.marginOf(context, meter);
    if (!rate || !margin) return unpricedLine(named);
    const providerCost = quantity.times(perUnit(rate)).times(MICROS_PER_USD);
    const cost = providerCost.times(factorOf(margin));
    return {
      line: {
        ...named,
        unit_cost_usd: rate.unitCostUsd.toDecimal(),
        per: rate.per.toDecimal(),
        margin_pct: margin.toDecimal(),
        cost_micros_exact: cost.toString(),
      },
      isMissed: inTier === null,
      providerCost,
      cost,
    };
  }

  /** USD per unit with margin; null when `needed` has no price, whatever the others have. */
  private dearest(meters: readonly Meter[], needed: Meter, context: PriceContext): Rational | null {
    if (!this.prices.find(needed, context, { contextTokens: 0 })) return null;
    let dearest: Rational | null = null;
    for (const meter of meters) {
      const margin = this.marginOf(context, meter);
      if (!margin) return null;
      for (const rate of this.prices.findReachable(meter, context)) {
        const cost = perUnit(rate).times(factorOf(margin));
        if (!dearest || cost.compare(dearest) > 0) dearest = cost;
      }
    }
    return dearest;
  }

  private marginOf(context: PriceContext, meter: Meter): Rational | null {
    return this.margins.find(context.tenantId, context.provider, meter, context);
  }
}

type NamedQuantity = Pick<UsageLine, 'meter' | 'model' | 'quantity'>;

function freeLine(named: NamedQuantity): CostedLine {
  return {
    line: { ...named, unit_cost_usd: '0', per: '1', margin_pct: '0', cost_micros_exact: '0/1' },
    isMissed: false,
    providerCost: Rational.ZERO,
    cost: Rational.ZERO,
  };
}

function unpricedLine(named: NamedQuantity): CostedLine {
  const free = freeLine(named);
  return { ...free, line: { ...free.line, unpriced: true }, isMissed: true };
}

/** Order of METERS, within a meter the event's own model first; the result does not depend on the order given. */
function inLineOrder(quantities: readonly Quantity[]): Quantity[] {
  const byLine = new Map<string, Quantity>();
  for (const one of quantities) {
    if (one.quantity.isNegative()) throw new RangeError(`negative quantity of ${one.meter}`);
    if (one.quantity.isZero()) continue;
    const key = lineKey(one);
    const same = byLine.get(key);
    byLine.set(key, same ? { ...same, quantity: same.quantity.plus(one.quantity) } : one);
  }
  return [...byLine.entries()]
    .sort(
      ([keyA, a], [keyB, b]) =>
        (METER_ORDER.get(a.meter) ?? 0) - (METER_ORDER.get(b.meter) ?? 0) ||
        (keyA < keyB ? -1 : keyA > keyB ? 1 : 0),
    )
    .map(([, quantity]) => quantity);
}

function lineKey({ meter, model, rateKeys, ownPrice, included }: Quantity): string {
  return JSON.stringify([meter, model ?? '', rateKeys ?? [], included === true, ownPrice === true]);
}

/** Divisions of exact rationals are dear, and every call needs the same few: a row's are worked out once. */
const perUnitOf = new WeakMap<Rate, Rational>();
const factorOfMargin = new WeakMap<Rational, Rational>();

function perUnit(rate: Rate): Rational {
  const known = perUnitOf.get(rate);
  if (known) return known;
  const cost = rate.unitCostUsd.dividedBy(rate.per);
  perUnitOf.set(rate, cost);
  return cost;
}

function factorOf(marginPct: Rational): Rational {
  const known = factorOfMargin.get(marginPct);
  if (known) return known;
  const factor = HUNDRED.plus(marginPct).dividedBy(HUNDRED);
  factorOfMargin.set(marginPct, factor);
  return factor;
}

function toHold(usd: Rational): Micros {
  return usd.times(MICROS_PER_USD).ceil();
}

function sum(parts: readonly Rational[]): Rational {
  return parts.reduce((total, part) => total.plus(part), Rational.ZERO);
}
