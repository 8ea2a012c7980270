export { type PricedUsage, RateBook, type TokenBound, type UnpricedMeter } from './rate-book.js';
export * from './rates.js';
