import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { generationPath, readGeneration } from './openrouter.generation.js';

const JOB = { upstream_id: 'gen-1', tier: 'standard' };
const DATA = {
  id: 'gen-1',
  model: 'openai/gpt-4o',
  native_tokens_prompt: 20,
  native_tokens_cached: 5,
  native_tokens_completion: 7,
  tokens_prompt: 1,
  cancelled: true,
};

function linesOf(text: string): unknown {
  const said = readGeneration(JSON.parse(text), JOB, Buffer.from(text));
  if (said.state !== 'done') return said.state;
  return said.reading.quantities.map(({ meter, quantity, included }) => [
    meter,
    quantity.toDecimal(),
    included,
  ]);
}

const TOKENS = [
  ['input_tokens', '15', true],
  ['cache_read_tokens', '5', true],
  ['output_tokens', '7', true],
];

it.each([
  ['to the last digit', '0.00049701333333333331', '0.00049701333333333331'],
  ['where it is nothing', '0', '0'],
])('a generation costs what OpenRouter says, %s', (_, told, cost) => {
  const text = JSON.stringify({ data: { ...DATA, total_cost: 'COST' } }).replace('"COST"', told);
  expect(linesOf(text)).toEqual([...TOKENS, ['usd', cost, undefined]]);
});

it.each([
  ['no cost', { data: DATA }],
  ['a cost that is none', { data: { ...DATA, total_cost: '0.1' } }],
  ['a negative cost', { data: { ...DATA, total_cost: -1 } }],
  ['another generation', { data: { ...DATA, id: 'gen-2', total_cost: 1 } }],
  ['an error', { error: { code: 404, message: 'Generation not found' } }],
  ['a list', []],
])('an answer with %s says nothing yet', (_, body) => expect(linesOf(JSON.stringify(body))).toBe('running'));

it('is asked for by its id, whatever that is', () =>
  expect(generationPath('gen-1&key=a')).toBe('/api/v1/generation?id=gen-1%26key%3Da'));

it('never throws and is never negative, whatever comes', () =>
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom(...Object.keys(DATA), 'total_cost'), fc.jsonValue()),
      (data) => {
        const said = readGeneration({ data: { ...data, id: 'gen-1' } }, JOB);
        if (said.state === 'done')
          for (const { quantity } of said.reading.quantities) expect(quantity.isNegative()).toBe(false);
      },
    ),
  ));
