import { expect, it } from '@jest/globals';
import { ListPrices } from './list-price.js';

const DAY = '2020-01-01';
/** USD for a million tokens of input, and of output the double. */
const tokens = (model: string, tier: string, usd: number): string[] => [
  `p,${model},${tier},input_tokens,0,${usd},1000000,${DAY},made up,`,
  `p,${model},${tier},output_tokens,0,${2 * usd},1000000,${DAY},made up,`,
];
const CATALOGUE = [
  'provider,model,tier,meter,context_from,unit_cost_usd,per,effective_from,source,free',
  ...tokens('new-2024-08-06', 'standard', 10),
  ...tokens('new', 'standard', 20),
  ...tokens('new', 'priority', 40),
  `p,new,standard,cache_read_tokens,0,5,1000000,${DAY},made up,`,
  ...tokens('old', 'standard', 3),
  `p,half,priority,input_tokens,0,90,1000000,${DAY},made up,`,
  ...tokens('half', 'standard', 4),
  `p,heard,standard,audio_seconds,0,7,1000000,${DAY},made up,`,
  `p,*,standard,web_searches,0,1,1000000,${DAY},made up,`,
].join('\n');
const SNAPSHOT = ['new-2024-08-06', 'new'];

/** What a million of the meter costs, without the margin of 20 %. */
function usd(meter: string, tier: string, ...models: string[][]): number {
  const prices = new ListPrices([CATALOGUE]);
  const micros = prices.microsOf([{ meter, quantity: '1000000', models }], {
    ...{ provider: 'p', tier, promptTokens: 0 },
  });
  return micros / 1_200_000;
}

it.each<[string, string, string, string[][], number]>([
  ['the model that answered', 'input_tokens', 'standard', [SNAPSHOT, ['new']], 10],
  [
    'the one that was asked for, where that has the tier',
    'input_tokens',
    'priority',
    [SNAPSHOT, ['new']],
    40,
  ],
  ['another model than was asked for as standard', 'input_tokens', 'priority', [['old'], ['new']], 3],
  ['all of it by that one', 'output_tokens', 'priority', [SNAPSHOT, ['new']], 80],
  ['what that lacks in the tier as standard', 'cache_read_tokens', 'priority', [SNAPSHOT, ['new']], 5],
  ['as standard where neither has the tier', 'input_tokens', 'flex', [SNAPSHOT, ['new']], 10],
  ['by its first name alone, whatever another one has', 'input_tokens', 'priority', [SNAPSHOT], 10],
  [
    'by the one that was asked for, where no price list names the other',
    'input_tokens',
    'standard',
    [['x'], ['old']],
    3,
  ],
  ['by no tier that has input and no output', 'output_tokens', 'priority', [['half'], ['old']], 8],
  ['by other meters', 'audio_seconds', 'standard', [['heard'], ['x']], 7],
  ['tools by the rows for every model, in any tier', 'web_searches', 'priority', [SNAPSHOT, ['new']], 1],
])('prices %s', (_, meter, tier, models, expected) => expect(usd(meter, tier, ...models)).toBe(expected));

it('throws for what has no price', () =>
  expect(() => usd('images', 'priority', SNAPSHOT, ['old'])).toThrow('no price of images for p'));
