import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Rational } from '@vendo/money';
import { type Rate, RateBook } from '@vendo/pricing';
import { send } from './memory.proxy-client.js';
import { ProxyWorld } from './memory.proxy-world.js';

const MODEL = 'acme/writer-2';
const HEAD = `"id":"gen-1","model":"${MODEL}"`;
const FIRST = `: OPENROUTER PROCESSING\n\ndata: {${HEAD},"choices":[{"delta":{"content":"Yes."}}]}\n\n`;
const USAGE =
  '"usage":{"prompt_tokens":5,"completion_tokens":2,"cost":0.00049701333333333333333,"is_byok":false}';
const LAST = `data: {${HEAD},"choices":[],${USAGE}}\n\ndata: [DONE]\n\n`;

function rate(meter: Rate['meter'], usd: string): Rate {
  return {
    ...{ provider: 'openrouter', model: MODEL, meter, tier: 'standard', contextFrom: 0, version: 1 },
    ...{ unitCostUsd: Rational.parse(usd), per: Rational.ONE, free: false, effectiveFrom: 0 },
  };
}
const RATES = [rate('usd', '1'), rate('input_tokens', '0.01'), rate('output_tokens', '0.01')];
const MARGIN = {
  ...{ tenantId: null, integration: null, meter: null, effectiveFrom: 0, version: 1 },
  marginPct: Rational.of(20n),
};

let world: ProxyWorld;
beforeEach(async () => {
  world = await new ProxyWorld().start();
  world.rates = new RateBook(RATES, [MARGIN], 1);
});
afterEach(() => world.close());

async function ask(answer: ProxyWorld['answer'], stream: boolean) {
  world.answer = answer;
  const { got } = send(world, {
    path: '/proxy/openrouter/v1/chat/completions',
    headers: { 'accept-encoding': 'gzip' },
    body: JSON.stringify({ model: MODEL, stream, messages: [] }),
  });
  await world.until(() => world.usages().length > 0, 'the usage');
  return (await got)?.body.toString();
}

const LINES = [
  ['input_tokens', '5', 0],
  ['output_tokens', '2', 0],
  ['usd', '0.00049701333333333333333', 596],
];
const linesOf = () =>
  world.usages()[0]?.data.lines.map(({ meter, quantity, cost_micros }) => [meter, quantity, cost_micros]);

it('usage that was asked for at OpenRouter stays in the stream, whose bytes come as they are', async () => {
  const got = await ask((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(FIRST + LAST);
  }, true);
  expect(world.seen[0]?.url).toBe('/api/v1/chat/completions');
  expect(world.seen[0]?.headers['accept-encoding']).toBe('gzip');
  expect(JSON.parse(world.seen[0]?.body ?? '')).toMatchObject({ stream_options: { include_usage: true } });
  expect(got).toBe(FIRST + LAST);
  expect(linesOf()).toEqual(LINES);
});

it('what OpenRouter says that a call cost is charged with all its digits, tokens are told', async () => {
  const body = `\n   \n{${HEAD},"choices":[],${USAGE}}`;
  const got = await ask((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(body);
  }, false);
  expect(got).toBe(body);
  expect(linesOf()).toEqual(LINES);
  expect(world.usages()[0]?.data).toMatchObject({
    evidence: 'exact',
    provider_cost_micros: 497,
    cost_micros: 596,
  });
});

it('a stream that breaks off before its first chunk is asked for by the name in its head', async () => {
  world.answer = (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'x-generation-id': 'gen-7' });
    response.write(': OPENROUTER PROCESSING\n\n', () => response.destroy());
  };
  const body = JSON.stringify({ model: MODEL, stream: true, messages: [] });
  const { got } = send(world, { path: '/proxy/openrouter/v1/chat/completions', body });
  expect((await got)?.broken).toBe(true);
  expect(world.spooled.at(-1)).toMatchObject({
    type: 'JobStarted.v1',
    data: { upstream_id: 'gen-7', outcome: 'upstream_died' },
  });
});
