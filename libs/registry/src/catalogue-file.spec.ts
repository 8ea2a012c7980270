import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type CatalogueRow, readCatalogue, readCatalogueFile, writeCatalogue } from './catalogue-file.js';

let folder: string;
let catalogue: CatalogueRow[];

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'catalogue-'));
  catalogue = await readCatalogue();
});

afterAll(() => rm(folder, { recursive: true }));

describe('the catalogue that the product ships with', () => {
  it('has one price for a meter, tier and context of a model on a day', () => {
    const keys = catalogue.map(({ provider, model, tier, meter, context_from, effective_from }) =>
      [provider, model, tier, meter, context_from, effective_from].join(' '),
    );
    expect(keys.filter((key, n) => keys.indexOf(key) !== n)).toEqual([]);
  });

  it('prices every provider that bills', () =>
    expect(catalogue.map(({ provider }) => provider)).toEqual(
      expect.arrayContaining([
        ...['anthropic', 'assemblyai', 'composio', 'elevenlabs', 'gemini', 'muapi', 'openai', 'openrouter'],
      ]),
    ));

  it.each([
    [
      'openai gpt-5.6-sol standard input_tokens 0',
      ['5/1000000 2026-08-01', '4/1000000 2026-08-21', '4/1000000 2026-11-10'],
    ],
    [
      'openai gpt-5.6-sol priority input_tokens 0',
      ['10/1000000 2026-08-01', '8/1000000 2026-08-21', '8/1000000 2026-11-10'],
    ],
    [
      'openai gpt-5.6-sol standard output_tokens 272000',
      ['45/1000000 2026-08-01', '30/1000000 2026-08-21', '30/1000000 2026-11-10'],
    ],
    ['openai gpt-5.6 standard output_tokens 0', ['30/1000000 2026-08-01', '20/1000000 2026-08-21']],
    ['openai gpt-6-sol flex_regional output_tokens 272000', ['8.25/1000000 2026-11-10']],
    ['openai gpt-5.6-cyber regional input_tokens 0', ['13.75/1000000 2026-11-10']],
    ['anthropic claude-opus-5-5 us output_tokens 0', ['22/1000000 2026-11-10']],
    ['anthropic claude-sonnet-4-6 us input_tokens 0', ['3.3/1000000 2026-08-01']],
    ['anthropic * standard web_searches 0', ['10/1000 2026-08-01']],
    ['gemini * flex web_searches 0', ['14/1000 2026-08-01']],
    [
      'gemini gemini-3.8-flash priority output_tokens 0',
      ['6.75/1000000 2026-11-10', '13.5/1000000 2027-01-01'],
    ],
    ['openai whisper-1 standard audio_seconds 0', ['0.36/3600 2026-08-01']],
    ['openai tts-1 standard characters 0', ['15/1000000 2026-08-01']],
    ['openai dall-e-2 standard images 0', ['0.02/1 2026-08-01']],
    ['openai * standard web_searches 0', ['10/1000 2026-08-01']],
    ['anthropic claude-opus-4-6 fast_us input_tokens 0', ['33/1000000 2026-08-01']],
    ['anthropic claude-haiku-5-5 standard input_tokens 100001', ['0.5/1000000 2026-11-10']],
    ['gemini gemini-2.5-pro standard input_tokens 200001', ['2.5/1000000 2026-08-01']],
    [
      'gemini gemini-3.6-flash standard output_tokens 0',
      ['7.5/1000000 2026-08-01', '3.75/1000000 2026-11-10', '7.5/1000000 2027-01-01'],
    ],
    ['openai web_search_preview standard web_searches 0', ['25/1000 2026-08-01']],
    ['openai * standard code_sessions 0', ['0.03/1 2026-08-01']],
    ['openai container/4g standard code_sessions 0', ['0.12/1 2026-08-01']],
    ['openai container/16g flex code_sessions 0', ['0.48/1 2026-08-01']],
    ['openai container/64g priority code_sessions 0', ['1.92/1 2026-08-01']],
    ['anthropic * fast_us code_sessions 0', ['0.05/1 2026-08-01']],
    ['gemini gemini-2.5-pro standard audio_input_tokens 200001', ['2.5/1000000 2026-08-01']],
    [
      'gemini gemini-3.6-flash flex audio_input_tokens 0',
      ['0.75/1000000 2026-08-01', '0.375/1000000 2026-11-10', '0.75/1000000 2027-01-01'],
    ],
    ['gemini imagen-4.0-generate-001 standard images 0', ['0.04/1 2026-08-01']],
    ['elevenlabs eleven_multilingual_v2 standard characters 0', ['0.1/1000 2026-06-01']],
    ['elevenlabs eleven_flash_v2_5 standard characters 0', ['0.05/1000 2026-06-01']],
    ['elevenlabs scribe_v2 standard audio_seconds 0', ['0.22/3600 2026-06-01']],
    ['assemblyai best standard audio_seconds 0', ['0.37/3600 2026-08-01']],
    ['openrouter * standard usd 0', ['1/1 2026-08-01']],
    ['muapi flux-dev-image standard usd 0', ['1/1 2026-08-01']],
    ['composio * standard composio.action_call 0', ['0.299/1000 2026-08-01']],
  ])('prices %s', (key, prices) => {
    const rows = catalogue.filter(
      ({ provider, model, tier, meter, context_from }) =>
        [provider, model, tier, meter, context_from].join(' ') === key,
    );
    expect(rows.map((row) => `${row.unit_cost_usd}/${row.per} ${row.effective_from}`).sort()).toEqual(
      [...prices].sort(),
    );
  });
});

describe('a catalogue file', () => {
  const row = (other: Partial<CatalogueRow> = {}): CatalogueRow => ({
    ...{ provider: 'openai', model: 'm', tier: 'standard', meter: 'input_tokens', context_from: 272_000 },
    ...{ unit_cost_usd: '0.000000000000000000012', per: '1000000', effective_from: '2026-08-01' },
    ...{ source: 'a file; derived', free: false },
    ...other,
  });
  const read = async (text: string) => {
    const file = path.join(folder, 'file.csv');
    await writeFile(file, text);
    return readCatalogueFile(file);
  };

  it('is read as it was written', async () => {
    const rows = [row(), row({ unit_cost_usd: '0', free: true })];
    expect(await read(writeCatalogue(rows))).toEqual(rows);
  });

  it.each([
    ['a meter that there is not', { meter: 'kisses' as never }, 'meter'],
    ['a zero that nobody declared free', { unit_cost_usd: '0.0' }, 'free'],
    ['a price that is declared free', { free: true }, 'free'],
    ['a price that is no plain decimal', { unit_cost_usd: '1e-8' }, 'decimal'],
    ['a price for nothing', { per: '0' }, 'per must'],
    ['a day that is none', { effective_from: '2026-02-31' }, 'effective_from'],
    ['a comma in a value', { source: 'a, b' }, 'line 2'],
  ])('with %s is refused, by its line', async (_, damage, words) => {
    const reading = read(writeCatalogue([row(damage)]));
    await expect(reading).rejects.toThrow('file.csv: line 2');
    await expect(reading).rejects.toThrow(words);
  });

  it('with other columns is refused', () =>
    expect(read('model,provider\n')).rejects.toThrow('must begin with provider,model'));
});
