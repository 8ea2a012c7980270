import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { JsonDigest } from '../../proxy/json-digest.js';
import type { UsageMeter } from '../provider.js';
import { countedAfter, feedStream, readFormRequest, readRequest, reported } from '../read-answer.contract.js';
import { openai } from './openai.provider.js';

const GENERATIONS = '/v1/images/generations';
const EDITS = '/v1/images/edits';
const VARIATIONS = '/v1/images/variations';
const PNG = new Blob([new Uint8Array([0x89, 0x50, 0x4e, 0x47])], { type: 'image/png' });
const fixture = (name: string): string => readFileSync(join(import.meta.dirname, 'fixtures', name), 'utf8');
const generate = (body: object) => readRequest(openai, GENERATIONS, { prompt: 'a red fox', ...body });

describe('requests for images', () => {
  it.each([
    ['dall-e-2', {}, '1024x1024/dall-e-2'],
    ['dall-e-2', { size: '256x256' }, '256x256/dall-e-2'],
    ['dall-e-2', { size: '256x256', quality: 'hd' }, '256x256/dall-e-2'],
    ['dall-e-3', {}, 'standard/1024x1024/dall-e-3'],
    ['dall-e-3', { size: 'auto', quality: 'auto' }, 'standard/1024x1024/dall-e-3'],
    ['openai/dall-e-3', { size: '1024x1792', quality: 'hd' }, 'hd/1024x1792/dall-e-3'],
  ])('%s with %j is held by the image, as %s', (model, change, priced) => {
    const { bound, needs, ...request } = generate({ model, n: 3, ...change });
    expect(request.model).toBe(priced);
    expect(bound).toEqual({ kind: 'units', units: { images: 3 } });
    expect(needs).toEqual(['images']);
  });

  it.each([
    ['256x256/dall-e-2', ['256x256/dall-e-2', 'dall-e-2']],
    ['standard/1024x1024/dall-e-3', ['standard/1024x1024/dall-e-3', 'dall-e-3']],
    ['hd/1024x1024/dall-e-3', ['hd/1024x1024/dall-e-3']],
    ['standard/1792x1024/dall-e-3', ['standard/1792x1024/dall-e-3']],
  ])('%s has no other price than %j', (model, keys) => expect(openai.rateKeys(model)).toEqual(keys));

  it.each([
    [{}, '1024x1024/dall-e-2'],
    [{ stream: false, background: null }, '1024x1024/dall-e-2'],
    [{ background: 'transparent' }, 'gpt-image-2'],
    [{ output_format: 'webp' }, 'gpt-image-2'],
    [{ stream: true }, 'gpt-image-2'],
  ])('without a model, %j asks for %s', (change, model) => expect(generate(change).model).toBe(model));

  it('holds the ceiling where images are counted in tokens', () =>
    expect(generate({ model: 'gpt-image-1.5', n: 2, stream: true })).toMatchObject({
      bound: { kind: 'ceiling' },
      needs: ['input_tokens', 'image_tokens'],
      stream: true,
      tier: 'standard',
    }));

  it.each([
    ['a size that is none', { model: 'dall-e-3', size: 'huge' }],
    ['a quality that is none', { model: 'dall-e-3', quality: 'hd/1x1/x' }],
    ['no image', { model: 'dall-e-2', n: 0 }],
    ['a model that is no text', { model: 5 }],
    ['two models', '{"model":"dall-e-2","model":"gpt-image-2"}'],
  ])('refuses %s', (_, body) =>
    expect(() => readRequest(openai, GENERATIONS, body)).toThrow(
      expect.objectContaining({ code: 'invalid_body' }),
    ),
  );

  it('reads the forms of edits and variations, whatever stands before the file', async () => {
    const edit = await readFormRequest(openai, EDITS, {
      image: PNG,
      prompt: 'greener',
      model: 'gpt-image-1.5',
      stream: 'true',
    });
    expect(edit).toMatchObject({ model: 'gpt-image-1.5', stream: true, bound: { kind: 'ceiling' } });
    const variation = await readFormRequest(openai, VARIATIONS, { n: '2', size: '512x512', image: PNG });
    expect(variation).toMatchObject({
      model: '512x512/dall-e-2',
      stream: false,
      bound: { kind: 'units', units: { images: 2 } },
    });
    const two = await readFormRequest(openai, EDITS, { 'image[]': PNG, prompt: 'x' });
    expect(two.model).toBe('gpt-image-2');
  });

  it.each([
    ['a count that is none', { n: '1e3' }],
    ['a flag that is none', { stream: 'perhaps' }],
    ['an empty model', { model: '' }],
    ['an overlong model', { model: 'm'.repeat(257) }],
    ['two models', { model: ['dall-e-2', 'gpt-image-2'] }],
  ])('refuses a form with %s', (_, fields) =>
    expect(readFormRequest(openai, EDITS, { image: PNG, ...fields })).rejects.toMatchObject({
      code: 'invalid_body',
    }),
  );
});

describe('usage of images', () => {
  const whole = (request: object, answer: unknown): UsageMeter => {
    const meter = generate(request).meter();
    meter.onBody(answer);
    return meter;
  };

  it('is one each for the models of before, at the price of their size', () => {
    const meter = whole(
      { model: 'dall-e-3', size: '1024x1792', quality: 'hd', n: 2 },
      { data: [{ url: 'https://a' }, { url: 'https://b' }] },
    );
    expect(reported(meter)).toEqual({ images: 2 });
    expect(meter.reading()).toMatchObject({ state: 'final', model: 'dall-e-3' });
    expect(meter.reading().quantities[0]?.rateKeys).toEqual(['hd/1024x1792/dall-e-3']);
  });

  it('is in tokens behind megabytes of base64, text and image apart', () => {
    const image = 'A'.repeat(3_000_000);
    const digest = new JsonDigest();
    digest.feed(
      Buffer.from(
        `{"created":1,"data":[{"b64_json":"${image}"}],"usage":{"input_tokens":400,"output_tokens":4200,` +
          '"cached_tokens":150,"cached_tokens_details":{"text_tokens":10,"image_tokens":140},' +
          '"input_tokens_details":{"text_tokens":60,"image_tokens":340},' +
          '"output_tokens_details":{"text_tokens":40,"image_tokens":4160}}}',
      ),
    );
    const meter = whole({ model: 'gpt-image-1.5' }, JSON.parse(digest.end()?.toString() ?? ''));
    expect(reported(meter)).toEqual({
      input_tokens: 50,
      cache_read_tokens: 150,
      image_input_tokens: 200,
      output_tokens: 40,
      image_tokens: 4_160,
    });
    expect(meter.reading()).toMatchObject({ state: 'final', contextTokens: 400 });
  });

  it('counts all of the output as image where nothing is said of it', () =>
    expect(
      reported(whole({ model: 'gpt-image-1' }, { usage: { input_tokens: 9, output_tokens: 272 } })),
    ).toEqual({ input_tokens: 9, output_tokens: 0, image_tokens: 272 }));

  it('has the model that wrote an SVG at its own price', () => {
    const usage = { input_tokens: 9, output_tokens: 272 };
    const svg_usage = { model: 'gpt-6-sol', input_tokens: 700, output_tokens: 900, reasoning_tokens: 500 };
    expect(reported(whole({ model: 'gpt-image-2.5-flare' }, { usage, svg_usage }))).toMatchObject({
      'input_tokens@gpt-6-sol': 700,
      'output_tokens@gpt-6-sol': 900,
      image_tokens: 272,
    });
  });

  const sound = {
    input_tokens: 400,
    output_tokens: 4_200,
    cached_tokens: 150,
    cached_tokens_details: { image_tokens: 140 },
    input_tokens_details: { image_tokens: 340 },
    output_tokens_details: { text_tokens: 40, image_tokens: 4_160 },
  };
  it.each<[string, object, object]>([
    ['cached tokens', { cached_tokens: 'x' }, { input_tokens: 200, image_input_tokens: 200 }],
    ['cached images', { cached_tokens_details: { image_tokens: -5 } }, { input_tokens: 250 }],
    ['images put in', { input_tokens_details: { image_tokens: true } }, { input_tokens: 250 }],
    ['details of the input', { input_tokens_details: 5 }, { input_tokens: 250 }],
    [
      'images made',
      { output_tokens_details: { text_tokens: 40, image_tokens: {} } },
      { image_tokens: 4_160 },
    ],
    ['text made, alone', { output_tokens_details: { text_tokens: 'x' } }, { image_tokens: 4_200 }],
    ['details of the output', { output_tokens_details: 'x' }, { image_tokens: 4_200 }],
    ['a model that wrote an SVG', { svg_usage: 'x' }, { image_tokens: 4_160 }],
    ['its name', { svg_usage: { model: 5, input_tokens: 1, output_tokens: 1 } }, { image_tokens: 4_160 }],
    [
      'its tokens',
      { svg_usage: { model: 'm', input_tokens: 1, output_tokens: '1' } },
      { 'input_tokens@m': 1 },
    ],
  ])(
    'is not final where nonsense stands for %s',
    (_, { svg_usage, ...odd }: { svg_usage?: unknown }, counts) => {
      const meter = whole({ model: 'gpt-image-1.5' }, { usage: { ...sound, ...odd }, svg_usage });
      expect(meter.reading().state).toBe('partial');
      expect(reported(meter)).toMatchObject(counts);
      expect(whole({ model: 'gpt-image-1.5' }, { usage: sound, svg_usage: null }).reading().state).toBe(
        'final',
      );
    },
  );

  it('says which model it was where none was named and tokens are counted', () => {
    const meter = whole({}, { data: [{}], usage: { input_tokens: 9, output_tokens: 272 } });
    expect(meter.reading().model).toBe('gpt-image-2');
    expect(reported(meter)).toMatchObject({ image_tokens: 272 });
  });

  it('stands in the last event of a stream, and previews have none', () => {
    const meter = generate({ model: 'gpt-image-1.5', stream: true }).meter();
    const events = fixture('image-generation.sse.txt').split(/(?<=\n\n)/);
    expect(events.map((event) => feedStream(meter, event)[0]?.terminal)).toEqual([false, true]);
    expect(reported(meter)).toEqual({
      input_tokens: 14,
      image_input_tokens: 50,
      output_tokens: 0,
      image_tokens: 1_056,
    });
  });

  it('is that of all images of a stream, of which the last ends it', async () => {
    const request = { model: 'gpt-image-1.5', n: '2', stream: 'true', image: PNG };
    const meter = (await readFormRequest(openai, EDITS, request)).meter();
    const done = 'data: {"type":"image_edit.completed","usage":{"input_tokens":5,"output_tokens":100}}\n\n';
    expect(feedStream(meter, done + done).map(({ terminal }) => terminal)).toEqual([false, true]);
    expect(reported(meter)).toEqual({ input_tokens: 10, output_tokens: 0, image_tokens: 200 });
    expect(meter.reading().contextTokens).toBe(10);
  });

  const svg = { model: 'gpt-6-sol', input_tokens: 700, output_tokens: 1_000 };
  it.each<[string, unknown[], string, number[]]>([
    ['both', [svg, svg], 'final', [700, 1_000, 700, 1_000]],
    ['of two models', [svg, { ...svg, model: 'gpt-6-luna' }], 'final', [700, 1_000, 700, 1_000]],
    ['the first', [svg, undefined], 'final', [700, 1_000]],
    ['the last', [null, svg], 'final', [700, 1_000]],
    ['the first, in part nonsense', [{ ...svg, input_tokens: -1 }, undefined], 'partial', [1_000]],
    ['the last, after nonsense', ['x', svg], 'partial', [700, 1_000]],
  ])('has what wrote the SVG of each image of a stream: %s', (_, [first, last], state, counts) => {
    const meter = generate({ model: 'gpt-image-2.5-flare', n: 2, stream: true }).meter();
    const usage = { input_tokens: 5, output_tokens: 100 };
    for (const svg_usage of [first, last])
      feedStream(
        meter,
        `data: ${JSON.stringify({ type: 'image_generation.completed', usage, svg_usage })}\n\n`,
      );
    expect(meter.reading().state).toBe(state);
    expect(reported(meter)).toMatchObject({ input_tokens: 10, image_tokens: 200 });
    const authored = meter.reading().quantities.filter(({ model }) => model !== undefined);
    expect(authored.map(({ quantity }) => Number(quantity.toDecimal()))).toEqual(counts);
  });

  it('is not there in an error, which is told', () => {
    const meter = generate({ model: 'gpt-image-1.5', stream: true }).meter();
    feedStream(meter, 'event: error\ndata: {"type":"error","error":{"code":"moderation_blocked"}}\n\n');
    expect(meter.reading()).toMatchObject({ failed: true, state: 'none', quantities: [] });
    expect(whole({ model: 'dall-e-2' }, { error: { code: 'x' } }).reading()).toMatchObject({
      failed: true,
      state: 'none',
    });
  });

  it('of an answer that broke off is what has certainly been made', () => {
    const meter = generate({ model: 'dall-e-2', n: 3 }).meter();
    meter.onTornBody('{"data":[{"b64_json":"AAA","revised_prompt":"x"},{"b64_json": "BB');
    expect(countedAfter(meter, [])).toEqual({ images: 2 });
    expect(countedAfter(generate({ model: 'gpt-image-1' }).meter(), [])).toEqual({ input_tokens: 3 });
  });
});
