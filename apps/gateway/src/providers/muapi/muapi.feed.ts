import { Rational } from '@vendo/money';
import { type Foreign, objectOf } from '../foreign-json.js';
import {
  FeedError,
  FeedList,
  type ListedPrice,
  modelNameOf,
  type PriceFeed,
  type RefusedWhy,
  unitPriceOf,
} from '../price-feed.js';
import { isNoModel } from './muapi.models.js';

/** What stands before a model in its endpoint: with or without the host. */
const BEFORE_MODEL = /^(?:https:\/\/api\.muapi\.ai)?\/?api\/v1\//;
const MODEL = /^[A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+)*$/;

/**
 * `GET /api/v1/models`: each model with its path and how it is priced. A model is called under its path, so this list
 * and the catalogue are what may be called.
 */
export const feed: PriceFeed = {
  path: '/api/v1/models',
  read(json) {
    const listed = Array.isArray(json) ? json : objectOf(json).models;
    if (!Array.isArray(listed)) throw new FeedError('it is no list of models');
    const list = new FeedList();
    for (const entry of listed.map(objectOf)) {
      const model = modelOf(entry);
      if (model !== null) list.add(model, pricesOf(entry));
    }
    return list.reading();
  },
};

/** Null for what no route of ours leads to: agents, other people's work. */
function modelOf({ endpoint, name }: Foreign): string | null {
  const path = modelNameOf(endpoint ?? name)?.replace(BEFORE_MODEL, '') ?? '';
  return MODEL.test(path) && !/(?:^|\/)\.{1,2}(?:\/|$)/.test(path) && !isNoModel(path) ? path : null;
}

/** Both meters: one counts, the other is declared free (docs/providers/muapi.md). */
function pricesOf({
  cost,
  cost_currency,
  cost_strategy,
  dynamic_pricing,
}: Foreign): readonly ListedPrice[] | RefusedWhy {
  if (dynamic_pricing === true || cost_strategy === 'dynamic') return flatOr(Rational.ZERO, Rational.ONE);
  if (cost_strategy !== 'fixed_cost') return 'missing';
  if (cost_currency !== 'USD') return 'not in USD';
  const price = unitPriceOf(cost);
  if (typeof price === 'string') return price;
  return price.isZero() ? 'missing' : flatOr(price, Rational.ZERO);
}

function flatOr(requests: Rational, usd: Rational): readonly ListedPrice[] {
  return [
    { meter: 'requests', usd: requests, per: Rational.ONE },
    { meter: 'usd', usd, per: Rational.ONE },
  ];
}
