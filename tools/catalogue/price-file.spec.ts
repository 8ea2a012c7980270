import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PRICES_BY_HAND, readCatalogueFile } from '@vendo/registry';
import { type PriceFileOptions, readPriceFile } from './price-file.js';
import { readSource } from './source-file.js';

const CATALOGUE = path.join(import.meta.dirname, '../../libs/pricing/catalogue');
const DAY = { date: '2026-08-01', source: 'a file', aliases: false };

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'prices-'));
});

afterAll(() => rm(folder, { recursive: true }));

/** Prices as `model tier meter context_from unit_cost_usd/per`, and what was told. The prices by hand are the shipped ones. */
async function read(entries: Record<string, string>, options: Partial<PriceFileOptions> = {}) {
  const file = path.join(folder, 'prices.json');
  const members = Object.entries(entries).map(([name, entry]) => `${JSON.stringify(name)}: {${entry}}`);
  await writeFile(file, `{${members.join(', ')}}`);
  const byHand = await readCatalogueFile(path.join(CATALOGUE, PRICES_BY_HAND));
  const { rows, told, others } = readPriceFile(await readSource(file, () => undefined), byHand, {
    ...DAY,
    ...options,
  });
  const prices = rows.map(
    (row) => `${row.model} ${row.tier} ${row.meter} ${row.context_from} ${row.unit_cost_usd}/${row.per}`,
  );
  return { rows, prices: prices.sort(), told: told.map(({ text }) => text), others };
}

const entry = (provider: string, fields: string, mode = 'chat') =>
  `"litellm_provider": "${provider}", "mode": "${mode}", ${fields}`;
const chat = (input: string, more = '') =>
  `"input_cost_per_token": ${input}, "output_cost_per_token": ${input}${more}`;
const TOKEN = chat('1e-6');

describe('a price file', () => {
  it('gives audio the input price where a model has one for both, in every tier, and the file none', async () => {
    const flex = ', "input_cost_per_token_flex": 5e-7, "output_cost_per_token_flex": 5e-7';
    const { prices } = await read({
      'gemini/gemini-2.5-pro': entry('gemini', chat('1e-6', flex)),
      'gemini/gemini-3.5-flash-lite': entry('gemini', chat('1e-6', ', "input_cost_per_audio_token": 3e-6')),
      'gemini/another': entry('gemini', chat('1e-6')),
    });
    expect(prices.filter((price) => price.includes('audio'))).toEqual([
      'gemini-2.5-pro flex audio_input_tokens 0 0.5/1000000',
      'gemini-2.5-pro standard audio_input_tokens 0 1/1000000',
      'gemini-3.5-flash-lite standard audio_input_tokens 0 3/1000000',
    ]);
  });

  it.each([
    ['1e-8', '0.01'],
    ['1.234567890123456789e-06', '1.234567890123456789'],
    ['0.00000012500', '0.125'],
    ['2.5E-7', '0.25'],
    ['3e-06', '3'],
  ])('gives %s with every digit of its text, as %s per million', async (text, perMillion) => {
    const { prices } = await read({ m: entry('openai', chat(text)) });
    expect(prices).toContain(`m standard input_tokens 0 ${perMillion}/1000000`);
  });

  it.each([
    ['openai', 'm', 272, 272_000],
    ['anthropic', 'm', 200, 200_001],
    ['gemini', 'gemini/m', 200, 200_001],
    ['openrouter', 'openrouter/m', 256, 256_001],
  ])('of %s begins a long-context price of %s above %d k at %d tokens', async (provider, name, k, from) => {
    const long = `, "input_cost_per_token_above_${k}k_tokens": 2e-6, "output_cost_per_token_above_${k}k_tokens_flex": 3e-6`;
    const { prices } = await read({ [name]: entry(provider, chat('1e-6', long)) });
    expect(prices).toContain(`m standard input_tokens ${from} 2/1000000`);
    expect(prices).toContain(`m flex output_tokens ${from} 3/1000000`);
  });

  it('makes meters of the fields, each in its own unit', async () => {
    const { prices, told } = await read({
      t: entry(
        'openai',
        `${TOKEN}, "cache_read_input_token_cost": 1e-7, "cache_creation_input_token_cost": 2e-6,
        "input_cost_per_audio_token": 3e-6, "output_cost_per_audio_token": 4e-6,
        "output_cost_per_reasoning_token": 5e-6`,
      ),
      s: entry('openai', '"input_cost_per_character": 1.5e-05', 'audio_speech'),
      w: entry('openai', '"input_cost_per_second": 0.0001', 'audio_transcription'),
      i: entry(
        'openai',
        '"input_cost_per_image_token": 1e-5, "output_cost_per_image_token": 4e-5',
        'image_generation',
      ),
      'gemini/imagen': entry('gemini', '"output_cost_per_image": 0.04', 'image_generation'),
      'openrouter/a/b': entry('openrouter', `${TOKEN}, "input_cost_per_token_cache_hit": 2e-8`),
    });
    expect(prices).toEqual([
      'a/b standard cache_read_tokens 0 0.02/1000000',
      'a/b standard input_tokens 0 1/1000000',
      'a/b standard output_tokens 0 1/1000000',
      'i standard image_input_tokens 0 10/1000000',
      'i standard image_tokens 0 40/1000000',
      'imagen standard images 0 0.04/1',
      's standard characters 0 15/1000000',
      't standard audio_input_tokens 0 3/1000000',
      't standard audio_output_tokens 0 4/1000000',
      't standard cache_read_tokens 0 0.1/1000000',
      't standard cache_write_tokens 0 2/1000000',
      't standard input_tokens 0 1/1000000',
      't standard output_tokens 0 1/1000000',
      't standard reasoning_tokens 0 5/1000000',
      'w standard audio_seconds 0 0.36/3600',
    ]);
    expect(told).toEqual([]);
  });

  it('prices reasoning as output where it costs the same', async () => {
    const { prices } = await read({
      'gemini/m': entry('gemini', `${TOKEN}, "output_cost_per_reasoning_token": 1e-6`),
    });
    expect(prices).toHaveLength(2);
  });

  it('prices an image by quality and size, in the API’s words', async () => {
    const { rows, told } = await read({
      'hd/1024-x-1792/dall-e-3': entry('openai', '"input_cost_per_pixel": 6.539e-08', 'image_generation'),
      'low/1024-x-1024/gpt-image-1': entry(
        'openai',
        '"input_cost_per_image": 0.011, "input_cost_per_pixel": 1.0490417e-08',
        'image_generation',
      ),
    });
    expect(rows).toMatchObject([
      { model: 'hd/1024x1792/dall-e-3', meter: 'images', unit_cost_usd: '0.12', per: '1' },
      { model: 'low/1024x1024/gpt-image-1', meter: 'images', unit_cost_usd: '0.011' },
    ]);
    expect(rows[0]?.source).toBe('a file; derived: pixels x price to 0.001');
    expect(told).toEqual([
      'low/1024-x-1024/gpt-image-1: skipped input_cost_per_pixel: the image is priced whole',
    ]);
  });

  it('makes tiers of the multipliers, on tokens and not on server tools', async () => {
    const fields = `${chat('5e-6')}, "provider_specific_entry": {"us": 1.1, "fast": 6.0},
      "search_context_cost_per_query": {"search_context_size_low": 0.01, "search_context_size_high": 0.010}`;
    const { prices } = await read({ a: entry('anthropic', fields) });
    expect(prices.filter((price) => / input_tokens| web_searches/.test(price))).toEqual([
      'a fast input_tokens 0 30/1000000',
      'a fast web_searches 0 0.01/1',
      'a fast_us input_tokens 0 33/1000000',
      'a fast_us web_searches 0 0.01/1',
      'a standard input_tokens 0 5/1000000',
      'a standard web_searches 0 0.01/1',
      'a us input_tokens 0 5.5/1000000',
      'a us web_searches 0 0.01/1',
    ]);
  });

  it('makes a tier of the regional price in every pace, while all regions cost the same', async () => {
    const regional = (eu: string) =>
      `, "input_cost_per_token_flex": 5e-7, "output_cost_per_token_flex": 5e-7, "regional_processing_uplift_multiplier_us": 1.1,
       "regional_processing_uplift_multiplier_eu": ${eu}`;
    const same = await read({ m: entry('openai', chat('1e-6', regional('1.10'))) });
    expect(same.prices.filter((price) => price.includes('input'))).toEqual([
      'm flex input_tokens 0 0.5/1000000',
      'm flex_regional input_tokens 0 0.55/1000000',
      'm regional input_tokens 0 1.1/1000000',
      'm standard input_tokens 0 1/1000000',
    ]);
    const other = await read({ m: entry('openai', chat('1e-6', regional('1.2'))) });
    expect(other.prices.join()).not.toContain('regional');
    expect(other.told).toEqual([expect.stringContaining('the regions cost different prices')]);
  });

  it('has what is free beyond its tokens, and a price of no model under the name of all', async () => {
    const { rows, told } = await read({
      a: entry('anthropic', chat('1e-6')),
      'openai/container': entry('openai', '"code_interpreter_cost_per_session": 0.03'),
      b: entry('openai', chat('1e-6')),
    });
    expect(rows.filter(({ free }) => free).map(({ model, meter }) => [model, meter])).toEqual([
      ['a', 'web_fetches'],
    ]);
    expect(told).toContain('openai/container: skipped: kept by hand (litellm 2026-08-01)');
  });

  it('derives a one-hour cache write of 2 x input, and corrects one that says otherwise', async () => {
    const wrong = ', "cache_creation_input_token_cost_above_1hr": 6e-6';
    const { prices, told } = await read({
      a: entry('anthropic', chat('3e-6')),
      b: entry('anthropic', chat('1e-6', wrong)),
    });
    expect(prices.filter((price) => price.includes('1h'))).toEqual([
      'a standard cache_write_1h_tokens 0 6/1000000',
      'b standard cache_write_1h_tokens 0 2/1000000',
    ]);
    expect(told).toEqual(['b: corrected cache_write_1h_tokens: 6 is not 2 x input (2)']);
  });

  it('declares moderation and the output of embeddings free, and takes no other zero for a price', async () => {
    const zero = '"input_cost_per_token": 0.0, "output_cost_per_token": 0';
    const embedding = '"input_cost_per_token": 1e-6, "output_cost_per_token": 0.0';
    const { rows, told } = await read({
      'omni-moderation-latest': entry('openai', zero, 'moderation'),
      'text-embedding-9': entry('openai', embedding, 'embedding'),
      'gemini/exp': entry('gemini', zero),
      'openrouter/free': entry('openrouter', zero),
      'openrouter/z': entry('openrouter', `${TOKEN}, "cache_read_input_token_cost": 0`),
    });
    expect(rows.filter(({ free }) => free).map(({ model, meter }) => `${model} ${meter}`)).toEqual([
      'omni-moderation-latest input_tokens',
      'omni-moderation-latest output_tokens',
      'text-embedding-9 output_tokens',
    ]);
    expect(rows.every(({ free, unit_cost_usd }) => free === (unit_cost_usd === '0'))).toBe(true);
    expect(new Set(rows.map(({ model }) => model)).has('exp')).toBe(false);
    expect(told).toContain('openrouter/z: skipped cache_read_tokens: a zero is no price');
    expect(told).toContain('gemini/exp: skipped: has no price');
  });

  it('takes nothing for a price that is none', async () => {
    const { rows, told } = await read({
      m: entry('openai', '"input_cost_per_token": "1e-6", "output_cost_per_token": -1e-6'),
    });
    expect(rows).toEqual([]);
    expect(told).toContain('m: skipped input_cost_per_token output_cost_per_token: is not a price');
  });

  it('is read for one provider where one is named, and says how many entries are of none of ours', async () => {
    const { prices, others } = await read(
      { o: entry('openai', TOKEN), a: entry('anthropic', TOKEN), v: entry('vertex_ai', TOKEN) },
      { provider: 'openai' },
    );
    expect(prices.map((price) => price[0])).toEqual(['o', 'o']);
    expect(others).toBe(1);
  });

  it('must be one', async () => {
    await writeFile(path.join(folder, 'other.json'), '{"a": 1}');
    await expect(readSource(path.join(folder, 'other.json'), () => undefined)).rejects.toThrow(/no entry/);
    await writeFile(path.join(folder, 'other.json'), 'null');
    await expect(readSource(path.join(folder, 'other.json'), () => undefined)).rejects.toThrow(
      /no price file/,
    );
  });
});

/** The defects of the litellm file of August 2026, by their number in the list that came with it. */
describe('a known defect', () => {
  it('1: a second of whisper-1 is charged once', async () => {
    const both = '"input_cost_per_second": 0.0001, "output_cost_per_second": 0.0001';
    const { prices, told } = await read({ 'whisper-1': entry('openai', both, 'audio_transcription') });
    expect(prices).toEqual(['whisper-1 standard audio_seconds 0 0.36/3600']);
    expect(told).toEqual([expect.stringContaining('charged once')]);
  });

  it('3: gemini-1.5-flash has no output price, embedding or not', async () => {
    const { rows, told } = await read({
      'gemini/gemini-1.5-flash': entry(
        'gemini',
        '"input_cost_per_token": 7.5e-08, "output_cost_per_token": 0',
        'embedding',
      ),
    });
    expect(rows).toEqual([]);
    expect(told.at(-1)).toBe('gemini/gemini-1.5-flash: skipped: has no price for output_tokens');
  });

  it('4: audio into gpt-4o-transcribe costs what text costs, as charges have shown', async () => {
    const fields = `${TOKEN}, "input_cost_per_audio_token": 1e-6`;
    const { prices } = await read({ 'gpt-4o-transcribe': entry('openai', fields, 'audio_transcription') });
    expect(prices[0]).toBe('gpt-4o-transcribe standard audio_input_tokens 0 1/1000000');
  });

  it.each([
    [
      2,
      'assemblyai/best',
      'assemblyai',
      '"input_cost_per_second": 3.333e-05',
      'audio_transcription',
      /swapped/,
    ],
    [
      2,
      'assemblyai/nano',
      'assemblyai',
      '"input_cost_per_second": 0.00010278',
      'audio_transcription',
      /swapped/,
    ],
    [5, 'gpt-4o-mini-tts', 'openai', TOKEN, 'audio_speech', /litellm disagrees/],
    [5, 'gpt-image-2', 'openai', TOKEN, 'image_generation', /litellm disagrees/],
    [5, 'gemini/gemini-3.1-flash-image-preview', 'gemini', TOKEN, 'image_generation', /litellm disagrees/],
    [
      6,
      'elevenlabs/eleven_v3',
      'elevenlabs',
      '"input_cost_per_character": 0.00018',
      'audio_speech',
      /ElevenLabs/,
    ],
  ])('%d: %s is kept by hand', async (_, name, provider, fields, mode, why) => {
    const { rows, told } = await read({ [name]: entry(provider, fields, mode) });
    expect(rows).toEqual([]);
    expect(told).toEqual([expect.stringMatching(why)]);
    expect(told[0]).toContain(`${name}: skipped: kept by hand`);
  });

  it('7: a -latest name is not taken, unless the file is known to follow', async () => {
    const latest = { 'gemini/gemini-flash-latest': entry('gemini', TOKEN) };
    const { rows, told } = await read(latest);
    expect(rows).toEqual([]);
    expect(told).toEqual([expect.stringContaining('-latest name stands for changes')]);
    expect((await read(latest, { aliases: true })).rows).toHaveLength(2);
  });

  it.each([
    ['5: realtime', 'gpt-realtime-2', 'openai', 'realtime', 'there is no route for realtime'],
    ['videos', 'sora-2', 'openai', 'video_generation', 'there is no route for video generation'],
    ['what is no model', 'openai/some/thing', 'openai', 'chat', 'is no name of a model'],
  ])('%s is left out', async (_, name, provider, mode, why) => {
    const { rows, told } = await read({ [name]: entry(provider, TOKEN, mode) });
    expect(rows).toEqual([]);
    expect(told).toEqual([`${name}: skipped: ${why}`]);
  });

  it('a model that is listed with and without its provider is taken once', async () => {
    const { prices, told } = await read({
      m: entry('gemini', chat('9e-6')),
      'gemini/m': entry('gemini', TOKEN),
    });
    expect(prices).toEqual(['m standard input_tokens 0 1/1000000', 'm standard output_tokens 0 1/1000000']);
    expect(told).toEqual(['m: skipped: gemini/m is the same model']);
  });

  it('a tier with a price for input alone, as priority of gpt-5-nano has, is left out', async () => {
    const { prices, told } = await read({
      m: entry('openai', chat('1e-6', ', "input_cost_per_token_priority": 5e-5')),
      'text-embedding-9': entry('openai', chat('1e-6', ', "input_cost_per_token_flex": 5e-7'), 'embedding'),
    });
    expect(prices.filter((price) => !price.includes(' standard '))).toEqual([
      'text-embedding-9 flex input_tokens 0 0.5/1000000',
    ]);
    expect(told).toEqual(['m: skipped priority: has no price for both input and output']);
  });

  it('batch prices are left out: there is no batch route', async () => {
    const { prices, told } = await read({
      m: entry('openai', `${TOKEN}, "input_cost_per_token_batches": 5e-7`),
    });
    expect(prices).toHaveLength(2);
    expect(told).toEqual(['m: skipped input_cost_per_token_batches: there is no batch route']);
  });
});
