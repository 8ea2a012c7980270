import { describe, expect, it } from '@jest/globals';
import type { CatalogueRow } from '@vendo/registry';
import { type Diff, diffOf, merged } from './import.js';

const row = (meter: CatalogueRow['meter'], usd: string, day: string, other: Partial<CatalogueRow> = {}) => ({
  ...{ provider: 'openai', model: 'm', tier: 'standard', meter, context_from: 0 },
  ...{ unit_cost_usd: usd, per: '1000000', effective_from: day, source: 'a file', free: false },
  ...other,
});
const [AUGUST, NOVEMBER, JANUARY] = ['2026-08-01', '2026-11-10', '2027-01-01'];
const short = ({ tier, meter, unit_cost_usd, effective_from }: CatalogueRow) =>
  `${tier} ${meter} ${unit_cost_usd} ${effective_from}`;
const inWords = ({ added, changed, unchanged, refused }: Diff) => ({
  added: added.map(short),
  changed: changed.map(({ old, row: next }) => `${short(old)} -> ${short(next)}`),
  unchanged: unchanged.map(short),
  refused: refused.map(({ row: next }) => short(next)),
});
const NOTHING = { added: [], changed: [], unchanged: [], refused: [] };
const IN = row('input_tokens', '5', AUGUST);

describe('an import', () => {
  it.each<[string, CatalogueRow[], CatalogueRow[], Partial<ReturnType<typeof inWords>>]>([
    ['adds a price that there was none of', [], [IN], { added: ['standard input_tokens 5 2026-08-01'] }],
    [
      'adds a row of a later day where a price has changed, and keeps the old one',
      [IN],
      [row('input_tokens', '4', NOVEMBER)],
      { changed: ['standard input_tokens 5 2026-08-01 -> standard input_tokens 4 2026-11-10'] },
    ],
    [
      'leaves a price that is the same, in whatever unit',
      [IN],
      [row('input_tokens', '0.0050', NOVEMBER, { per: '1000' })],
      { unchanged: ['standard input_tokens 5 2026-08-01'] },
    ],
    [
      'does not change the price of a day that stands',
      [IN],
      [row('input_tokens', '4', AUGUST)],
      { refused: ['standard input_tokens 4 2026-08-01'] },
    ],
    [
      'compares with what is in force on its day, not with what comes later',
      [IN, row('input_tokens', '10', JANUARY)],
      [row('input_tokens', '5', NOVEMBER)],
      { unchanged: ['standard input_tokens 5 2026-08-01'] },
    ],
    [
      'adds what was in force before the oldest row',
      [row('input_tokens', '4', NOVEMBER)],
      [IN],
      { added: ['standard input_tokens 5 2026-08-01'] },
    ],
    [
      'takes a model that a file has twice once',
      [],
      [IN, row('input_tokens', '5', AUGUST), row('input_tokens', '6', AUGUST)],
      {
        added: ['standard input_tokens 5 2026-08-01'],
        unchanged: ['standard input_tokens 5 2026-08-01'],
        refused: ['standard input_tokens 6 2026-08-01'],
      },
    ],
    [
      'tells tiers, contexts and models apart',
      [IN],
      [
        row('input_tokens', '5', NOVEMBER, { tier: 'flex' }),
        row('input_tokens', '5', NOVEMBER, { context_from: 9 }),
        row('input_tokens', '5', NOVEMBER, { model: 'n' }),
      ],
      {
        added: [
          'flex input_tokens 5 2026-11-10',
          'standard input_tokens 5 2026-11-10',
          'standard input_tokens 5 2026-11-10',
        ],
      },
    ],
  ])('%s', (_, catalogue, wanted, expected) =>
    expect(inWords(diffOf(catalogue, wanted))).toEqual({ ...NOTHING, ...expected }),
  );

  const tiers = [
    IN,
    row('input_tokens', '2.5', AUGUST, { tier: 'flex' }),
    row('input_tokens', '10', AUGUST, { tier: 'priority' }),
    row('web_searches', '10', AUGUST, { tier: 'flex' }),
  ];

  it('moves the tiers that the file does not price with the standard price', () => {
    const flex = row('output_tokens', '1', NOVEMBER, { tier: 'priority' });
    expect(inWords(diffOf(tiers, [row('input_tokens', '4', NOVEMBER)])).changed.slice(1)).toEqual([
      'flex input_tokens 2.5 2026-08-01 -> flex input_tokens 2 2026-11-10',
      'priority input_tokens 10 2026-08-01 -> priority input_tokens 8 2026-11-10',
    ]);
    const priced = diffOf(tiers, [row('input_tokens', '4', NOVEMBER), flex]);
    expect(priced.changed.map(({ row: { tier } }) => tier)).toEqual(['standard', 'flex']);
    expect(diffOf(tiers, [row('input_tokens', '5', NOVEMBER)]).changed).toEqual([]);
  });

  it('rounds a price that moves by a ratio without end to nine places', () => {
    const thirds = [row('input_tokens', '3', AUGUST), row('input_tokens', '2', AUGUST, { tier: 'flex' })];
    const { changed } = diffOf(thirds, [row('input_tokens', '4', NOVEMBER)]);
    expect(changed[1]?.row).toMatchObject({
      unit_cost_usd: '2.666666667',
      source: 'a file; derived: moves with the standard price',
    });
  });

  it('only ever adds rows, in order, and adds none the second time', () => {
    const wanted = [row('input_tokens', '4', NOVEMBER), row('output_tokens', '1', NOVEMBER)];
    const once = merged(tiers, diffOf(tiers, wanted));
    expect(once).toEqual(expect.arrayContaining(tiers));
    expect(once.map(short)).toEqual([
      'flex input_tokens 2.5 2026-08-01',
      'flex input_tokens 2 2026-11-10',
      'flex web_searches 10 2026-08-01',
      'priority input_tokens 10 2026-08-01',
      'priority input_tokens 8 2026-11-10',
      'standard input_tokens 5 2026-08-01',
      'standard input_tokens 4 2026-11-10',
      'standard output_tokens 1 2026-11-10',
    ]);
    expect(merged(once, diffOf(once, wanted))).toEqual(once);
  });
});
