import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import OpenAI, { toFile } from 'openai';
import { formOf, framingOf, type SandboxUnderTest, sandboxUnderTest } from '../sandbox-under-test.js';

const KEY = { authorization: 'Bearer sk-sandbox' };
/** 4.2 s at 16,000 bytes a second. */
const SOUND = Buffer.alloc(67_200);

describe('the OpenAI of the sandbox', () => {
  let sandbox: SandboxUnderTest;
  let openai: OpenAI;

  beforeAll(async () => {
    sandbox = await sandboxUnderTest(KEY);
    openai = new OpenAI({ apiKey: 'sk-sandbox', baseURL: `${sandbox.url}/v1`, maxRetries: 0 });
  });
  afterAll(() => sandbox.close());

  it('completes a text, whole and streamed, for each prompt', async () => {
    const body = { model: 'gpt-3.5-turbo-instruct', prompt: ['Say hello', 'Say hello'] };
    const whole = await openai.completions.create(body);
    expect(whole.choices.map(({ text }) => text)).toEqual(['You said: Say hello', 'You said: Say hello']);
    expect(whole.usage).toEqual({ prompt_tokens: 6, completion_tokens: 10, total_tokens: 16 });
    const stream = await openai.completions.create({
      ...body,
      stream: true,
      stream_options: { include_usage: true },
    });
    const seen = [];
    for await (const chunk of stream) seen.push(chunk);
    expect(seen.map(({ choices }) => choices[0]?.text ?? '').join('')).toBe('You said: Say hello'.repeat(2));
    expect(seen.at(-1)).toMatchObject({ choices: [], usage: whole.usage });
  });

  it('reports thinking inside the output, and refuses', async () => {
    const ask = (model: string) =>
      openai.chat.completions.create({ model, messages: [{ role: 'user', content: 'Say hello' }] });
    const { usage } = await ask('sandbox-reasoning50');
    expect(usage?.completion_tokens_details?.reasoning_tokens).toBe(50);
    expect(usage?.completion_tokens).toBe(50 + 5);
    expect((await ask('sandbox-refusal')).choices[0]?.message).toMatchObject({
      content: null,
      refusal: 'You said: Say hello',
    });
  });

  describe('speaks', () => {
    it('in bytes, a silent frame for each character', async () => {
      const answer = await openai.audio.speech.create({ model: 'tts-1', voice: 'alloy', input: 'Olá!' });
      expect(answer.headers.get('content-type')).toBe('audio/mpeg');
      const sound = Buffer.from(await answer.arrayBuffer());
      expect(sound).toHaveLength(4 * 417);
      expect(sound.subarray(0, 2).toString('hex')).toBe('fffb');
    });

    it('in events that end with usage', async () => {
      const body = { model: 'gpt-4o-mini-tts', voice: 'alloy', input: 'Say hello', stream_format: 'sse' };
      const { data, ending } = framingOf(await (await sandbox.post('/v1/audio/speech', body)).text());
      expect(ending).toBe('LF');
      expect(JSON.parse(data.at(-1) ?? '')).toEqual({
        type: 'speech.audio.done',
        usage: { input_tokens: 3, output_tokens: 23, total_tokens: 26 },
      });
      expect(JSON.parse(data[0] ?? '')).toMatchObject({ type: 'speech.audio.delta' });
    });
  });

  describe('hears', () => {
    const hear = async (model: string, response_format: 'json' | 'verbose_json' | 'text' | 'srt' | 'vtt') =>
      openai.audio.transcriptions.create({ model, file: await toFile(SOUND, 'sound.mp3'), response_format });

    it('whole seconds with whisper, tokens with others', async () => {
      expect(await hear('whisper-1', 'json')).toMatchObject({ usage: { type: 'duration', seconds: 5 } });
      expect(await hear('gpt-4o-transcribe', 'json')).toMatchObject({
        usage: { type: 'tokens', input_tokens: 42, output_tokens: 12, total_tokens: 54 },
      });
      expect(await hear('sandbox-seconds90', 'json')).toMatchObject({ usage: { input_tokens: 900 } });
    });

    it.each([
      ['text', /^The sandbox hears .*\n$/],
      ['srt', /^1\n00:00:00,000 --> 00:00:04,200\nThe sandbox hears/],
      ['vtt', /^WEBVTT\n\n00:00:00\.000 --> 00:00:04\.200\n/],
    ] as const)('as %s, with no usage in it', async (format, text) => {
      const form = formOf({ model: 'whisper-1', response_format: format }, SOUND.length);
      const answer = await sandbox.post('/v1/audio/transcriptions', form);
      expect(answer.headers.get('content-type')).toContain('text/plain');
      expect(await answer.text()).toMatch(text);
    });

    it('in detail', async () =>
      expect(await hear('whisper-1', 'verbose_json')).toMatchObject({
        task: 'transcribe',
        duration: 4.2,
        segments: [{ start: 0, end: 4.2 }],
        usage: { type: 'duration', seconds: 5 },
      }));

    it('as a stream whose lines end in CRLF', async () => {
      const form = formOf({ model: 'gpt-4o-transcribe', stream: 'true' }, SOUND.length);
      const { data, ending } = framingOf(await (await sandbox.post('/v1/audio/transcriptions', form)).text());
      expect(ending).toBe('CRLF');
      expect(data.at(-1)).toBe('[DONE]');
      expect(JSON.parse(data.at(-2) ?? '')).toMatchObject({
        type: 'transcript.text.done',
        usage: { total_tokens: 54 },
      });
    });

    it('a translation without usage', async () => {
      const heard = await openai.audio.translations.create({
        model: 'whisper-1',
        file: await toFile(SOUND, 'sound.mp3'),
      });
      expect(Object.keys(heard)).toEqual(['text']);
    });
  });

  describe('draws', () => {
    it('with usage behind a megabyte of base64', async () => {
      const text = await (
        await sandbox.post('/v1/images/generations', { model: 'gpt-image-1', prompt: 'a cat' })
      ).text();
      expect(text.indexOf('"usage"')).toBeGreaterThan(1_000_000);
      expect(JSON.parse(text).usage).toMatchObject({
        input_tokens: 2,
        output_tokens: 272,
        total_tokens: 274,
      });
    });

    it('edits of images that are sent, their tokens included', async () => {
      const { usage, data } = await openai.images.edit({
        model: 'gpt-image-1',
        prompt: 'a dog',
        image: [await toFile(SOUND, 'a.png'), await toFile(SOUND, 'b.png')],
        n: 2,
      });
      expect(data).toHaveLength(2);
      expect(usage).toMatchObject({ input_tokens_details: { image_tokens: 544 }, output_tokens: 544 });
    });

    it('variations and images of dall-e as links, without usage', async () => {
      const varied = await openai.images.createVariation({ image: await toFile(SOUND, 'a.png') });
      expect(varied.data?.[0]?.url).toContain('/org-sandbox/');
      const drawn = await openai.images.generate({ model: 'dall-e-3', prompt: 'a cat' });
      expect(Object.keys(drawn)).toEqual(['created', 'data']);
    });

    it('in events', async () => {
      const stream = await openai.images.generate({
        model: 'gpt-image-1',
        prompt: 'a cat',
        stream: true,
        partial_images: 2,
      });
      const seen = [];
      for await (const event of stream) seen.push(event);
      expect(seen.map(({ type }) => type)).toEqual([
        'image_generation.partial_image',
        'image_generation.partial_image',
        'image_generation.completed',
      ]);
      expect(seen.at(-1)).toMatchObject({ usage: { output_tokens: 472 } });
    });
  });

  it('moderates', async () => {
    const { results } = await openai.moderations.create({ input: ['a', 'b'] });
    expect(results.map(({ flagged }) => flagged)).toEqual([false, false]);
  });

  describe('responds', () => {
    it('with what an input weighs, and compacts it', async () => {
      const input = [{ role: 'user' as const, content: 'Say hello to the world' }];
      expect(await openai.responses.inputTokens.count({ input })).toEqual({
        input_tokens: 9,
        object: 'response.input_tokens',
      });
      const compacted = await openai.responses.compact({ model: 'gpt-5', input });
      expect(compacted.output.map(({ type }) => type)).toEqual(['message', 'compaction']);
      expect(compacted.usage).toMatchObject({ input_tokens: 9, output_tokens: 4, total_tokens: 13 });
    });

    it('with what it stored, until it is deleted', async () => {
      const { id, usage } = await openai.responses.create({ model: 'gpt-5', input: 'Remember me' });
      expect((await openai.responses.retrieve(id)).usage).toEqual(usage);
      await openai.responses.delete(id);
      await expect(openai.responses.retrieve(id)).rejects.toThrow(/not found/);
      const unkept = await openai.responses.create({ model: 'gpt-5', input: 'Forget me', store: false });
      await expect(openai.responses.retrieve(unkept.id)).rejects.toThrow(/not found/);
    });

    it('in the background, with usage only when it is asked for again', async () => {
      const queued = await openai.responses.create({ model: 'gpt-5', input: 'a', background: true });
      expect(queued).toMatchObject({ status: 'queued', usage: null });
      expect((await openai.responses.retrieve(queued.id)).usage?.output_tokens).toBeGreaterThan(0);
    });

    const tools = [
      { type: 'web_search' as const },
      { type: 'file_search' as const, vector_store_ids: ['vs_1'] },
      { type: 'code_interpreter' as const, container: { type: 'auto' as const } },
      { type: 'image_generation' as const },
    ];

    it('with the tools that are offered, and with what they cost beside tokens', async () => {
      const body = { model: 'sandbox-tooluses2-reasoning10', input: 'Look it up', tools };
      const whole = await openai.responses.create(body);
      const used = whole.output.map(({ type }) => type);
      expect(used).toEqual([
        'reasoning',
        ...['web_search_call', 'file_search_call', 'code_interpreter_call', 'image_generation_call'].flatMap(
          (type) => [type, type],
        ),
        'message',
      ]);
      expect(whole).toMatchObject({
        tool_usage: { web_search: { num_requests: 2 }, image_gen: { total_tokens: 644 } },
        usage: { output_tokens_details: { reasoning_tokens: 10 } },
      });
      const streamed = await openai.responses.stream(body).finalResponse();
      expect(streamed.usage).toEqual(whole.usage);
      expect(streamed.output.map(({ type }) => type)).toEqual(used);
    });

    it('with a refusal', async () => {
      const { output } = await openai.responses
        .stream({ model: 'sandbox-refusal', input: 'Do harm' })
        .finalResponse();
      expect(output[0]).toMatchObject({ content: [{ type: 'refusal', refusal: 'You said: Do harm' }] });
    });
  });

  it.each(['/v1/audio/speech', '/v1/images/generations', '/v1/completions', '/v1/responses/compact'])(
    'tells errors of %s in its own words',
    async (path) => {
      const answer = await sandbox.post(path, { model: 'sandbox-status429', input: 'a', prompt: 'a' });
      expect([answer.status, await answer.json()]).toMatchObject([
        429,
        { error: { code: 'rate_limit_exceeded' } },
      ]);
    },
  );
});
