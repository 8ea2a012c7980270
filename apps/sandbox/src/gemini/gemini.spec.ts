import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Answer, framingOf, type SandboxUnderTest, sandboxUnderTest } from '../sandbox-under-test.js';

const CONTENTS = [{ role: 'user', parts: [{ text: 'Say hello to the world' }] }];
const ECHO = 'You said: Say hello to the world';

describe('the Gemini of the sandbox', () => {
  let sandbox: SandboxUnderTest;
  beforeAll(async () => {
    sandbox = await sandboxUnderTest({ 'x-goog-api-key': 'AIza' });
  });
  afterAll(() => sandbox.close());

  const call = (model: string, method: string, body: object = {}, version = 'v1beta'): Promise<Answer> =>
    sandbox.post(`/${version}/models/${model}:${method}`, { contents: CONTENTS, ...body });
  const generated = async (model: string, body: object = {}) =>
    (await call(model, 'generateContent', body)).json();

  it.each(['v1', 'v1beta', 'v1alpha'])('generates content under %s', async (version) => {
    const answer = await call('gemini-2.5-flash', 'generateContent', {}, version);
    expect(await answer.json()).toMatchObject({
      candidates: [{ content: { parts: [{ text: ECHO }], role: 'model' }, finishReason: 'STOP', index: 0 }],
      usageMetadata: { promptTokenCount: 9, candidatesTokenCount: 8, totalTokenCount: 17 },
      modelVersion: 'gemini-2.5-flash',
    });
  });

  it.each([
    ['sandbox-reasoning20', {}, { candidatesTokenCount: 8, thoughtsTokenCount: 20, totalTokenCount: 37 }],
    ['sandbox-cached30', {}, { promptTokenCount: 39, cachedContentTokenCount: 30, totalTokenCount: 47 }],
    [
      'sandbox-tooluses2',
      { tools: [{ urlContext: {} }] },
      { toolUsePromptTokenCount: 2_000, candidatesTokenCount: 8 },
    ],
    [
      'gemini-2.5-flash-preview-tts',
      { generationConfig: { responseModalities: ['AUDIO'] } },
      { candidatesTokensDetails: [{ modality: 'AUDIO', tokenCount: 32 * 22 }] },
    ],
    [
      'gemini-2.5-flash',
      { contents: [{ parts: [{ text: 'Hear' }, { inlineData: { mimeType: 'audio/mp3', data: 'AAAA' } }] }] },
      {
        promptTokensDetails: [
          { modality: 'TEXT', tokenCount: 4 },
          { modality: 'AUDIO', tokenCount: 258 },
        ],
        promptTokenCount: 262,
      },
    ],
  ])('%s with %j reports %j', async (model, body, usage) =>
    expect((await generated(model, body)).usageMetadata).toMatchObject(usage),
  );

  it.each([
    ['sandbox-reasoning20', { generationConfig: { maxOutputTokens: 10 } }, 'MAX_TOKENS', 10],
    ['sandbox-refusal', {}, 'SAFETY', undefined],
  ])('%s with %j says nothing, and counts no candidates', async (model, body, reason, thoughts) => {
    const { candidates, usageMetadata } = await generated(model, body);
    expect([candidates[0].content, candidates[0].finishReason]).toEqual([{ role: 'model' }, reason]);
    expect(usageMetadata).not.toHaveProperty('candidatesTokenCount');
    expect(usageMetadata.thoughtsTokenCount).toBe(thoughts);
  });

  it('calls a demanded function, and runs the tools of its own', async () => {
    const parameters = { type: 'OBJECT', properties: { city: { type: 'STRING' } }, required: ['city'] };
    const { candidates } = await generated('gemini-2.5-flash', {
      tools: [{ functionDeclarations: [{ name: 'weather', parameters }] }],
      toolConfig: { functionCallingConfig: { mode: 'ANY' } },
    });
    expect(candidates[0].content.parts).toEqual([
      { functionCall: { name: 'weather', args: { city: 'sandbox' } } },
    ]);
    const searched = await generated('sandbox-tooluses3', { tools: [{ googleSearch: {} }] });
    expect(searched.candidates[0].groundingMetadata.webSearchQueries).toHaveLength(3);
  });

  describe('streams', () => {
    const generationConfig = { thinkingConfig: { includeThoughts: true } };
    const stream = async (model: string, query: string) =>
      (await call(model, `streamGenerateContent${query}`, { generationConfig })).text();
    const textOf = (chunks: { candidates: { content: { parts: { text: string }[] } }[] }[]) =>
      chunks.map(({ candidates }) => candidates[0]?.content.parts[0]?.text ?? '').join('');

    it('events with CRLF, no names and no end, and counts that grow', async () => {
      const { ending, names, data } = framingOf(await stream('sandbox-reasoning5', '?alt=sse'));
      expect([ending, names]).toEqual(['CRLF', []]);
      const chunks = data.map((chunk) => JSON.parse(chunk));
      expect(chunks[0].usageMetadata).not.toHaveProperty('candidatesTokenCount');
      expect(textOf(chunks.slice(1))).toBe(ECHO);
      const counts = chunks.slice(1).map(({ usageMetadata }) => usageMetadata.candidatesTokenCount);
      expect(counts).toEqual([...counts].sort((a, b) => a - b));
      expect(counts.at(-1)).toBe(8);
    });

    it('one array without alt=sse', async () => {
      const text = await stream('gemini-2.5-flash', '');
      expect(text).toMatch(/^\[\{\n/);
      expect(text).toContain('\n,\r\n{');
      expect(textOf(JSON.parse(text))).toBe(ECHO);
    });

    it.each(['sandbox-errorevent2', 'sandbox-errorevent0'])('an error in an array: %s', async (model) => {
      const chunks = JSON.parse(await stream(model, ''));
      expect(chunks.at(-1)).toMatchObject({ error: { status: 'UNAVAILABLE' } });
    });

    it('an error in events, and one before them', async () => {
      const { data } = framingOf(await stream('sandbox-errorevent2', '?alt=sse'));
      expect(JSON.parse(data[2] ?? '')).toMatchObject({ error: { code: 503 } });
      expect(JSON.parse(await stream('sandbox-status429', ''))).toMatchObject([
        { error: { status: 'RESOURCE_EXHAUSTED' } },
      ]);
    });
  });

  it('takes the colon before a method in either writing', async () => {
    const answer = await sandbox.post('/v1/models/gemini-2.5-flash%3agenerateContent', {
      contents: CONTENTS,
    });
    expect(answer.status).toBe(200);
  });

  it('counts tokens as it bills them', async () =>
    expect(await (await call('gemini-2.5-flash', 'countTokens')).json()).toEqual({
      totalTokens: 9,
      promptTokensDetails: [{ modality: 'TEXT', tokenCount: 9 }],
    }));

  it('embeds; only the second generation reports usage', async () => {
    const content = { parts: [{ text: 'abcd' }] };
    const batch = { requests: [{ content }, { content }] };
    const first = await (await call('gemini-embedding-001', 'batchEmbedContents', batch)).json();
    expect([first.embeddings.length, first.usageMetadata]).toEqual([2, undefined]);
    const second = await (await call('gemini-embedding-2', 'batchEmbedContents', batch)).json();
    expect(second.usageMetadata).toEqual({
      promptTokenCount: 2,
      promptTokenDetails: [{ modality: 'TEXT', tokenCount: 2 }],
    });
    const counted = await call('gemini-embedding-001', 'countTokens', { contents: [content, content] });
    expect(await counted.json()).toMatchObject({ totalTokens: expect.any(Number) });
    const one = await (await call('gemini-embedding-2', 'embedContent', { content })).json();
    expect(one.embedding.values).toHaveLength(768);
  });

  it('lists models', async () =>
    expect((await (await sandbox.get('/v1beta/models')).json()).models[0].name).toBe(
      'models/gemini-2.5-flash',
    ));

  it('interacts, whole and streamed', async () => {
    const body = { model: 'sandbox-reasoning7', input: 'Say hello to the world' };
    const whole = await (await sandbox.post('/v1beta/interactions', body)).json();
    expect(whole).toMatchObject({
      status: 'completed',
      usage: { total_input_tokens: 9, total_output_tokens: 8, total_thought_tokens: 7, total_tokens: 24 },
      steps: [{ type: 'thought' }, { type: 'model_output', content: [{ text: ECHO }] }],
    });
    const answer = await sandbox.post('/v1beta/interactions', { ...body, stream: true });
    const { names, data } = framingOf(await answer.text());
    expect(names.at(-2)).toBe('interaction.completed');
    expect(JSON.parse(data.at(-2) ?? '').interaction.usage).toEqual(whole.usage);
  });

  it('speaks as OpenAI does, with its thinking in the total alone', async () => {
    const body = {
      model: 'sandbox-reasoning50',
      messages: [{ role: 'user', content: 'Say hello to the world' }],
    };
    const path = '/v1beta/openai/chat/completions';
    const headers = { authorization: 'Bearer AIza' };
    const whole = await (await sandbox.post(path, body, headers)).json();
    expect(whole.usage).toEqual({ prompt_tokens: 9, completion_tokens: 8, total_tokens: 67 });
    const streamed = await sandbox.post(
      path,
      { ...body, stream: true, stream_options: { include_usage: true } },
      headers,
    );
    const { data } = framingOf(await streamed.text());
    expect(JSON.parse(data.at(-2) ?? '').usage).toEqual(whole.usage);
  });
});
