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
    but: /^(ft:|chatgpt|gpt-[34]|gpt-5($|-|\.[123])|gpt-audio|o\d|babbage|davinci|text-|omni-|chat-latest)|image|tts|transcribe/,
  },
  {
    provider: 'openai',
    tiers: ['priority', 'priority_regional'],
    but: /^(ft:|chatgpt|gpt-[34]|gpt-5($|-|\.[123])|gpt-audio|o\d|babbage|davinci|text-|omni-|chat-latest)|image|tts|transcribe|-(pro|nano)/,
  },
  {
    provider: 'anthropic',
    tiers: ['us'],
    but: /^claude-(3|4-|(opus|sonnet|haiku)-4-([015]|20))/,
  },
  { provider: 'gemini', tiers: ['flex', 'priority'], but: /^(?!gemini-3\.[5-9]-flash$)/ },
];

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
