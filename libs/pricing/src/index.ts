export { inTierOf } from './price-list.js';
export {
  type PricedUsage,
  RateBook,
  TOKENS,
  type TokenBound,
  type UnitBound,
  type UnpricedMeter,
} from './rate-book.js';
export * from './rates.js';
