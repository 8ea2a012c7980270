import type { Meter } from '@vendo/events';
import { Rational } from '@vendo/money';

/** A provider's own list of models, public and without a key, from which prices are read every hour. */
export interface PriceFeed {
  /** Of the provider's origin. */
  readonly path: string;
  /** @param json what the feed said. Throws FeedError when that is no list of models. */
  read(json: unknown): FeedReading;
}

export interface FeedReading {
  readonly models: readonly ListedModel[];
  /** Models whose prices cannot be what they are said to be. */
  readonly refused: readonly RefusedModel[];
}

/** A model with all that it is billed by; each meter at most once. */
export interface ListedModel {
  /** As rates name it. */
  readonly model: string;
  readonly prices: readonly ListedPrice[];
}

export interface ListedPrice {
  readonly meter: Meter;
  /** For `per` units; zero: declared free. Has a finite decimal form. */
  readonly usd: Rational;
  readonly per: Rational;
}

export interface RefusedModel {
  readonly model: string;
  readonly why: RefusedWhy;
}

/** `jump`: more than ten times the price in force, or less than a tenth of it, or from nothing to something. */
export type RefusedWhy =
  | 'missing'
  | 'negative'
  | 'not a number'
  | 'too high'
  | 'not in USD'
  | 'listed twice'
  | 'jump';

/** The feed is not what it was: nothing of it is taken. */
export class FeedError extends Error {
  override name = 'FeedError';
}

/** No unit of anything costs more: it is a slip, or another unit. */
const USD_MAX = Rational.of(1_000n);

/** The price of one unit as a number or a decimal in a string, exact as `decimalOf` is; else why it is none. */
export function unitPriceOf(value: unknown): Rational | RefusedWhy {
  if (value === undefined || value === null || value === '') return 'missing';
  if (typeof value !== 'number' && typeof value !== 'string') return 'not a number';
  try {
    const price = Rational.parse(String(value));
    if (price.isNegative()) return 'negative';
    return price.compare(USD_MAX) > 0 ? 'too high' : price;
  } catch {
    return 'not a number';
  }
}

/** A name that may stand in a row: what else is said to be a model is none, nor is `*`, which is all of them. */
export function modelNameOf(value: unknown): string | null {
  return typeof value === 'string' && /^[\x21-\x7e]{1,200}$/.test(value) && value !== '*' ? value : null;
}

/** Gathers what a feed lists; a model that is listed twice has two prices, so none. */
export class FeedList {
  private readonly models = new Map<string, ListedModel>();
  private readonly refused = new Map<string, RefusedWhy>();

  add(model: string, priced: readonly ListedPrice[] | RefusedWhy): void {
    const isTwice = this.models.delete(model) || this.refused.has(model);
    if (isTwice) this.refused.set(model, 'listed twice');
    else if (typeof priced === 'string') this.refused.set(model, priced);
    else this.models.set(model, { model, prices: priced });
  }

  reading(): FeedReading {
    return {
      models: [...this.models.values()],
      refused: [...this.refused].map(([model, why]) => ({ model, why })),
    };
  }
}
