import { describe, expect, it } from '@jest/globals';
import type { Meter } from '@vendo/events';
import { Rational } from '@vendo/money';
import type { FeedReading, ListedPrice } from '../providers/price-feed.js';
import { type PriceInForce, planOf } from './price-plan.js';

const MILLION = Rational.of(1_000_000n);
const price = (meter: Meter, usd: string, per = MILLION): ListedPrice => ({
  meter,
  usd: Rational.parse(usd),
  per,
});
const list = (...prices: ListedPrice[]): FeedReading => ({ models: [{ model: 'm', prices }], refused: [] });
const now = (meter: Meter, usd: string, more: Partial<PriceInForce> = {}): PriceInForce => ({
  model: 'm',
  ...price(meter, usd),
  isOperators: false,
  isFromFeed: true,
  ...more,
});

/** What is added, in words, and what is not. */
function planned(feed: FeedReading, inForce: PriceInForce[]) {
  const { changes, refused, kept, vanished } = planOf(feed, inForce);
  return {
    changes: changes.map(({ model, meter, usd, before }) =>
      [model, meter, before?.usd.toDecimal() ?? 'none', usd.toDecimal()].join(' '),
    ),
    refused: refused.map(({ model, why }) => `${model} ${why}`),
    kept,
    vanished,
  };
}
const NOTHING = { changes: [], refused: [], kept: 0, vanished: 0 };

describe('what a list of prices changes', () => {
  it.each([
    [
      'a new model',
      list(price('input_tokens', '1'), price('output_tokens', '2')),
      [],
      ['m input_tokens none 1', 'm output_tokens none 2'],
    ],
    ['a new price', list(price('input_tokens', '2')), [now('input_tokens', '1')], ['m input_tokens 1 2']],
    [
      'ten times the price',
      list(price('input_tokens', '10')),
      [now('input_tokens', '1')],
      ['m input_tokens 1 10'],
    ],
    [
      'a tenth of it',
      list(price('input_tokens', '0.1')),
      [now('input_tokens', '1')],
      ['m input_tokens 1 0.1'],
    ],
    [
      'a meter more',
      list(price('input_tokens', '1'), price('cache_read_tokens', '0.1')),
      [now('input_tokens', '1')],
      ['m cache_read_tokens none 0.1'],
    ],
    [
      'another unit: each price begins or ends',
      list(price('requests', '0.02'), price('usd', '0')),
      [now('requests', '0'), now('usd', '1')],
      ['m requests 0 0.02', 'm usd 1 0'],
    ],
  ])('%s', (_, feed, inForce, changes) => expect(planned(feed, inForce)).toEqual({ ...NOTHING, changes }));

  it.each([
    ['the same price', list(price('input_tokens', '1.50')), [now('input_tokens', '1.5')]],
    [
      'the same price for another number of units',
      list(price('usd', '1', Rational.ONE)),
      [now('usd', '1000000')],
    ],
    [
      'a meter less',
      list(price('input_tokens', '1')),
      [now('input_tokens', '1'), now('cache_read_tokens', '1')],
    ],
  ])('nothing: %s', (_, feed, inForce) => expect(planned(feed, inForce)).toEqual(NOTHING));

  it.each([
    ['more than ten times the price', price('input_tokens', '10.0000001'), now('input_tokens', '1')],
    ['less than a tenth', price('input_tokens', '0.0999999'), now('input_tokens', '1')],
    ['a price that is gone', price('input_tokens', '0'), now('input_tokens', '1')],
    ['a price of what was free', price('input_tokens', '1'), now('input_tokens', '0')],
  ])('refuses %s, and all of the model', (_, odd, before) =>
    expect(planned(list(price('output_tokens', '3'), odd), [before, now('output_tokens', '2')])).toEqual({
      ...NOTHING,
      refused: ['m jump'],
    }),
  );

  it('leaves a model alone of which an operator has set a price', () =>
    expect(
      planned(list(price('input_tokens', '2'), price('output_tokens', '9')), [
        now('input_tokens', '1', { isOperators: true, isFromFeed: false }),
        now('output_tokens', '8'),
      ]),
    ).toEqual({ ...NOTHING, kept: 1 }));

  it('counts the models that have vanished from the feed, and no others', () => {
    const feed = { models: [], refused: [{ model: 'bad', why: 'negative' as const }] };
    const inForce = [
      now('input_tokens', '1'),
      now('output_tokens', '1'),
      now('input_tokens', '1', { model: 'bad' }),
      now('input_tokens', '1', { model: 'of the catalogue', isFromFeed: false }),
    ];
    expect(planned(feed, inForce)).toEqual({ ...NOTHING, refused: ['bad negative'], vanished: 1 });
  });
});
