import { beforeAll, describe, expect, it } from '@jest/globals';
import type { Meter } from '@vendo/events';
import { type CatalogueRow, readCatalogue } from '@vendo/registry';

/** What tools cost beyond their tokens, and in which tiers calls of a provider are billed. */
const TOOLS: Record<string, readonly Meter[]> = {
  openai: ['web_searches', 'file_searches', 'code_sessions'],
  anthropic: ['web_searches', 'web_fetches', 'code_sessions'],
  gemini: ['web_searches'],
};
/** Tiers that a provider states for all models but those that are older, or that it states otherwise for. */
const FAMILIES: readonly { provider: string; tiers: readonly string[]; but: RegExp }[] = [
  {
    provider: 'openai',
    tiers: ['flex', 'regional', 'flex_regional'],
    but: /^(ft:|chatgpt|gpt-[34](?!\d)|gpt-5($|-|\.[123](?!\d))|o\d|babbage|davinci|text-|omni-|chat-latest)|-(image|audio|tts|transcribe|search|live)\b/,
  },
  {
    provider: 'openai',
    tiers: ['priority', 'priority_regional'],
    but: /^(ft:|chatgpt|gpt-[34](?!\d)|gpt-5($|-|\.[123](?!\d))|o\d|babbage|davinci|text-|omni-|chat-latest)|-(image|audio|tts|transcribe|search|live|pro|nano)\b/,
  },
  {
    provider: 'anthropic',
    tiers: ['us'],
    but: /^claude-(3|4-|(opus|sonnet|haiku)-4-([015](?!\d)|20\d{6}))/,
  },
  {
    provider: 'gemini',
    tiers: ['flex', 'priority'],
    but: /^(?!gemini-(3\.([5-9]|\d\d)|([4-9]|\d\d)(\.\d+)?)-flash)|-(image|audio|tts|transcribe|search|live)\b/,
  },
];

const usd = ({ unit_cost_usd, per }: CatalogueRow) => Number(unit_cost_usd) / Number(per);
const standard = (rows: readonly CatalogueRow[]) =>
  rows
    .filter(({ tier }) => tier === 'standard')
    .map((row) => `${row.meter} ${row.context_from} ${usd(row)} ${row.effective_from}`)
    .sort()
    .join();

let catalogue: CatalogueRow[];
let chats: Map<string, CatalogueRow[]>;

beforeAll(async () => {
  catalogue = await readCatalogue();
  const models = Map.groupBy(catalogue, ({ provider, model }) => `${provider} ${model}`);
  chats = new Map(
    [...models].filter(([, rows]) =>
      (['input_tokens', 'output_tokens'] as const).every((meter) =>
        rows.some((row) => row.meter === meter && !row.free),
      ),
    ),
  );
});

describe('the catalogue that the product ships with', () => {
  it.each(Object.entries(TOOLS))(
    'prices each tool of %s for every model that chats, in all its tiers',
    (slug, tools) => {
      const own = [...chats].filter(([name]) => name.startsWith(`${slug} `));
      expect(own.length).toBeGreaterThan(20);
      const forAll = catalogue.filter(({ provider, model }) => provider === slug && model === '*');
      const lacking = own.flatMap(([name, rows]) =>
        // A place counts as the tier itself where that has no price of its own.
        [...new Set(rows.map(({ tier }) => tier.replace(/_?regional$/, '') || 'standard'))].flatMap((tier) =>
          tools
            .filter((tool) => ![...rows, ...forAll].some((row) => row.meter === tool && row.tier === tier))
            .map((tool) => `${name} ${tier} ${tool}`),
        ),
      );
      expect(lacking).toEqual([]);
    },
  );

  it('prices a search of each older model of gemini in all tiers as its own: what every model costs is less', () => {
    const own = catalogue.filter(({ provider }) => provider === 'gemini');
    const older = Map.groupBy(
      own.filter(({ model }) => /^(gemini-[12]\.|gemini-robotics-er-1|deep-research-pro)/.test(model)),
      ({ model }) => model,
    );
    for (const model of [...older.keys()].filter((name) => /-tts\b/.test(name))) older.delete(model);
    expect(older.size).toBeGreaterThan(15);
    const lacking = [...older].flatMap(([model, rows]) =>
      ['standard', 'flex', 'priority']
        .filter(
          (tier) =>
            !rows.some((row) => row.tier === tier && row.meter === 'web_searches' && usd(row) === 0.035),
        )
        .map((tier) => `${model} ${tier}`),
    );
    expect(lacking).toEqual([]);
  });

  it('has each tier of an alias for its dated snapshots that cost the same', () => {
    const models = Map.groupBy(
      catalogue.filter(({ provider }) => provider === 'openai'),
      ({ model }) => model,
    );
    const pairs = [...models].flatMap(([model, rows]) => {
      const alias = models.get(model.replace(/-\d{4}-\d\d-\d\d$/, '')) ?? [];
      return alias !== rows && standard(alias) === standard(rows) ? [{ model, rows, alias }] : [];
    });
    expect(pairs.length).toBeGreaterThan(15);
    const lacking = pairs.flatMap(({ model, rows, alias }) =>
      alias
        .filter(({ tier, meter }) => !rows.some((row) => row.tier === tier && row.meter === meter))
        .map(({ tier, meter }) => `${model} ${tier} ${meter}`),
    );
    expect(lacking).toEqual([]);
  });

  it('has no tier with a price for input and none for output, or the other way round', () => {
    const halves = [...chats].flatMap(([name, rows]) =>
      [...Map.groupBy(rows, ({ tier }) => tier)]
        .filter(([, ofTier]) => {
          const has = (meter: Meter) => ofTier.some((row) => row.meter === meter);
          return has('input_tokens') !== has('output_tokens');
        })
        .map(([tier]) => `${name} ${tier}`),
    );
    expect(halves).toEqual([]);
  });

  it.each(FAMILIES)('prices $tiers for the models of $provider', ({ provider, tiers, but }) => {
    const own = [...chats.values()]
      .map((rows) => ({ rows, model: rows[0]?.model ?? '' }))
      .filter(({ rows, model }) => rows[0]?.provider === provider && model !== '*' && !but.test(model));
    expect(own.length).toBeGreaterThan(2);
    const lacking = own.flatMap(({ rows, model }) =>
      tiers.flatMap((tier) =>
        rows
          .filter(({ tier: of, meter }) => of === 'standard' && /^(input|output)_tokens$/.test(meter))
          .filter(({ meter }) => !rows.some((row) => row.tier === tier && row.meter === meter))
          .map(({ meter }) => `${model} ${tier} ${meter}`),
      ),
    );
    expect(lacking).toEqual([]);
  });
});
