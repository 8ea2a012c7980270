import type { Meter } from '@vendo/events';
import { Rational } from '@vendo/money';
import type { FeedReading, ListedModel, ListedPrice, RefusedModel } from '../providers/price-feed.js';

/** A price in force, of the standard tier and without regard to the length of the prompt. */
export interface PriceInForce {
  model: string;
  meter: Meter;
  usd: Rational;
  per: Rational;
  /** An operator's own, which no list changes. */
  isOperators: boolean;
  /** From this feed, by an earlier reading. */
  isFromFeed: boolean;
}

/** A row to add. */
export interface PriceChange extends ListedPrice {
  model: string;
  /** Null: there was none. */
  before: Pick<ListedPrice, 'usd' | 'per'> | null;
}

export interface PricePlan {
  changes: readonly PriceChange[];
  refused: readonly RefusedModel[];
  /** Models with a price of an operator's, which are left alone. */
  kept: number;
  /** Models of earlier readings that are not listed any more; they keep their prices. */
  vanished: number;
}

const TEN = Rational.of(10n);

/** What a feed's list changes. A model's prices change together or not at all. Pure. */
export function planOf(feed: FeedReading, inForce: readonly PriceInForce[]): PricePlan {
  const byModel = Map.groupBy(inForce, ({ model }) => model);
  const changes: PriceChange[] = [];
  const refused: RefusedModel[] = [...feed.refused];
  let kept = 0;
  for (const listed of feed.models) {
    const current = byModel.get(listed.model) ?? [];
    if (current.some(({ isOperators }) => isOperators)) kept += 1;
    else if (jumps(listed, current)) refused.push({ model: listed.model, why: 'jump' });
    else changes.push(...changesOf(listed, current));
  }
  const names = new Set([...feed.models, ...feed.refused].map(({ model }) => model));
  const fromFeed = [...byModel].filter(([, prices]) => prices.some(({ isFromFeed }) => isFromFeed));
  return { changes, refused, kept, vanished: fromFeed.filter(([model]) => !names.has(model)).length };
}

function changesOf({ model, prices }: ListedModel, current: readonly PriceInForce[]): PriceChange[] {
  return prices
    .map((price) => ({ model, ...price, before: current.find(({ meter }) => meter === price.meter) ?? null }))
    .filter(({ before, ...price }) => before === null || unitPrice(before).compare(unitPrice(price)) !== 0);
}

/**
 * Whether any price is more than ten times what it was, or less than a tenth, so that it may be a slip. Where all that
 * counted counts no more and something else does, the unit has changed, and there is nothing to compare.
 */
function jumps({ prices }: ListedModel, current: readonly PriceInForce[]): boolean {
  const counted = current.filter(({ usd }) => !usd.isZero()).map(({ meter }) => meter);
  const counts = prices.filter(({ usd }) => !usd.isZero()).map(({ meter }) => meter);
  const hasOtherUnit =
    counted.length > 0 && counts.length > 0 && !counts.some((meter) => counted.includes(meter));
  if (hasOtherUnit) return false;
  return prices.some((price) => {
    const before = current.find(({ meter }) => meter === price.meter);
    return before !== undefined && isFar(unitPrice(price), unitPrice(before));
  });
}

function isFar(after: Rational, before: Rational): boolean {
  return after.compare(before.times(TEN)) > 0 || before.compare(after.times(TEN)) > 0;
}

function unitPrice({ usd, per }: Pick<ListedPrice, 'usd' | 'per'>): Rational {
  return usd.dividedBy(per);
}
