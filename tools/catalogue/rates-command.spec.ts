import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { IMPORTED_PRICES, PRICES_BY_HAND, readCatalogueFile, writeCatalogue } from '@vendo/registry';
import { importRates, readCommand, UsageError } from './rates-command.js';

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'rates-'));
  file = path.join(folder, 'prices.json');
  for (const name of [IMPORTED_PRICES, PRICES_BY_HAND])
    await writeFile(path.join(folder, name), writeCatalogue([]));
});

afterEach(() => rm(folder, { recursive: true }));

const imported = () => readFile(path.join(folder, IMPORTED_PRICES), 'utf8');

/** What is printed for `prices`, USD per token by model. */
async function run(prices: Record<string, string>, ...args: string[]): Promise<string[]> {
  const entries = Object.entries(prices).map(
    ([name, usd]) =>
      `"${name}": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": ${usd}, "output_cost_per_token": ${usd}}`,
  );
  await writeFile(file, `{${entries.join(', ')}}`);
  const lines: string[] = [];
  await importRates(readCommand([file, ...args], '2026-11-26'), folder, (line) => lines.push(line));
  return lines;
}

describe('npm run rates', () => {
  it('prints what a file would change, and writes nothing unless it is told to', async () => {
    const before = await imported();
    expect(await run({ m: '1e-8', 'x-latest': '1e-6' }, '--date', '2026-08-01')).toEqual([
      '! openai x-latest: skipped: what a -latest name stands for changes, and the file does not follow',
      '+ openai m standard input_tokens: 0.01 per 1000000 since 2026-08-01',
      '+ openai m standard output_tokens: 0.01 per 1000000 since 2026-08-01',
      'openai: 2 added, 0 changed, 0 superseded; 0 unchanged, 1 skipped or corrected; 2 rows of 1 models in the catalogue',
      'nothing is written without --apply',
    ]);
    expect(await imported()).toBe(before);
  });

  it('writes one line per price, and a changed price as a new line', async () => {
    await run({ m: '1e-8' }, '--date', '2026-08-01', '--source', 'first', '--apply');
    const lines = await run({ m: '2e-8' }, '--source', 'second', '--apply');
    expect(lines.slice(0, 2)).toEqual([
      '- openai m standard input_tokens: 0.01 per 1000000 since 2026-08-01 (superseded)',
      '~ openai m standard input_tokens: 0.02 per 1000000 since 2026-11-26',
    ]);
    expect(lines.at(-2)).toBe(
      'openai: 0 added, 2 changed, 2 superseded; 0 unchanged, 0 skipped or corrected; 4 rows of 1 models in the catalogue',
    );
    expect((await imported()).split('\n')).toEqual([
      'provider,model,tier,meter,context_from,unit_cost_usd,per,effective_from,source,free',
      'openai,m,standard,input_tokens,0,0.01,1000000,2026-08-01,first,',
      'openai,m,standard,input_tokens,0,0.02,1000000,2026-11-26,second,',
      'openai,m,standard,output_tokens,0,0.01,1000000,2026-08-01,first,',
      'openai,m,standard,output_tokens,0,0.02,1000000,2026-11-26,second,',
      '',
    ]);
  });

  it('says of a day that stands why its price is not changed', async () => {
    await run({ m: '1e-8' }, '--apply');
    const lines = await run({ m: '2e-8' }, '--apply');
    expect(lines[0]).toBe(
      '! openai m standard input_tokens: 0.02 per 1000000 since 2026-11-26 skipped: that day has 0.01 per 1000000 already',
    );
    expect(await imported()).not.toContain('0.02');
  });

  /** What is printed of the text of a file, all of it written. */
  async function runText(text: string, ...args: string[]): Promise<string[]> {
    await writeFile(file, text);
    const lines: string[] = [];
    const command = readCommand([file, '--apply', ...args], '2026-11-26');
    await importRates(command, folder, (line) => lines.push(line));
    return lines;
  }
  const SOUND = '"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6';
  const OURS = `{"litellm_provider": "openai", "mode": "chat", ${SOUND}}`;
  const named = (name: string, more = '') =>
    `{"${name}": {"litellm_provider": "openai", "mode": "chat", ${SOUND}${more}}}`;

  it.each([
    ['a name with a comma', named('a,b'), 'a,b: skipped: is no name of a model'],
    ['a name of two lines', named('a\\nb'), 'a\nb: skipped: is no name of a model'],
    ['a name with a quote', named('a\\"b'), 'a"b: skipped: is no name of a model'],
    ['an empty name', named('openai/'), 'openai/: skipped: is no name of a model'],
    ['the name of all models', named('openai/*'), 'openai/*: skipped: is no name of a model'],
    [
      'a price of a search below zero',
      named('m', ', "search_context_cost_per_query": {"search_context_size_low": -0.01}'),
      'm: skipped search_context_cost_per_query: is not a price',
    ],
    [
      'a price of a search in words',
      named('m', ', "search_context_cost_per_query": {"search_context_size_low": "0.01"}'),
      'm: skipped search_context_cost_per_query: is not a price',
    ],
    [
      'a price of a search that is nothing',
      named('m', ', "search_context_cost_per_query": {"search_context_size_low": 0}'),
      'm: skipped search_context_cost_per_query: a zero is no price',
    ],
    [
      'a multiplier of zero',
      named('m', ', "provider_specific_entry": {"us": 0}'),
      'm: skipped multiplier us: is no factor of a price',
    ],
    [
      'a multiplier in words',
      named('m', ', "provider_specific_entry": {"fast": "6.0"}'),
      'm: skipped multiplier fast: is no factor of a price',
    ],
    [
      'a multiplier that is a price',
      named('m', ', "provider_specific_entry": {"fast": 30}'),
      'm: skipped multiplier fast: is no factor of a price',
    ],
    [
      'a multiplier of a region below zero',
      named('m', ', "regional_processing_uplift_multiplier_eu": -1.1'),
      'm: skipped regional_processing_uplift_multiplier_eu: is no factor of a price',
    ],
    [
      'a bound that no prompt has',
      named('m', ', "input_cost_per_token_above_9999999999k_tokens": 2e-6'),
      'm: skipped input_cost_per_token_above_9999999999k_tokens: is for prompts that there are not',
    ],
    ...['1e30', '1e999', '2.5', '0.0010001'].map((usd) => [
      `${usd} dollars a token`,
      named('m', `, "cache_read_input_token_cost": ${usd}`),
      'm: skipped cache_read_input_token_cost: is more than anything costs',
    ]),
  ])('leaves out %s, says so, and writes what the product can read', async (_, text = '', told) => {
    expect(await runText(text)).toContain(`! openai ${told}`);
    const rows = await readCatalogueFile(path.join(folder, IMPORTED_PRICES));
    const isWhole = !told?.includes('no name');
    expect(rows.map(({ model, tier, unit_cost_usd }) => `${model} ${tier} ${unit_cost_usd}`)).toEqual(
      isWhole ? ['m standard 1', 'm standard 2'] : [],
    );
  });

  it('takes a name that objects have of themselves for a name', async () => {
    await runText(named('__proto__'));
    const rows = await readCatalogueFile(path.join(folder, IMPORTED_PRICES));
    expect(rows.map(({ model }) => model)).toEqual(['__proto__', '__proto__']);
  });

  it('takes the dearest that anything costs', async () => {
    await runText(named('m', ', "cache_read_input_token_cost": 0.001'));
    expect(await imported()).toContain('m,standard,cache_read_tokens,0,1000,1000000');
  });

  it.each([
    ['an entry', `{"m": {"litellm_provider": "openai", ${SOUND}}, "m": {"litellm_provider": "openai"}}`, 'm'],
    ['a field', named('m', ', "input_cost_per_\\u0074oken": 3e-6'), 'input_cost_per_token'],
    ['an entry of another provider and ours', `{"m": {"litellm_provider": "x"}, "m": ${OURS}}`, 'm'],
    ['an entry of ours and another provider', `{"m": ${OURS}, "m": {"litellm_provider": "x"}}`, 'm'],
    ['the provider', `{"m": {"litellm_provider": "openai", "litellm_provider": "x"}}`, 'litellm_provider'],
  ])('writes nothing of a file that has %s twice', async (_, text, name) => {
    const before = await imported();
    await expect(runText(text)).rejects.toThrow(`says twice, and only the last would count: ${name}`);
    expect(await imported()).toBe(before);
  });

  it('takes a file that has names twice in entries of other providers, and tells them', async () => {
    const other = '{"litellm_provider": "x", "a": {"b": 1, "b": 2}}';
    const lines = await runText(`{"glm": ${other}, "m": ${OURS}, "glm": {"litellm_provider": "x"}}`);
    expect(lines.slice(0, 3)).toEqual([
      '! b: stands twice, in an entry of another provider',
      '! glm: stands twice, in an entry of another provider',
      '! 1 entries of other providers skipped',
    ]);
    expect(await imported()).toContain('openai,m,standard,input_tokens');
  });

  it('has a field in each of two entries', async () => {
    expect(await runText(`{"a": ${OURS}, "b": ${OURS}, "c": ["a", {"a": "}"}]}`)).toHaveLength(6);
  });

  it('writes nothing that the product could not read again, and says where', async () => {
    await run({ m: '1e-8' });
    const before = await imported();
    const command = { ...readCommand([file, '--apply'], '2026-11-26'), source: 'a, b' };
    const importing = importRates(command, folder, () => undefined);
    await expect(importing).rejects.toThrow('imported.csv, as it would be: line 2');
    expect(await imported()).toBe(before);
  });

  it.each([
    ['up', '1.1e-7'],
    ['down', '9.9e-10'],
  ])('believes no price that jumps %s by more than ten times, unless it is told to', async (_, usd) => {
    await run({ m: '1e-8' }, '--date', '2026-08-01', '--apply');
    const before = await imported();
    const lines = await run({ m: usd }, '--apply');
    expect(lines[0]).toMatch(
      /^! openai m .* skipped: a jump from 0\.01 per 1000000, taken with --force only$/,
    );
    expect(lines.at(-2)).toContain('0 changed, 0 superseded; 0 unchanged, 2 skipped or corrected');
    expect(await imported()).toBe(before);
    const forced = await run({ m: usd }, '--apply', '--force');
    expect(forced[1]).toMatch(/^~ openai m standard input_tokens: .* since 2026-11-26 \(a jump\)$/);
    expect(await readCatalogueFile(path.join(folder, IMPORTED_PRICES))).toHaveLength(4);
  });

  it('believes a price of ten times as much', async () => {
    await run({ m: '1e-8' }, '--date', '2026-08-01', '--apply');
    expect((await run({ m: '1e-7' }, '--apply'))[1]).toMatch(/since 2026-11-26$/);
  });

  it.each<[string, string[]]>([
    ['no file', []],
    ['two files', ['a', 'b']],
    ['an unknown option', ['a', '--forced']],
    ['a day that is none', ['a', '--date', '2026-02-31x']],
    ['a day that no month has', ['a', '--date', '2026-02-31']],
    ['a month that no year has', ['a', '--date', '2026-13-01']],
    ['a source that is no CSV value', ['a', '--source', 'a, b']],
  ])('refuses %s in words', (_, args) => expect(() => readCommand(args, '2026-11-26')).toThrow(UsageError));

  it('names its source after the file and its day after today', () =>
    expect(readCommand(['in/prices.json'], '2026-11-26')).toEqual({
      ...{ file: 'in/prices.json', source: 'prices.json', date: '2026-11-26', provider: undefined },
      ...{ aliases: false, force: false, apply: false },
    }));
});
