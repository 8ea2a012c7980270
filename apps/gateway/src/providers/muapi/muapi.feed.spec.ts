import { describe, expect, it } from '@jest/globals';
import { FeedError } from '../price-feed.js';
import { feed } from './muapi.feed.js';

const FLAT = {
  name: 'Flux',
  endpoint: '/api/v1/flux-dev-image',
  cost: 0.025,
  cost_currency: 'USD',
  cost_strategy: 'fixed_cost',
  dynamic_pricing: false,
};

const PRICES = ['requests 0.025 / 1', 'usd 0 / 1'];

function listed(...entries: unknown[]): unknown {
  const { models, refused } = feed.read(entries);
  return [
    ...models.map(({ model, prices }) => [
      model,
      ...prices.map(({ meter, usd, per }) => `${meter} ${usd.toDecimal()} / ${per.toDecimal()}`),
    ]),
    ...refused.map(({ model, why }) => [model, why]),
  ];
}

describe('the price feed of MuAPI', () => {
  it.each([
    ['a flat price', FLAT, PRICES],
    ['a flat price in text', { ...FLAT, cost: '0.0251' }, ['requests 0.0251 / 1', 'usd 0 / 1']],
    ['a dynamic one', { ...FLAT, cost_strategy: 'dynamic' }, ['requests 0 / 1', 'usd 1 / 1']],
    ['a flag that it is dynamic', { ...FLAT, dynamic_pricing: true }, ['requests 0 / 1', 'usd 1 / 1']],
  ])('gives a model with %s both its meters', (_, entry, prices) =>
    expect(listed(entry)).toEqual([['flux-dev-image', ...prices]]),
  );

  it.each([
    [{ cost: null }, 'missing'],
    [{ cost: 0 }, 'missing'],
    [{ cost: -1 }, 'negative'],
    [{ cost: 'free' }, 'not a number'],
    [{ cost: 1_001 }, 'too high'],
    [{ cost_currency: 'EUR' }, 'not in USD'],
    [{ cost_strategy: 'per_second' }, 'missing'],
  ])('takes nothing of a model with %j', (change, why) =>
    expect(listed({ ...FLAT, ...change })).toEqual([['flux-dev-image', why]]),
  );

  it.each([
    ['https://api.muapi.ai/api/v1/mmaudio-v2/text-to-audio', 'mmaudio-v2/text-to-audio'],
    ['api/v1/flux', 'flux'],
    ['flux_2.1', 'flux_2.1'],
  ])('calls %s by its path', (endpoint, model) =>
    expect(listed({ ...FLAT, endpoint })).toEqual([[model, ...PRICES]]),
  );

  it('calls a model without an endpoint by its name', () =>
    expect(listed({ ...FLAT, endpoint: undefined, name: 'flux' })).toEqual([['flux', ...PRICES]]));

  it.each([
    '/api/v1/agent/skill/run',
    '/api/v1/account/topup',
    '/api/v1/a/../keys',
    '/api/v1/',
    'https://elsewhere.example/api/v1/flux',
    '/api/v1/flux?x=1',
    '/api/v1/*',
    '/api/v1/fl%75x',
    7,
  ])('passes over %p, which is no model', (endpoint) => expect(listed({ ...FLAT, endpoint })).toEqual([]));

  it('may stand in an object, and is none in anything else', () => {
    expect(feed.read({ models: [FLAT] }).models).toHaveLength(1);
    for (const json of [null, {}, { models: {} }, 'x']) expect(() => feed.read(json)).toThrow(FeedError);
  });
});
