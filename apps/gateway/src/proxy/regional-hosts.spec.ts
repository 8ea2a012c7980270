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

/** USD for a million tokens of any kind; only `new` costs more in a region. */
const RATES = [
  ...inTier('standard', 'new', '10'),
  ...inTier('flex', 'new', '5'),
  ...inTier('regional', 'new', '11'),
  ...inTier('flex_regional', 'new', '5.5'),
  ...inTier('standard', 'old', '10'),
];

let world: ProxyWorld;
beforeEach(async () => {
  world = await new ProxyWorld().start();
  world.rates = new RateBook(RATES, [{ ...MARGIN, marginPct: Rational.ZERO }], 1);
});
afterEach(() => world.close());

/** Micros that a call of 100 + 100 tokens is charged, and that are held for it. */
async function charged(
  model: string,
  asked: object,
  answered: object,
): Promise<[number, number | undefined]> {
  const usage = { prompt_tokens: 100, completion_tokens: 100 };
  world.answer = json(200, JSON.stringify({ id: 'c', model, choices: [], usage, ...answered }));
  const body = JSON.stringify({
    model,
    max_tokens: 100,
    messages: [{ role: 'user', content: 'hi' }],
    ...asked,
  });
  expect((await send(world, { body }).got)?.status).toBe(200);
  const holdPerToken = (world.reserved[0]?.amount_micros ?? 0) / (Buffer.byteLength(body) + 100);
  return [world.ends()[0]?.data.cost_micros ?? 0, holdPerToken];
}

describe("a call to one of OpenAI's hosts of a region", () => {
  it.each<[what: string, origin: string, model: string, asked: object, answered: object, micros: number]>([
    ['costs the price of the region', 'https://eu.api.openai.com', 'new', {}, {}, 2_200],
    ['costs it in its own tier', 'https://us.api.openai.com', 'new', { service_tier: 'flex' }, {}, 1_100],
    [
      'costs it in the tier that the answer names',
      'https://eu.api.openai.com',
      'new',
      { service_tier: 'flex' },
      { service_tier: 'default' },
      2_200,
    ],
    ['costs as everywhere where the model has none', 'https://eu.api.openai.com', 'old', {}, {}, 2_000],
    ['is another matter elsewhere', 'https://api.openai.com', 'new', {}, {}, 2_000],
  ])('%s', async (_, origin, model, asked, answered, micros) => {
    world.namedOrigin = origin;
    const [cost] = await charged(model, asked, answered);
    expect(cost).toBe(micros);
  });

  it('is held at the price of the region', async () => {
    world.namedOrigin = 'https://eu.api.openai.com';
    expect((await charged('new', {}, {}))[1]).toBe(11);
  });

  it('is refused in a tier without any price', async () => {
    world.namedOrigin = 'https://eu.api.openai.com';
    const body = JSON.stringify({ model: 'old', service_tier: 'flex', messages: [] });
    expect((await send(world, { body }).got)?.status).toBe(402);
    expect(world.seen).toEqual([]);
  });
});
