import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { makeCatalogue, writeCatalogue } from './catalogue.js';
import { readSource } from './source-file.js';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'catalogue-'));
});

afterAll(() => rm(folder, { recursive: true }));

/** Prices as `provider tier meter context_from unit_cost_usd@date`, and what the tool said. */
async function make(source: string, supplement = '{}') {
  const said: string[] = [];
  const read = async (name: string, text: string) => {
    await writeFile(path.join(folder, name), text);
    return readSource(path.join(folder, name));
  };
  const rows = makeCatalogue(
    { entries: await read('source.json', source), date: '2026-08-01', source: 'a' },
    { entries: await read('supplement.json', supplement), date: '2026-11-10', source: 'b' },
    (text) => said.push(text),
  );
  const prices = rows.map(
    ({ model, tier, meter, context_from, unit_cost_usd, effective_from }) =>
      `${model} ${tier} ${meter} ${context_from} ${unit_cost_usd} ${effective_from}`,
  );
  return { rows, prices, said };
}

const entry = (provider: string, fields: string, mode = 'chat') =>
  `{"litellm_provider": "${provider}", "mode": "${mode}", ${fields}}`;

describe('the catalogue', () => {
  it('takes prices from the text of the file, with every digit and no float', async () => {
    const openai = entry(
      'openai',
      '"input_cost_per_token": 1.234567890123456789e-06, "output_cost_per_token": 1e-7',
    );
    expect((await make(`{"m": ${openai}}`)).prices).toEqual([
      'm standard input_tokens 0 1.234567890123456789 2026-08-01',
      'm standard output_tokens 0 0.1 2026-08-01',
    ]);
  });

  it("begins a long-context price at OpenAI's bound and above Anthropic's", async () => {
    const prices = (k: number) =>
      `"input_cost_per_token": 1e-6, "input_cost_per_token_above_${k}k_tokens": 2e-6`;
    const made = await make(
      `{"a": ${entry('anthropic', prices(200))}, "o": ${entry('openai', prices(272))}}`,
    );
    expect(made.prices.filter((price) => / input_tokens [1-9]/.test(price))).toEqual([
      'a standard input_tokens 200001 2 2026-08-01',
      'o standard input_tokens 272000 2 2026-08-01',
    ]);
  });

  it('derives a one-hour cache write of 2 x input, and corrects one that says otherwise', async () => {
    const wrong = entry(
      'anthropic',
      '"input_cost_per_token": 1e-6, "cache_creation_input_token_cost_above_1hr": 6e-6',
    );
    const made = await make(`{"a": ${entry('anthropic', '"input_cost_per_token": 3e-6')}, "b": ${wrong}}`);
    expect(made.prices.filter((price) => price.includes('1h'))).toEqual([
      'a standard cache_write_1h_tokens 0 6 2026-08-01',
      'b standard cache_write_1h_tokens 0 2 2026-08-01',
    ]);
    expect(made.said).toEqual(['b: cache_write_1h_tokens: 6 is not 2 x input (2), corrected']);
  });

  it('makes tiers of the multipliers, on tokens and not on server tools', async () => {
    const fields = `"input_cost_per_token": 5e-6, "provider_specific_entry": {"us": 1.1, "fast": 6.0},
      "search_context_cost_per_query": {"search_context_size_low": 0.01, "search_context_size_high": 0.010}`;
    const { prices } = await make(`{"a": ${entry('anthropic', fields)}}`);
    expect(prices.filter((price) => / input_tokens| web_searches/.test(price))).toEqual([
      'a fast input_tokens 0 30 2026-08-01',
      'a fast web_searches 0 0.01 2026-08-01',
      'a fast_us input_tokens 0 33 2026-08-01',
      'a fast_us web_searches 0 0.01 2026-08-01',
      'a standard input_tokens 0 5 2026-08-01',
      'a standard web_searches 0 0.01 2026-08-01',
      'a us input_tokens 0 5.5 2026-08-01',
      'a us web_searches 0 0.01 2026-08-01',
    ]);
  });

  it('declares the output of embeddings free, and takes no other zero for a price', async () => {
    const fields = '"input_cost_per_token": 1e-6, "output_cost_per_token": 0.0';
    const { rows, said } = await make(
      `{"c": ${entry('openai', fields)}, "e": ${entry('openai', fields, 'embedding')}}`,
    );
    expect(rows.filter(({ meter }) => meter === 'output_tokens')).toMatchObject([{ model: 'e', free: true }]);
    expect(said).toEqual(['c: output_cost_per_token left out: a zero is no price']);
  });

  it('keeps both prices of a changed model, but no tier whose base price has changed', async () => {
    const old = entry('openai', '"input_cost_per_token": 5e-6, "input_cost_per_token_priority": 1e-5');
    const made = await make(`{"m": ${old}}`, `{"m": ${entry('openai', '"input_cost_per_token": 4e-6')}}`);
    expect(made.prices).toEqual([
      'm standard input_tokens 0 5 2026-08-01',
      'm standard input_tokens 0 4 2026-11-10',
    ]);
    expect(made.said).toEqual(['m: tier priority left out, its base price has changed since']);
  });

  it.each([
    ['an alias that goes stale', '"x-latest"', 'openai', 'chat', 'x-latest: left out, defect 7'],
    [
      'what is no model',
      '"openai/container"',
      'openai',
      'chat',
      'openai/container: left out, is not a model',
    ],
    ['another provider', '"g"', 'gemini', 'chat', ''],
    ['another mode', '"i"', 'openai', 'image_generation', ''],
  ])('leaves out %s', async (_, name, provider, mode, reason) => {
    const { rows, said } = await make(`{${name}: ${entry(provider, '"input_cost_per_token": 1e-6', mode)}}`);
    expect(rows).toEqual([]);
    expect(said.join()).toContain(reason);
    expect(said).toHaveLength(reason ? 1 : 0);
  });

  it('has one row per line, so that a changed price is a changed line', async () => {
    const { rows } = await make(
      `{"m": ${entry('openai', '"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6')}}`,
    );
    const text = writeCatalogue(rows);
    expect(text.split('\n')).toHaveLength(rows.length + 3);
    expect(JSON.parse(text)).toEqual(rows);
  });
});
