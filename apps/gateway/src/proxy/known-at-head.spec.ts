import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Meter } from '@vendo/events';
import { Rational } from '@vendo/money';
import { RateBook } from '@vendo/pricing';
import { json } from './memory.proxy-answers.js';
import { send } from './memory.proxy-client.js';
import { ProxyWorld } from './memory.proxy-world.js';

const SPEECH = {
  path: '/proxy/elevenlabs/v1/text-to-speech/voice-1/stream',
  body: JSON.stringify({ text: 'x'.repeat(100), model_id: 'eleven_v3' }),
};
const SUBMIT = { path: '/proxy/muapi/v1/flux-dev-image', body: '{"prompt":"a cat"}' };
/** 100 characters at $0.0001, with 20 %. */
const SPEECH_COST = 12_000;
const AUDIO = Buffer.alloc(4_096, 'a');

/** USD per unit; a zero is declared free. */
function rate(provider: string, model: string, meter: Meter, usd: string) {
  const unit = { tier: 'standard', contextFrom: 0, per: Rational.ONE, effectiveFrom: 0, version: 1 };
  return { ...unit, provider, model, meter, unitCostUsd: Rational.parse(usd), free: usd === '0' };
}

const RATES = [
  rate('elevenlabs', 'eleven_v3', 'characters', '0.0001'),
  rate('muapi', 'flux-dev-image', 'requests', '0.02'),
  rate('muapi', 'flux-dev-image', 'usd', '0'),
];
const MARGIN = { tenantId: null, integration: null, meter: null, effectiveFrom: 0, version: 1 };

let world: ProxyWorld;
beforeEach(async () => {
  world = await new ProxyWorld().start();
  world.rates = new RateBook(RATES, [{ ...MARGIN, marginPct: Rational.of(20n) }], 1);
});
afterEach(() => world.close());

/** Audio that goes on until the connection breaks. */
function endlessAudio(headers: Record<string, string>): { brokenOff: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  world.answer = (_request, response) => {
    response.writeHead(200, { 'content-type': 'audio/mpeg', ...headers });
    response.write(AUDIO);
    response.on('close', resolve);
  };
  return { brokenOff: promise };
}

async function usage() {
  await world.until(() => world.usages().length > 0, 'the usage event');
  await world.stopProxy();
  return world.usages()[0]?.data;
}

const differences = () =>
  world.logged.filter((fields) => Object.hasOwn(fields as object, 'should_be')) as { should_be: string }[];

describe('speech', () => {
  it('whose client leaves in the middle is charged whole, and the provider is hung up on', async () => {
    const { brokenOff } = endlessAudio({ 'character-cost': '100' });
    await send(world, { ...SPEECH, onData: (_chunk, leave) => leave() }).got;
    await brokenOff;
    expect(await usage()).toMatchObject({
      outcome: 'client_aborted',
      evidence: 'header',
      cost_micros: SPEECH_COST,
      provider_units: '100',
      lines: [{ meter: 'characters', quantity: '100' }],
    });
    expect(world.draining()).toBe(0);
  });

  it('whose provider dies in the middle is charged whole', async () => {
    world.answer = (_request, response) => {
      response.writeHead(200, { 'content-type': 'audio/mpeg' });
      response.write(AUDIO, () => response.destroy());
    };
    expect(await send(world, SPEECH).got).toMatchObject({ broken: true });
    expect(await usage()).toMatchObject({
      outcome: 'upstream_died',
      evidence: 'header',
      cost_micros: SPEECH_COST,
      provider_units: null,
    });
  });

  it('passes unchanged, with its credits', async () => {
    world.answer = (_request, response) => {
      response.writeHead(200, { 'content-type': 'audio/mpeg', 'character-cost': '100' });
      response.end(AUDIO);
    };
    const got = await send(world, SPEECH).got;
    expect([got?.body.equals(AUDIO), got?.headers['character-cost']]).toEqual([true, '100']);
    expect(await usage()).toMatchObject({
      outcome: 'completed',
      evidence: 'header',
      cost_micros: SPEECH_COST,
    });
    expect(differences()).toEqual([]);
  });

  it('for which the provider charges other credits than its list says is told to finance', async () => {
    world.answer = (_request, response) =>
      void response.writeHead(200, { 'content-type': 'audio/mpeg', 'character-cost': '22' }).end(AUDIO);
    await send(world, SPEECH).got;
    expect(await usage()).toMatchObject({ cost_micros: SPEECH_COST, provider_units: '22' });
    expect(differences()).toEqual([
      expect.objectContaining({
        provider: 'elevenlabs',
        model: 'eleven_v3',
        provider_units: '22',
        should_be: '100',
      }),
    ]);
  });

  it('that the provider refuses costs nothing', async () => {
    world.answer = json(401, '{"detail":{"status":"quota_exceeded"}}', { 'character-cost': '100' });
    expect(await send(world, SPEECH).got).toMatchObject({ status: 401 });
    await world.until(() => world.ends().length > 0);
    expect([world.usages(), world.ends()[0]?.data.cost_micros]).toEqual([[], 0]);
  });
});

describe('a submit', () => {
  it('of a flat model costs its price, and the event has what the provider took', async () => {
    world.answer = json(200, '{"request_id":"r-1","cost":{"amount_usd":0.025,"refunded":false}}');
    expect(await send(world, SUBMIT).got).toMatchObject({ status: 200 });
    expect(await usage()).toMatchObject({
      model: 'flux-dev-image',
      route: 'submit',
      cost_micros: 24_000,
      upstream_request_id: 'r-1',
      lines: [
        { meter: 'requests', quantity: '1', cost_micros: 24_000 },
        { meter: 'usd', quantity: '0.025', cost_micros: 0 },
      ],
    });
    expect(world.seen[0]?.url).toBe('/api/v1/flux-dev-image');
  });

  it.each([
    ['a model that is not listed', '/proxy/muapi/api/v1/brand-new-model', 402],
    ['an agent', '/proxy/muapi/api/v1/agent/skill/run', 404],
    ['money', '/proxy/muapi/v1/account/topup', 404],
    ['a webhook', '/proxy/muapi/v1/flux-dev-image?webhook=https://a.example', 400],
  ])('to %s is refused, and nothing is sent', async (_, path, status) => {
    expect(await send(world, { ...SUBMIT, path }).got).toMatchObject({ status });
    expect([world.seen, world.reserved]).toEqual([[], []]);
  });
});
