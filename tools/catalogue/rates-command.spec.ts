import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { IMPORTED_PRICES, PRICES_BY_HAND, writeCatalogue } from '@vendo/registry';
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

  it.each<[string, string[]]>([
    ['no file', []],
    ['two files', ['a', 'b']],
    ['an unknown option', ['a', '--force']],
    ['a day that is none', ['a', '--date', '2026-02-31x']],
    ['a source that is no CSV value', ['a', '--source', 'a, b']],
  ])('refuses %s in words', (_, args) => expect(() => readCommand(args, '2026-11-26')).toThrow(UsageError));

  it('names its source after the file and its day after today', () =>
    expect(readCommand(['in/prices.json'], '2026-11-26')).toEqual({
      ...{ file: 'in/prices.json', source: 'prices.json', date: '2026-11-26', provider: undefined },
      ...{ aliases: false, apply: false },
    }));
});
