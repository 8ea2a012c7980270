import type { Meter } from '@vendo/events';
import { inForce, newestFirst, type PricingInstant } from './in-force.js';
import type { PriceContext, PricedTier, Rate } from './rates.js';

/** All rates of one model at one provider, whatever their tier and date. */
export class PriceList {
  private readonly rates: Rate[] = [];
  private readonly rows = new Map<string, Rate[]>();

  add(rate: Rate): void {
    this.rates.push(rate);
    const key = rowKey(rate.tier, rate.meter);
    const rows = this.rows.get(key);
    if (rows) rows.push(rate);
    else this.rows.set(key, [rate]);
  }

  /** To be called once, after the last `add`. */
  sort(): void {
    // The highest context row that a prompt reaches counts, and within it the newest.
    for (const rows of this.rows.values())
      rows.sort((a, b) => b.contextFrom - a.contextFrom || newestFirst(a, b));
  }

  isInForce(instant: PricingInstant): boolean {
    return this.rates.some((rate) => inForce(rate, instant));
  }

  find(meter: Meter, context: PriceContext, contextTokens: number): Rate | null {
    const rate = this.rows
      .get(rowKey(context.tier, meter))
      ?.find((row) => row.contextFrom <= contextTokens && inForce(row, context));
    return rate && isPrice(rate) ? rate : null;
  }

  /** The rate of each context row that a prompt of up to `context.contextTokens` tokens can reach. */
  findReachable(meter: Meter, context: PriceContext): Rate[] {
    const reachable: Rate[] = [];
    let contextFrom = Number.POSITIVE_INFINITY;
    for (const row of this.rows.get(rowKey(context.tier, meter)) ?? []) {
      const isNewest = row.contextFrom < contextFrom;
      if (!isNewest || row.contextFrom > context.contextTokens || !inForce(row, context)) continue;
      contextFrom = row.contextFrom;
      if (isPrice(row)) reachable.push(row);
    }
    return reachable;
  }
}

/** The model name of rows that hold for every model of their provider. */
const EVERY_MODEL = '*';

/** The price lists of all models. */
export class PriceLists {
  private readonly lists = new Map<string, PriceList>();

  constructor(rates: readonly Rate[]) {
    for (const rate of rates) {
      const key = `${rate.provider}/${rate.model}`;
      const list = this.lists.get(key) ?? new PriceList();
      this.lists.set(key, list);
      list.add(rate);
    }
    for (const list of this.lists.values()) list.sort();
  }

  /**
   * The first of the rate keys that has a price list in force prices the call. A meter or tier that it lacks is not
   * looked up under the next name, which may be another model, but among the rows for every model of the provider.
   * @param contextTokens of the whole prompt; the context's own unless said.
   * @param ownPrice the rows for every model do not count.
   */
  find(
    meter: Meter,
    context: PriceContext,
    { rateKeys = context.rateKeys, contextTokens = context.contextTokens, ownPrice = false }: Lookup = {},
  ): Rate | null {
    for (const inTier of tiersOf(context)) {
      const rate =
        this.listOf(inTier, rateKeys)?.find(meter, inTier, contextTokens) ??
        (ownPrice ? null : this.everyModel(inTier)?.find(meter, inTier, contextTokens));
      if (rate) return rate;
    }
    return null;
  }

  /** The rate in the first tier that stands in for the context's own and has one. */
  findStandIn(meter: Meter, context: PriceContext, lookup: Lookup): Rate | null {
    for (const standIn of context.standIns ?? []) {
      const rate = this.find(meter, inTierOf(context, standIn), lookup);
      if (rate) return rate;
    }
    return null;
  }

  /** The rate of each context row that a prompt of up to `context.contextTokens` tokens can reach. */
  findReachable(meter: Meter, context: PriceContext): Rate[] {
    for (const inTier of tiersOf(context)) {
      for (const list of [this.listOf(inTier, inTier.rateKeys), this.everyModel(inTier)]) {
        const rates = list?.findReachable(meter, inTier) ?? [];
        if (rates.length > 0) return rates;
      }
    }
    return [];
  }

  private listOf(context: PriceContext, rateKeys: readonly string[]): PriceList | null {
    for (const model of rateKeys) {
      const list = this.lists.get(`${context.provider}/${model}`);
      if (list?.isInForce(context)) return list;
    }
    return null;
  }

  private everyModel({ provider }: PriceContext): PriceList | undefined {
    return this.lists.get(`${provider}/${EVERY_MODEL}`);
  }
}

/** The context in its own tier, then in the one that counts where that has no price. */
function tiersOf(context: PriceContext): PriceContext[] {
  const { plainTier } = context;
  return plainTier === undefined ? [context] : [context, { ...context, tier: plainTier }];
}

/** The same circumstances in another tier. */
export function inTierOf({ plainTier: _, ...context }: PriceContext, inTier: PricedTier): PriceContext {
  return { ...context, ...inTier };
}

interface Lookup {
  rateKeys?: readonly string[] | undefined;
  contextTokens?: number;
  ownPrice?: boolean | undefined;
}

/** A zero that nobody has declared free is a hole in the data, not a price. */
function isPrice(rate: Rate): boolean {
  return rate.free || !rate.unitCostUsd.isZero();
}

function rowKey(tier: string, meter: Meter): string {
  return `${tier}/${meter}`;
}
