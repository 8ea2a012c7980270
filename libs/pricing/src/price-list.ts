import type { Meter } from '@vendo/events';
import { inForce, newestFirst, type PricingInstant } from './in-force.js';
import type { PriceContext, Rate } from './rates.js';

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

  find(meter: Meter, { tier, contextTokens, ...instant }: PriceContext): Rate | null {
    const rate = this.rows
      .get(rowKey(tier, meter))
      ?.find((row) => row.contextFrom <= contextTokens && inForce(row, instant));
    return rate && isPrice(rate) ? rate : null;
  }

  /** The rate of each context row that a prompt of up to `context.contextTokens` tokens can reach. */
  findReachable(meter: Meter, context: PriceContext): Rate[] {
    const bounds = new Set((this.rows.get(rowKey(context.tier, meter)) ?? []).map((row) => row.contextFrom));
    return [...bounds]
      .filter((contextFrom) => contextFrom <= context.contextTokens)
      .map((contextTokens) => this.find(meter, { ...context, contextTokens }))
      .filter((rate) => rate !== null);
  }
}

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
   * The first of the rate keys that has a price list in force; it alone prices the call. A meter or tier that it lacks
   * is not looked up under the next name: that may be another model.
   */
  find(context: PriceContext, rateKeys: readonly string[] = context.rateKeys): PriceList | null {
    for (const model of rateKeys) {
      const list = this.lists.get(`${context.provider}/${model}`);
      if (list?.isInForce(context)) return list;
    }
    return null;
  }
}

/** A zero that nobody has declared free is a hole in the data, not a price. */
function isPrice(rate: Rate): boolean {
  return rate.free || !rate.unitCostUsd.isZero();
}

function rowKey(tier: string, meter: Meter): string {
  return `${tier}/${meter}`;
}
