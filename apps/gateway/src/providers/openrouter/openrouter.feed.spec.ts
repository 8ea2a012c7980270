import { describe, expect, it } from '@jest/globals';
import { FeedError } from '../price-feed.js';
import { feed } from './openrouter.feed.js';

const PRICING = { prompt: '0.00000015', completion: '0.0000006' };
const read = (...entries: unknown[]) => feed.read({ data: entries });

/** `{meter: [usd, per]}` of the one model that is listed. */
function pricesOf(pricing: object): Record<string, [string, string]> | undefined {
  const [model] = read({ id: 'a/b', pricing }).models;
  return (
    model &&
    Object.fromEntries(model.prices.map(({ meter, usd, per }) => [meter, [usd.toDecimal(), per.toDecimal()]]))
  );
}

describe('the price feed of OpenRouter', () => {
  it('has prices for one token, which become prices for a million with every digit', () => {
    expect(
      pricesOf({
        prompt: '0.000000123456789012345678',
        completion: '6e-7',
        input_cache_read: '0.000000075',
        input_cache_write: '0.0000002',
        web_search: '0.01',
        request: '0',
      }),
    ).toEqual({
      input_tokens: ['0.123456789012345678', '1000000'],
      output_tokens: ['0.6', '1000000'],
      cache_read_tokens: ['0.075', '1000000'],
      cache_write_tokens: ['0.2', '1000000'],
    });
  });

  it('declares a model free by zeros, and no cache by one', () => {
    expect(pricesOf({ prompt: '0', completion: '0', input_cache_read: '0' })).toEqual({
      input_tokens: ['0', '1000000'],
      output_tokens: ['0', '1000000'],
    });
    expect(Object.keys(pricesOf({ ...PRICING, input_cache_read: '0' }) ?? {})).toEqual([
      'input_tokens',
      'output_tokens',
    ]);
  });

  it.each([
    [{ completion: '1' }, 'missing'],
    [{ prompt: '', completion: '1' }, 'missing'],
    [{ ...PRICING, completion: '-0.1' }, 'negative'],
    [{ ...PRICING, prompt: 'NaN' }, 'not a number'],
    [{ ...PRICING, prompt: 'Infinity' }, 'not a number'],
    [{ ...PRICING, prompt: {} }, 'not a number'],
    [{ ...PRICING, input_cache_read: '-1' }, 'negative'],
    [{ ...PRICING, prompt: '1001' }, 'too high'],
    [undefined, 'missing'],
    ['free', 'missing'],
  ])('takes nothing of a model with %j', (pricing, why) =>
    expect(read({ id: 'a/b', pricing })).toEqual({ models: [], refused: [{ model: 'a/b', why }] }),
  );

  it('passes over routers, and what has no name', () => {
    const varies = { id: 'openrouter/auto', pricing: { prompt: '-1', completion: '-1' } };
    const nameless = [{ pricing: PRICING }, { id: 'a b', pricing: PRICING }, { id: '*', pricing: PRICING }];
    expect(read(varies, ...nameless, null, 7)).toEqual({ models: [], refused: [] });
  });

  it('takes nothing of a model that is listed twice', () => {
    const entry = { id: 'a/b', pricing: PRICING };
    const twice = { models: [], refused: [{ model: 'a/b', why: 'listed twice' }] };
    expect(read(entry, entry)).toEqual(twice);
    expect(read(entry, entry, entry)).toEqual(twice);
  });

  it.each([null, [], 'x', {}, { data: {} }])('is none in %j', (json) =>
    expect(() => feed.read(json)).toThrow(FeedError),
  );
});
