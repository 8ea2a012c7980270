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
const inWords = ({ added, changed, unchanged, refused, jumps }: Diff) => ({
  added: added.map(short),
  changed: changed.map(({ old, row: next }) => `${short(old)} -> ${short(next)}`),
  unchanged: unchanged.map(short),
  refused: refused.map(({ row: next }) => short(next)),
  jumps: jumps.map(({ row: next }) => short(next)),
});
const NOTHING = { added: [], changed: [], unchanged: [], refused: [], jumps: [] };
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

  it('lets no tier jump with a standard price that is not believed', () => {
    const { changed, jumps } = diffOf(tiers, [row('input_tokens', '51', NOVEMBER)]);
    expect(changed).toEqual([]);
    expect(jumps.map(({ row: { tier } }) => tier)).toEqual(['standard', 'flex', 'priority']);
  });

  it('believes nothing that was free and costs, or costs and is free', () => {
    const free = row('input_tokens', '0', AUGUST, { free: true });
    const costs = row('input_tokens', '1', AUGUST);
    for (const [old, next] of [
      [free, costs],
      [costs, free],
    ] as const)
      expect(diffOf([old], [{ ...next, effective_from: NOVEMBER }]).jumps).toHaveLength(1);
  });

  describe('of standard prices alone', () => {
    const of = (provider: string, model: string) => ({ provider, model });
    const SOL = of('openai', 'gpt-6-sol');
    const derived = (wanted: CatalogueRow[], catalogue: CatalogueRow[] = []) =>
      diffOf(catalogue, wanted)
        .added.filter(({ tier }) => tier !== 'standard')
        .map(short);

    it('has the tiers of the family, each place in every pace', () => {
      const { added } = diffOf([], [row('input_tokens', '4', NOVEMBER, SOL)]);
      expect(added.map(short)).toEqual([
        'standard input_tokens 4 2026-11-10',
        'flex input_tokens 2 2026-11-10',
        'priority input_tokens 8 2026-11-10',
        'regional input_tokens 4.4 2026-11-10',
        'flex_regional input_tokens 2.2 2026-11-10',
        'priority_regional input_tokens 8.8 2026-11-10',
      ]);
      expect(added.at(-1)?.source).toBe(
        'a file; derived: priority = 2 x standard; derived: priority_regional = 1.1 x priority',
      );
    });

    it.each([
      ['openai', 'gpt-5.3', []],
      ['openai', 'gpt-5.4-nano', ['flex 2', 'regional 4.4', 'flex_regional 2.2']],
      ['anthropic', 'claude-opus-4-5', []],
      ['anthropic', 'claude-sonnet-4-20250514', []],
      ['anthropic', 'claude-sonnet-4-6', ['us 4.4']],
      ['anthropic', 'claude-haiku-5-5', ['us 4.4']],
      ['gemini', 'gemini-3.7-flash', ['flex 2', 'priority 7.2']],
      ['gemini', 'gemini-3-flash', []],
      ['openai', 'gpt-5.10-nano', ['flex 2', 'regional 4.4', 'flex_regional 2.2']],
      ['openai', 'gpt-10-nano', ['flex 2', 'regional 4.4', 'flex_regional 2.2']],
      ['anthropic', 'claude-opus-4-10', ['us 4.4']],
      ['anthropic', 'claude-opus-10', ['us 4.4']],
      ['gemini', 'gemini-3.10-flash', ['flex 2', 'priority 7.2']],
      ['gemini', 'gemini-4-flash', ['flex 2', 'priority 7.2']],
      ['gemini', 'gemini-3.4-flash', []],
      ['openai', 'gpt-7-image', []],
      ['openai', 'gpt-6-transcribe', []],
      ['openai', 'gpt-6-audio-mini', []],
      ['openai', 'gpt-6-search-api', []],
      ['openai', 'gpt-6-nano-deep-research', ['flex 2', 'regional 4.4', 'flex_regional 2.2']],
      ['gemini', 'gemini-3.9-flash-image', []],
      ['gemini', 'gemini-3.9-flash-tts-preview', []],
    ])('of %s, %s has its own', (provider, model, tiers) =>
      expect(derived([row('input_tokens', '4', NOVEMBER, of(provider, model))])).toEqual(
        tiers.map((tier) => `${tier.replace(' ', ' input_tokens ')} 2026-11-10`),
      ),
    );

    it('keeps what a file says of a tier, in a place too', () => {
      const fast = row('input_tokens', '9', NOVEMBER, { ...of('anthropic', 'claude-opus-6'), tier: 'fast' });
      expect(derived([{ ...fast, tier: 'standard', unit_cost_usd: '4' }, fast]).sort()).toEqual([
        'fast input_tokens 9 2026-11-10',
        'fast_us input_tokens 9.9 2026-11-10',
        'us input_tokens 4.4 2026-11-10',
      ]);
    });

    it('has none that the catalogue has: they move', () => {
      const known = ['standard', 'flex', 'priority', 'regional', 'flex_regional', 'priority_regional'].map(
        (tier) => row('input_tokens', '3', AUGUST, { ...SOL, tier }),
      );
      const { added, changed } = diffOf(known, [row('input_tokens', '4', NOVEMBER, SOL)]);
      expect(added).toEqual([]);
      expect(changed.map(({ row: next }) => next.unit_cost_usd)).toEqual(['4', '4', '4', '4', '4', '4']);
    });

    it('has tools and what is free at one price in all of them, and long prompts at theirs', () => {
      const sonnet = of('anthropic', 'claude-sonnet-6');
      expect(
        derived([
          row('input_tokens', '4', NOVEMBER, sonnet),
          row('input_tokens', '8', NOVEMBER, { ...sonnet, context_from: 9 }),
          row('web_searches', '10', NOVEMBER, sonnet),
          row('web_fetches', '0', NOVEMBER, { ...sonnet, free: true }),
        ]).sort(),
      ).toEqual([
        'us input_tokens 4.4 2026-11-10',
        'us input_tokens 8.8 2026-11-10',
        'us web_fetches 0 2026-11-10',
        'us web_searches 10 2026-11-10',
      ]);
    });

    it('has no tier of a standard price that is not believed', () => {
      const { added, jumps } = diffOf(
        [row('input_tokens', '4', AUGUST, SOL)],
        [row('input_tokens', '400', NOVEMBER, SOL)],
      );
      expect(jumps.map(({ row: next }) => short(next))).toEqual(['standard input_tokens 400 2026-11-10']);
      expect(added.map(short).slice(0, 2)).toEqual([
        'flex input_tokens 2 2026-11-10',
        'priority input_tokens 8 2026-11-10',
      ]);
    });

    describe('a dated snapshot', () => {
      const DATED = of('openai', 'o9-2027-01-01');
      const ALIAS = of('openai', 'o9');
      const alias = [
        row('input_tokens', '4', AUGUST, ALIAS),
        row('input_tokens', '7', AUGUST, { ...ALIAS, tier: 'priority' }),
      ];
      const rows = (...wanted: CatalogueRow[]) =>
        diffOf(alias, wanted).added.filter(({ model, tier }) => model === DATED.model && tier !== 'standard');

      it('has the tiers of its alias where both cost the same, and says so', () =>
        expect(rows(row('input_tokens', '4', NOVEMBER, DATED))).toEqual([
          row('input_tokens', '7', NOVEMBER, {
            ...{ ...DATED, tier: 'priority', source: 'a file; derived: as o9' },
          }),
        ]));

      it.each<[string, CatalogueRow[]]>([
        ['costs something else', [row('input_tokens', '5', NOVEMBER, DATED)]],
        [
          'has a price that its alias lacks',
          [row('input_tokens', '4', NOVEMBER, DATED), row('output_tokens', '9', NOVEMBER, DATED)],
        ],
        ['is none', [row('input_tokens', '4', NOVEMBER, of('openai', 'o9-mini'))]],
      ])('has none of them where it %s', (_, wanted) => expect(rows(...wanted)).toEqual([]));

      it('keeps a tier that it has', () => {
        const own = row('input_tokens', '6', NOVEMBER, { ...DATED, tier: 'priority' });
        expect(rows(row('input_tokens', '4', NOVEMBER, DATED), own)).toEqual([own]);
      });
    });

    describe('a tool that costs older models something else', () => {
      const OLD = of('gemini', 'gemini-2.5-new');
      const searches = (...wanted: CatalogueRow[]) =>
        diffOf([], wanted)
          .added.filter(({ meter }) => meter === 'web_searches')
          .map(short);

      it('has its price in each tier, whether the file has one or not', () => {
        const input = row('input_tokens', '4', NOVEMBER, OLD);
        expect(searches(input)).toEqual([
          'standard web_searches 0.035 2026-11-10',
          'flex web_searches 0.035 2026-11-10',
          'priority web_searches 0.035 2026-11-10',
        ]);
        expect(searches(input, row('web_searches', '0.03', NOVEMBER, { ...OLD, per: '1' }))).toEqual([
          'standard web_searches 0.03 2026-11-10',
          'flex web_searches 0.03 2026-11-10',
          'priority web_searches 0.03 2026-11-10',
        ]);
      });

      it('does not keep the tokens of a tier from moving with the standard price', () => {
        const known = [
          row('input_tokens', '4', AUGUST, OLD),
          row('input_tokens', '6', AUGUST, { ...OLD, tier: 'priority' }),
        ];
        const { changed } = diffOf(known, [row('input_tokens', '2', NOVEMBER, OLD)]);
        expect(changed.map(({ row: next }) => short(next))).toEqual([
          'standard input_tokens 2 2026-11-10',
          'priority input_tokens 3 2026-11-10',
        ]);
      });

      it('is derived for no newer model', () =>
        expect(searches(row('input_tokens', '4', NOVEMBER, of('gemini', 'gemini-3-new')))).toEqual([]));
    });

    it('adds nothing the second time', () => {
      const wanted = [row('input_tokens', '4', NOVEMBER, SOL)];
      const once = merged([], diffOf([], wanted));
      expect(merged(once, diffOf(once, wanted))).toEqual(once);
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
