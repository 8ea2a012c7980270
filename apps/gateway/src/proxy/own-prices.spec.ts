import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Rational } from '@vendo/money';
import { RateBook } from '@vendo/pricing';
import { json } from './memory.proxy-answers.js';
import { type Got, send } from './memory.proxy-client.js';
import { ProxyWorld, rate } from './memory.proxy-world.js';

const MARGIN = { tenantId: null, integration: null, meter: null, effectiveFrom: 0, version: 1 };
/** USD for a million sessions: those of any model are the cheapest. */
const RATES = [
  rate('openai', 'gpt-5', 'input_tokens', '0'),
  rate('openai', 'gpt-5', 'output_tokens', '0'),
  rate('openai', '*', 'code_sessions', '30000'),
  rate('openai', 'container/64g', 'code_sessions', '1920000'),
].map((one) => ({ ...one, free: one.unitCostUsd.isZero() }));

let world: ProxyWorld;
beforeEach(async () => {
  world = await new ProxyWorld().start();
  world.rates = new RateBook(RATES, [{ ...MARGIN, marginPct: Rational.ZERO }], 1);
});
afterEach(() => world.close());

const interpreter = (memory_limit: unknown) => ({
  type: 'code_interpreter',
  container: { type: 'auto', memory_limit },
});

/** A response that ran code in one new container. */
async function run(asked: unknown, answered = asked): Promise<Got | null> {
  const output = [{ type: 'code_interpreter_call', container_id: 'cntr_1' }];
  const usage = { input_tokens: 5, output_tokens: 3 };
  const tools = [interpreter(answered)];
  world.answer = json(200, JSON.stringify({ id: 'r', model: 'gpt-5', output, usage, tools }));
  const body = JSON.stringify({ model: 'gpt-5', input: 'hi', tools: [interpreter(asked)] });
  return send(world, { path: '/proxy/openai/v1/responses', body }).got;
}

describe('a container of a size', () => {
  it.each([
    [undefined, 30_000],
    ['1g', 30_000],
    ['64g', 1_920_000],
  ])('%p costs what that size does', async (size, micros) => {
    expect((await run(size))?.status).toBe(200);
    expect(world.usages()[0]?.data.cost_micros).toBe(micros);
    expect(world.rateMisses).toEqual([]);
  });

  it.each(['4g', '128g', 'vast'])('without a price (%s) is not made', async (size) => {
    expect(JSON.parse((await run(size))?.body.toString() ?? '')).toMatchObject({
      error: { code: 'rate_missing' },
    });
    expect([world.seen, world.reserved]).toEqual([[], []]);
    expect(world.rateMisses).toMatchObject([
      { model: size === 'vast' ? 'container/unknown' : `container/${size}` },
    ]);
  });

  it('without a price that was made all the same is told, and not charged as the cheapest', async () => {
    expect((await run(undefined, '128g'))?.status).toBe(200);
    expect(world.usages()[0]?.data).toMatchObject({ cost_micros: 0, evidence: 'exact' });
    expect(world.usages()[0]?.data.lines.at(-1)).toMatchObject({
      ...{ meter: 'code_sessions', model: 'container/128g', unpriced: true },
    });
    expect(world.rateMisses).toMatchObject([{ model: 'container/128g', meter: 'code_sessions' }]);
  });
});
