// Over 400 lines: one price list and one way of asking it, in many short cases.
import { describe, expect, it } from '@jest/globals';
import { METERS, type Meter } from '@vendo/events';
import { Rational } from '@vendo/money';
import fc from 'fast-check';
import { RateBook, TOKENS, type UnitBound } from './rate-book.js';
import type { Margin, PriceContext, Quantity, Rate } from './rates.js';

const MILLION = Rational.of(1_000_000n);
const context: PriceContext = {
  tenantId: 't1',
  provider: 'openai',
  rateKeys: ['m'],
  tier: 'standard',
  contextTokens: 0,
  at: 1_000,
  version: 5,
};

function rate(meter: Meter, usdPerMillion: string, other: Partial<Rate> = {}): Rate {
  return {
    ...{ provider: 'openai', model: 'm', meter, tier: 'standard', contextFrom: 0 },
    ...{ unitCostUsd: Rational.parse(usdPerMillion), per: MILLION, free: false },
    ...{ effectiveFrom: 0, version: 1 },
    ...other,
  };
}

function margin(marginPct: string, other: Partial<Margin> = {}): Margin {
  return {
    ...{ tenantId: null, integration: null, meter: null },
    ...{ marginPct: Rational.parse(marginPct), effectiveFrom: 0, version: 0 },
    ...other,
  };
}

function tokens(meter: Meter, quantity: bigint, other: Partial<Quantity> = {}): Quantity {
  return { meter, quantity: Rational.of(quantity), ...other };
}

const MODEL = [rate('input_tokens', '2'), rate('output_tokens', '8')];
const costOf = (
  rates: Rate[],
  quantities: Quantity[],
  other: Partial<PriceContext> = {},
  margins = [margin('0')],
) => new RateBook(rates, margins, 5).price({ ...context, ...other }, quantities);

describe('a price', () => {
  it.each<[string, Rate[], Partial<PriceContext>, bigint]>([
    ['is the base row', [rate('input_tokens', '2')], {}, 2n],
    ['of another tier is not used', [rate('input_tokens', '2')], { tier: 'flex' }, 0n],
    [
      'of a newer version is not used',
      [rate('input_tokens', '2'), rate('input_tokens', '3', { version: 6 })],
      {},
      2n,
    ],
    [
      'in force only later is not used',
      [rate('input_tokens', '2'), rate('input_tokens', '3', { effectiveFrom: 1_001 })],
      {},
      2n,
    ],
    [
      'in force from this very instant is used',
      [rate('input_tokens', '2'), rate('input_tokens', '3', { effectiveFrom: 1_000 })],
      {},
      3n,
    ],
    [
      'with the latest begin wins over the higher version',
      [
        rate('input_tokens', '2', { version: 4 }),
        rate('input_tokens', '3', { effectiveFrom: 9, version: 2 }),
      ],
      {},
      3n,
    ],
    [
      'of the higher version wins at the same begin',
      [rate('input_tokens', '2', { version: 4 }), rate('input_tokens', '3', { version: 2 })],
      {},
      2n,
    ],
    [
      'for long prompts begins at its bound',
      [rate('input_tokens', '2'), rate('input_tokens', '4', { contextFrom: 272_000 })],
      { contextTokens: 272_000 },
      4n,
    ],
    [
      'for long prompts does not touch one token below',
      [rate('input_tokens', '2'), rate('input_tokens', '4', { contextFrom: 272_000 })],
      { contextTokens: 271_999 },
      2n,
    ],
    ['is found under a later name', [rate('input_tokens', '2')], { rateKeys: ['m-2026', 'm'] }, 2n],
    [
      'is that of the first name known',
      [rate('input_tokens', '2'), rate('input_tokens', '3', { model: 'm-2026' })],
      { rateKeys: ['m-2026', 'm'] },
      3n,
    ],
    ['of zero that nobody declared free is none', [rate('input_tokens', '0')], {}, 0n],
  ])('%s', (_, rates, other, micros) => {
    const priced = costOf(rates, [tokens('input_tokens', 1n)], other);
    expect(priced.costMicros).toBe(micros);
    expect(priced.unpriced).toHaveLength(micros === 0n ? 1 : 0);
  });

  it('never comes from another name once one has a list: a missing meter stays unpriced', () => {
    const rates = [...MODEL, rate('input_tokens', '3', { model: 'm-2026' })];
    const { unpriced } = costOf(rates, [tokens('output_tokens', 1n)], { rateKeys: ['m-2026', 'm'] });
    expect(unpriced).toEqual([{ meter: 'output_tokens', model: 'm-2026' }]);
  });

  it('does not stand in for a meter that has none, and the rest is charged', () => {
    const priced = costOf(MODEL, [tokens('cache_write_1h_tokens', 9n), tokens('input_tokens', 3n)]);
    expect(priced.costMicros).toBe(6n);
    expect(priced.unpriced).toEqual([{ meter: 'cache_write_1h_tokens', model: 'm' }]);
    expect(priced.lines[1]).toEqual({
      meter: 'cache_write_1h_tokens',
      quantity: '9',
      unit_cost_usd: '0',
      per: '1',
      margin_pct: '0',
      cost_micros_exact: '0/1',
      cost_micros: 0,
      unpriced: true,
    });
  });

  const flex = [...MODEL, rate('input_tokens', '1', { tier: 'flex' })];
  it.each<[string, Rate[], Partial<PriceContext>, bigint, number]>([
    ['is none where the tier has one', flex, { tier: 'flex', standIns: [{ tier: 'standard' }] }, 1n, 0],
    ['is charged, and told', flex, { tier: 'priority', standIns: [{ tier: 'flex' }] }, 1n, 1],
    [
      'is the first that has a price',
      flex,
      { tier: 'priority', standIns: [{ tier: 'fast' }, { tier: 'standard' }, { tier: 'flex' }] },
      2n,
      1,
    ],
    [
      'counts at the place of the call',
      [...flex, rate('input_tokens', '3', { tier: 'regional' })],
      {
        ...{ tier: 'priority_regional', plainTier: 'priority' },
        standIns: [{ tier: 'regional', plainTier: 'standard' }],
      },
      3n,
      1,
    ],
    [
      'is none where the plain tier of a place has one',
      flex,
      {
        ...{ tier: 'fast_regional', plainTier: 'flex' },
        standIns: [{ tier: 'regional', plainTier: 'standard' }],
      },
      1n,
      0,
    ],
    ['is nothing where none has a price', flex, { tier: 'priority', standIns: [{ tier: 'fast' }] }, 0n, 1],
    [
      'counts for a price of every model',
      [rate('input_tokens', '7', { model: '*' })],
      { tier: 'priority', standIns: [{ tier: 'standard' }] },
      7n,
      1,
    ],
  ])('of a tier that stands in %s', (_, rates, other, micros, told) => {
    const priced = costOf(rates, [tokens('input_tokens', 1n)], other);
    expect(priced.costMicros).toBe(micros);
    expect(priced.unpriced).toHaveLength(told);
    expect(priced.lines[0]?.unpriced).toBe(micros === 0n ? true : undefined);
  });

  it('of a tier that stands in lets no call through', () => {
    const book = new RateBook(MODEL, [margin('0')], 5);
    const other = { ...context, tier: 'flex', standIns: [{ tier: 'standard' }] };
    expect(book.isPriced(other, TOKENS)).toBe(false);
  });

  it('of zero is a price when it is declared free', () => {
    const priced = costOf([rate('web_fetches', '0', { free: true })], [tokens('web_fetches', 4n)]);
    expect(priced.unpriced).toEqual([]);
    expect(priced.lines).toMatchObject([{ cost_micros: 0 }]);
  });

  it('is that of the line where a line names its own model', () => {
    const rates = [...MODEL, rate('input_tokens', '5', { model: 'advisor' })];
    const own = { model: 'advisor', rateKeys: ['advisor'] };
    const priced = costOf(rates, [tokens('input_tokens', 1n, own), tokens('input_tokens', 1n)]);
    expect(priced.lines.map(({ model, cost_micros }) => [model, cost_micros])).toEqual([
      [undefined, 2],
      ['advisor', 5],
    ]);
  });

  it('leaves out quantities of zero and refuses negative ones', () => {
    expect(costOf(MODEL, [tokens('input_tokens', 0n)]).lines).toEqual([]);
    expect(() => costOf(MODEL, [tokens('input_tokens', -1n)])).toThrow(RangeError);
  });

  it('is rounded once, over the sum, half to even', () => {
    const rates = [rate('input_tokens', '0.25'), rate('output_tokens', '0.25'), rate('characters', '0.5')];
    const third = costOf(rates, [tokens('input_tokens', 1n), tokens('output_tokens', 1n)]);
    expect(third.costMicros).toBe(0n);
    const whole = costOf(rates, [
      tokens('input_tokens', 1n),
      tokens('output_tokens', 1n),
      tokens('characters', 1n),
    ]);
    expect(whole.costMicros).toBe(1n);
    expect(whole.lines.map(({ cost_micros }) => cost_micros)).toEqual([0, 0, 1]);
  });
});

describe('a quantity whose cost is in another line', () => {
  it('is told and costs nothing, with a price as without', () => {
    const included = [tokens('input_tokens', 5n), tokens('cache_read_tokens', 7n)].map((one) => ({
      ...one,
      included: true,
    }));
    const priced = costOf(
      [...MODEL, rate('usd', '1000000')],
      [...included, { meter: 'usd', quantity: Rational.parse('0.0004970133333333333') }],
    );
    expect(priced.lines.map(({ meter, quantity, cost_micros }) => [meter, quantity, cost_micros])).toEqual([
      ['input_tokens', '5', 0],
      ['cache_read_tokens', '7', 0],
      ['usd', '0.0004970133333333333', 497],
    ]);
    expect(priced.costMicros).toBe(497n);
    expect(priced.unpriced).toEqual([]);
    expect(priced.lines.filter(({ unpriced }) => unpriced)).toEqual([]);
  });
});

describe('the margin', () => {
  const cascade: [string, Margin][] = [
    ['tenant and meter', margin('10', { tenantId: 't1', meter: 'input_tokens' })],
    ['tenant and integration', margin('11', { tenantId: 't1', integration: 'openai' })],
    ['tenant', margin('12', { tenantId: 't1' })],
    ['meter', margin('13', { meter: 'input_tokens' })],
    ['integration', margin('14', { integration: 'openai' })],
    ['global', margin('15')],
  ];
  const foreign = [
    margin('90', { tenantId: 't2' }),
    margin('91', { tenantId: 't2', meter: 'input_tokens' }),
    margin('92', { integration: 'anthropic' }),
    margin('93', { meter: 'output_tokens' }),
    margin('94', { tenantId: 't1', meter: 'input_tokens', version: 6 }),
    margin('95', { tenantId: 't1', meter: 'input_tokens', effectiveFrom: 2_000 }),
  ];

  it.each(cascade.map(([name], index) => [name, index] as const))(
    'of the %s wins over all below it',
    (_, index) => {
      const margins = [...foreign, ...cascade.slice(index).map(([, rule]) => rule)].reverse();
      const priced = costOf(MODEL, [tokens('input_tokens', 100n)], {}, margins);
      expect(priced.lines).toMatchObject([{ margin_pct: String(10 + index) }]);
      expect(priced.providerCostMicros).toBe(200n);
      expect(priced.costMicros).toBe(220n + 2n * BigInt(index));
    },
  );

  it('that is missing makes a price missing', () => {
    expect(costOf(MODEL, [tokens('input_tokens', 1n)], {}, []).unpriced).toHaveLength(1);
    expect(new RateBook(MODEL, [], 5).isPriced(context, TOKENS)).toBe(false);
  });
});

describe('a hold', () => {
  const bound = { input: 1_000, output: 10 };
  const hold = (rates: Rate[], other: Partial<PriceContext> = {}) =>
    new RateBook(rates, [margin('50')], 5).holdFor({ ...context, ...other }, bound);

  it.each<[string, Rate[], Partial<PriceContext>, bigint | null]>([
    ['covers input and output, margin included', MODEL, {}, 3_120n],
    ['takes the dearest input meter', [...MODEL, rate('cache_write_1h_tokens', '4')], {}, 6_120n],
    ['takes the dearest output meter', [...MODEL, rate('audio_output_tokens', '80')], {}, 4_200n],
    ['counts pictures as input', [...MODEL, rate('image_input_tokens', '4')], {}, 6_120n],
    ['counts pictures as output', [...MODEL, rate('image_tokens', '80')], {}, 4_200n],
    ['counts reasoning as output', [...MODEL, rate('reasoning_tokens', '80')], {}, 4_200n],
    [
      'takes the long-context price it can reach',
      [...MODEL, rate('input_tokens', '4', { contextFrom: 1_000 })],
      {},
      6_120n,
    ],
    [
      'takes none that it cannot reach',
      [...MODEL, rate('input_tokens', '4', { contextFrom: 1_001 })],
      {},
      3_120n,
    ],
    [
      'keeps the base price where the long one is cheaper',
      [...MODEL, rate('input_tokens', '1', { contextFrom: 9 })],
      {},
      3_120n,
    ],
    ['is rounded up', [rate('input_tokens', '0.0000001'), rate('output_tokens', '8')], {}, 121n],
    ['is none for an unknown model', MODEL, { rateKeys: ['x'] }, null],
    ['is none for a tier without prices', MODEL, { tier: 'priority' }, null],
    ['is none without a price for output', [rate('input_tokens', '2')], {}, null],
    [
      'is none without a price for input',
      [rate('output_tokens', '2'), rate('cache_read_tokens', '1')],
      {},
      null,
    ],
    [
      'may have free output',
      [rate('input_tokens', '2'), rate('output_tokens', '0', { free: true })],
      {},
      3_000n,
    ],
  ])('%s', (_, rates, other, micros) => {
    expect(hold(rates, other)).toBe(micros);
    expect(new RateBook(rates, [margin('0')], 5).isPriced({ ...context, ...other }, TOKENS)).toBe(
      micros !== null,
    );
  });
});

describe('a hold in other units', () => {
  const RATES = [
    rate('characters', '15'),
    rate('images', '40000'),
    rate('requests', '0'),
    rate('usd', '1', { model: '*', per: Rational.ONE }),
  ];
  const hold = (bound: UnitBound, rates = RATES) =>
    new RateBook(rates, [margin('50')], 5).holdForUnits(context, bound);

  it.each<[string, UnitBound, bigint | null]>([
    ['is the sum over the meters, margin included', { characters: 1_000, images: 2 }, 142_500n],
    ['is rounded up, once', { characters: 1 }, 23n],
    ['may be bounded by what is not whole', { usd: Rational.parse('0.0000012') }, 2n],
    ['is none where a meter has no price', { characters: 1_000, audio_seconds: 1 }, null],
    ['is none where a zero price is not declared free', { requests: 1 }, null],
    ['is nothing for nothing', { characters: 0 }, 0n],
  ])('%s', (_, bound, micros) => expect(hold(bound)).toBe(micros));

  it('takes the dearest price that the prompt can reach', () => {
    const rates = [...RATES, rate('characters', '30', { contextFrom: 100 })];
    const at = (contextTokens: number) =>
      new RateBook(rates, [margin('0')], 5).holdForUnits({ ...context, contextTokens }, { characters: 100 });
    expect([at(99), at(100)]).toEqual([1_500n, 3_000n]);
  });

  it('refuses a number that is not whole', () => expect(() => hold({ characters: 1.5 })).toThrow(RangeError));
});

describe('a route', () => {
  const rates = [rate('audio_seconds', '100'), ...MODEL.slice(0, 1)];
  const isPriced = (needs: readonly Meter[]) =>
    new RateBook(rates, [margin('0')], 5).isPriced(context, needs);

  it.each<[boolean, Meter[]]>([
    [true, ['audio_seconds']],
    [true, ['audio_seconds', 'input_tokens']],
    [false, ['audio_seconds', 'output_tokens']],
    [false, ['characters']],
    [false, []],
  ])('is priced: %s, where it bills %j', (priced, needs) => expect(isPriced(needs)).toBe(priced));
});

describe('a price for every model of a provider', () => {
  const everyModel = (meter: Meter, usdPerMillion: string, other: Partial<Rate> = {}) =>
    rate(meter, usdPerMillion, { model: '*', ...other });
  const micros = (rates: Rate[], meter: Meter, other: Partial<PriceContext> = {}) =>
    costOf(rates, [tokens(meter, 1n)], other).costMicros;

  it.each<[string, Rate[], Partial<PriceContext>, bigint]>([
    ["prices a meter that the model's own list lacks", [...MODEL, everyModel('web_searches', '7')], {}, 7n],
    ['prices a model that has no list', [everyModel('web_searches', '7')], { rateKeys: ['x'] }, 7n],
    ["gives way to the model's own", [rate('web_searches', '9'), everyModel('web_searches', '7')], {}, 9n],
    ['is of one tier as any other', [everyModel('web_searches', '7')], { tier: 'flex' }, 0n],
    ['is of one provider', [everyModel('web_searches', '7', { provider: 'gemini' })], {}, 0n],
    ['begins on its day', [everyModel('web_searches', '7', { effectiveFrom: 1_001 })], {}, 0n],
  ])('%s', (_, rates, other, cost) => {
    expect(micros(rates, 'web_searches', other)).toBe(cost);
    const book = new RateBook(rates, [margin('0')], 5);
    expect(book.isPriced({ ...context, ...other }, ['web_searches'])).toBe(cost > 0n);
    expect(book.holdForUnits({ ...context, ...other }, { web_searches: 1 })).toBe(cost || null);
  });
});

describe('what only a price of its own can price', () => {
  const session = { meter: 'code_sessions', quantity: Rational.ONE, rateKeys: ['container/64g'] } as const;
  const own = { ...session, ownPrice: true };
  const rates = [rate('code_sessions', '3', { model: '*' })];
  const priced = [...rates, rate('code_sessions', '192', { model: 'container/64g' })];

  it('is not priced as everything of its provider', () => {
    expect(costOf(rates, [session]).costMicros).toBe(3n);
    const { costMicros, lines, unpriced } = costOf(rates, [own]);
    expect(costMicros).toBe(0n);
    expect(lines).toMatchObject([{ unpriced: true }]);
    expect(unpriced).toMatchObject([{ meter: 'code_sessions' }]);
    expect(costOf(priced, [own]).costMicros).toBe(192n);
  });

  it('is asked for before the call', () => {
    const isPriced = (of: Rate[]) =>
      new RateBook(of, [margin('0')], 5).isPriced(
        { ...context, rateKeys: session.rateKeys },
        ['code_sessions'],
        true,
      );
    expect([isPriced(rates), isPriced(priced)]).toEqual([false, true]);
  });
});

describe('a tier in whose place the plain one may stand', () => {
  const there = (meter: Meter, usd: string, other: Partial<Rate> = {}) =>
    rate(meter, usd, { tier: 'regional', ...other });
  const REGIONAL = { tier: 'regional', plainTier: 'standard' };
  const everywhere = rate('web_searches', '7', { model: '*' });

  it.each<[string, Rate[], Meter, Partial<PriceContext>, bigint]>([
    ['counts where it has a price', [...MODEL, there('input_tokens', '3')], 'input_tokens', {}, 3n],
    ['gives way for a meter that it lacks', [...MODEL, there('input_tokens', '3')], 'output_tokens', {}, 8n],
    ['gives way for a model that it lacks', MODEL, 'input_tokens', {}, 2n],
    ['gives way for what every model costs', [...MODEL, everywhere], 'web_searches', {}, 7n],
    [
      'counts for every model before the plain one does for this',
      [...MODEL, there('input_tokens', '5', { model: '*' })],
      'input_tokens',
      {},
      5n,
    ],
    ['gives way to no third one', MODEL, 'input_tokens', { plainTier: 'flex' }, 0n],
    [
      'begins its long prompts where it says',
      [...MODEL, there('input_tokens', '3'), there('input_tokens', '6', { contextFrom: 9 })],
      'input_tokens',
      { contextTokens: 9 },
      6n,
    ],
  ])('%s', (_, rates, meter, other, cost) => {
    const inTier = { ...context, ...REGIONAL, ...other };
    expect(costOf(rates, [tokens(meter, 1n)], inTier).costMicros).toBe(cost);
    const book = new RateBook(rates, [margin('0')], 5);
    expect(book.isPriced(inTier, [meter])).toBe(cost > 0n);
    expect(book.holdForUnits(inTier, { [meter]: 1 })).toBe(cost || null);
  });
});

describe('any usage', () => {
  const meter = fc.constantFrom(...METERS);
  const rates = fc.array(
    fc
      .tuple(
        meter,
        fc.bigInt({ min: 1n, max: 10n ** 9n }),
        fc.constantFrom(0, 100, 5_000),
        fc.nat(8),
        fc.nat(2_000),
      )
      .map(([name, n, contextFrom, version, effectiveFrom]) =>
        rate(name, '1', { unitCostUsd: Rational.of(n, 10n ** 6n), contextFrom, version, effectiveFrom }),
      ),
    { maxLength: 25 },
  );
  const quantities = fc.array(
    fc
      .tuple(meter, fc.bigInt({ min: 0n, max: 10n ** 9n }))
      .map(([name, n]) => ({ meter: name, quantity: Rational.of(n, 1_000n) })),
    { maxLength: 8 },
  );
  const pct = fc.bigInt({ min: 0n, max: 10n ** 5n });

  it('costs what an independent sum over one denominator says, and its lines add up to it', () =>
    fc.assert(
      fc.property(rates, quantities, pct, fc.nat(6_000), (rows, used, percent, contextTokens) => {
        const margins = [margin('0', { marginPct: Rational.of(percent, 100n) })];
        const priced = costOf(rows, used, { contextTokens }, margins);
        expect(priced.costMicros).toBe(oracle(rows, used, percent, contextTokens));
        expect(BigInt(priced.lines.reduce((sum, line) => sum + line.cost_micros, 0))).toBe(priced.costMicros);
        expect(priced.lines.every((line) => line.cost_micros >= 0)).toBe(true);
        expect(priced.costMicros >= priced.providerCostMicros).toBe(true);
      }),
    ));

  it('costs the same in whatever order it was measured', () =>
    fc.assert(
      fc.property(
        rates,
        quantities.chain((used) =>
          fc.tuple(fc.constant(used), fc.shuffledSubarray(used, { minLength: used.length })),
        ),
        (rows, [used, shuffled]) => expect(costOf(rows, shuffled)).toEqual(costOf(rows, used)),
      ),
    ));

  /** Prices are n / 10^6 USD per 10^6 units, quantities k / 1000, the margin p / 100 per cent: all over 10^13 micros. */
  function oracle(rows: Rate[], used: Quantity[], percent: bigint, contextTokens: number): bigint {
    let sum = 0n;
    for (const { meter: name, quantity } of used) {
      const fits = rows.filter(
        (row) =>
          row.meter === name &&
          row.contextFrom <= contextTokens &&
          row.version <= 5 &&
          row.effectiveFrom <= 1_000,
      );
      const best = fits.sort(
        (a, b) => b.contextFrom - a.contextFrom || b.effectiveFrom - a.effectiveFrom || b.version - a.version,
      )[0];
      if (!best) continue;
      const n = (best.unitCostUsd.numerator * 10n ** 6n) / best.unitCostUsd.denominator;
      const k = (quantity.numerator * 1_000n) / quantity.denominator;
      sum += n * k * (10_000n + percent);
    }
    const unit = 10n ** 13n;
    const [whole, rest] = [sum / unit, sum % unit];
    const up = rest * 2n > unit || (rest * 2n === unit && whole % 2n === 1n);
    return up ? whole + 1n : whole;
  }
});
