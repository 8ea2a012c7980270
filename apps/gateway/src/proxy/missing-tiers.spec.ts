import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Rational } from '@vendo/money';
import { type Rate, RateBook } from '@vendo/pricing';
import { json } from './memory.proxy-answers.js';
import { send } from './memory.proxy-client.js';
import { ProxyWorld, rate } from './memory.proxy-world.js';

const MARGIN = { tenantId: null, integration: null, meter: null, effectiveFrom: 0, version: 1 };
const inTier = (tier: string, model: string, usd: string): Rate[] =>
  (['input_tokens', 'output_tokens'] as const).map((meter) => ({
    ...rate('openai', model, meter, usd),
    tier,
  }));

/** USD for a million tokens of any kind. */
const RATES = [
  ...inTier('standard', 'new', '10'),
  ...inTier('regional', 'new', '11'),
  ...inTier('standard', 'old', '20'),
  ...inTier('flex', 'old', '8'),
  ...inTier('priority', 'old', '40'),
  ...inTier('standard', 'old-2026-01-01', '21'),
  { ...rate('openai', 'old', 'cache_read_tokens', '2'), tier: 'flex' },
  rate('openai', 'old', 'cache_read_tokens', '4'),
];

let world: ProxyWorld;
beforeEach(async () => {
  world = await new ProxyWorld().start();
  world.rates = new RateBook(RATES, [{ ...MARGIN, marginPct: Rational.ZERO }], 1);
});
afterEach(() => world.close());

/** A call of 100 + 100 tokens, `cached` of them read from the cache: what its lines cost, which are unpriced, what was missed. */
async function call(asked: object, answered: object, cached = 0) {
  const usage = {
    prompt_tokens: 100,
    completion_tokens: 100,
    prompt_tokens_details: { cached_tokens: cached },
  };
  world.answer = json(200, JSON.stringify({ id: 'c', choices: [], usage, ...asked, ...answered }));
  const body = JSON.stringify({ max_tokens: 100, messages: [{ role: 'user', content: 'hi' }], ...asked });
  expect((await send(world, { body }).got)?.status).toBe(200);
  const [event] = world.usages();
  return {
    micros: world.ends()[0]?.data.cost_micros,
    unpriced: event?.data.lines.filter(({ unpriced }) => unpriced).map(({ meter }) => meter),
    missed: world.rateMisses.map(({ model, meter }) => `${model} ${meter}`),
  };
}

const BOTH = ['new input_tokens', 'new output_tokens'];

describe('a tier that only the answer tells', () => {
  it('is charged at its own price where it has one, and nothing is missed', async () =>
    expect(await call({ model: 'old' }, { service_tier: 'priority' })).toEqual({
      micros: 8_000,
      unpriced: [],
      missed: [],
    }));

  it.each(['priority', 'flex', 'a-new-one'])(
    'without a price (%s) is charged as was asked, and told',
    async (tier) =>
      expect(await call({ model: 'new' }, { service_tier: tier })).toEqual({
        micros: 2_000,
        unpriced: [],
        missed: BOTH,
      }),
  );

  it('is charged as was asked before it is charged as standard', async () =>
    expect(await call({ model: 'old', service_tier: 'flex' }, { service_tier: 'a-new-one' })).toMatchObject({
      micros: 1_600,
    }));

  it('is charged as was asked at the host of the region too', async () => {
    world.namedOrigin = 'https://eu.api.openai.com';
    expect(await call({ model: 'new' }, { service_tier: 'priority' })).toMatchObject({
      micros: 2_200,
      missed: BOTH,
    });
  });

  it('is charged at what its own model has, where no other has a price in it', async () =>
    expect(await call({ model: 'old' }, { model: 'new', service_tier: 'a-new-one' })).toMatchObject({
      micros: 2_000,
      missed: BOTH,
    }));

  it('of a snapshot of the model that was asked for is charged as that, where it has a price in it', async () =>
    expect(await call({ model: 'old' }, { model: 'old-2026-01-01', service_tier: 'priority' })).toMatchObject(
      { micros: 8_000, missed: [] },
    ));

  it('of another model is never charged as the one that was asked for', async () =>
    expect(await call({ model: 'old' }, { model: 'new', service_tier: 'priority' })).toMatchObject({
      micros: 2_000,
      missed: BOTH,
    }));
});

describe('a meter without a price in the tier that was asked for and billed', () => {
  const PRIORITY = { service_tier: 'priority' };

  it('costs what it does in the standard tier, and is told', async () =>
    expect(await call({ model: 'old', ...PRIORITY }, PRIORITY, 50)).toEqual({
      micros: 50 * 40 + 50 * 4 + 100 * 40,
      unpriced: [],
      missed: ['old cache_read_tokens'],
    }));

  it('is unpriced where that has none either', async () =>
    expect(await call({ model: 'new' }, {}, 50)).toEqual({
      micros: 50 * 10 + 100 * 10,
      unpriced: ['cache_read_tokens'],
      missed: ['new cache_read_tokens'],
    }));
});
