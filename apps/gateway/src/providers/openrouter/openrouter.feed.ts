import type { Meter } from '@vendo/events';
import { Rational } from '@vendo/money';
import { isObject, objectOf } from '../foreign-json.js';
import {
  FeedError,
  FeedList,
  type ListedPrice,
  modelNameOf,
  type PriceFeed,
  type RefusedWhy,
  unitPriceOf,
} from '../price-feed.js';

const MILLION = Rational.of(1_000_000n);
/** What routers cost, whose models change from call to call. */
const VARIES = '-1';

/** What every model must have, and what it may have beside it. Other members of `pricing` are in the cost of a call. */
const REQUIRED: readonly (readonly [member: string, meter: Meter])[] = [
  ['prompt', 'input_tokens'],
  ['completion', 'output_tokens'],
];
const OPTIONAL: readonly (readonly [member: string, meter: Meter])[] = [
  ['input_cache_read', 'cache_read_tokens'],
  ['input_cache_write', 'cache_write_tokens'],
];

/** `GET /api/v1/models`: USD for one token, as decimals in strings. They bound a hold, and price a call that names no cost. */
export const feed: PriceFeed = {
  path: '/api/v1/models',
  read(json) {
    const { data } = objectOf(json);
    if (!Array.isArray(data)) throw new FeedError('it has no list "data"');
    const list = new FeedList();
    for (const { id, pricing } of data.map(objectOf)) {
      const model = modelNameOf(id);
      if (model === null || (isObject(pricing) && pricing.prompt === VARIES)) continue;
      list.add(model, isObject(pricing) ? pricesIn(pricing) : 'missing');
    }
    return list.reading();
  },
};

function pricesIn(pricing: Readonly<Record<string, unknown>>): readonly ListedPrice[] | RefusedWhy {
  const prices: ListedPrice[] = [];
  for (const [member, meter] of [...REQUIRED, ...OPTIONAL]) {
    const isOptional = OPTIONAL.some(([name]) => name === member);
    const price = unitPriceOf(pricing[member]);
    if (price === 'missing' && isOptional) continue;
    if (typeof price === 'string') return price;
    // A zero beside a price says that there is no such cache.
    if (isOptional && price.isZero()) continue;
    prices.push({ meter, usd: price.times(MILLION), per: MILLION });
  }
  return prices;
}
