import { describe, expect, it } from '@jest/globals';
import { countedAfter, readRequest } from '../read-answer.contract.js';
import { matchRoute } from '../route-table.js';
import { gemini } from './gemini.provider.js';

const GENERATE = '/v1beta/models/gemini-2.5-flash:generateContent';
const STREAM = '/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse';
const EMBED = '/v1beta/models/gemini-embedding-001:batchEmbedContents';
const INTERACTIONS = '/v1beta/interactions';
const CHAT = '/v1beta/openai/chat/completions';
const SAID = [{ role: 'user', parts: [{ text: 'one two' }] }];
const STORED = { fileData: { fileUri: 'files/a' } };
const STORED_TOO = { file_data: { file_uri: 'files/a' } };
const LIMITED = { model: 'm', generation_config: { max_output_tokens: 9 } };
const read = (path: string, body: unknown) => readRequest(gemini, path, body);

describe('gemini routes', () => {
  const classOf = (method: string, raw: string): string =>
    matchRoute(gemini, method, gemini.target?.(raw) ?? raw)?.route.class ?? 'blocked';

  it.each([
    ['POST', '/v1beta/models/gemini-2.5-flash:generateContent', 'metered'],
    ['POST', '/v1/models/gemini-2.5-flash:generateContent', 'metered'],
    ['POST', '/v1alpha/models/gemini-2.5-flash:streamGenerateContent?alt=sse', 'metered'],
    ['POST', '/v1beta/models/gemini-2.5-flash%3AgenerateContent', 'metered'],
    ['POST', '/v1beta/models/gemini-2.5-flash%3agenerateContent', 'metered'],
    ['POST', '/v1beta/models/gemini-embedding-2:embedContent', 'metered'],
    ['POST', '/v1beta/models/gemini-embedding-2:batchEmbedContents', 'metered'],
    ['POST', '/v1beta/interactions', 'metered'],
    ['POST', '/v1beta/openai/chat/completions', 'metered'],
    ['POST', '/v1beta/openai/embeddings', 'metered'],
    ['POST', '/v1/openai/chat/completions', 'metered'],
    ['POST', '/v1alpha/openai/embeddings', 'metered'],
    ['GET', '/v1/openai/models', 'free'],
    ['GET', '/v1alpha/openai/models/gemini-2.5-flash', 'free'],
    ['POST', '/v1/openai/images/generations', 'blocked'],
    ['POST', '/v2/openai/chat/completions', 'blocked'],
    ['POST', '/v1beta/models/gemini-2.5-flash:countTokens', 'free'],
    ['GET', '/v1beta/models?pageSize=5', 'free'],
    ['GET', '/v1/models/gemini-2.5-flash', 'free'],
    ['GET', '/v1beta/openai/models', 'free'],
    ['GET', '/v1beta/openai/models/models/gemini-2.5-flash', 'free'],
    ['POST', '/v1beta/models/gemini-2.5-flash%253AgenerateContent', 'blocked'],
    ['POST', '/v1beta/models/gemini-2.5-flash:generateContent/', 'blocked'],
    ['POST', '/v1beta//models/gemini-2.5-flash:generateContent', 'blocked'],
    ['POST', '/v1beta/models%2Fgemini-2.5-flash:generateContent', 'blocked'],
    ['POST', '/V1BETA/models/gemini-2.5-flash:generateContent', 'blocked'],
    ['POST', '/v1beta/models/gemini-2.5-flash:countTokens:generateContent', 'blocked'],
    ['POST', '/v1beta/models/gemini-2.5-flash:batchGenerateContent', 'blocked'],
    ['POST', '/v1beta/models/gemini-embedding-2:asyncBatchEmbedContent', 'blocked'],
    ['POST', '/v1beta/models/imagen-4.0-generate-001:predict', 'blocked'],
    ['POST', '/v1beta/models/veo-3.1-generate-preview:predictLongRunning', 'blocked'],
    ['POST', '/v1beta/tunedModels/mine:generateContent', 'blocked'],
    ['POST', '/v1beta/cachedContents', 'blocked'],
    ['POST', '/upload/v1beta/files', 'blocked'],
    ['GET', '/v1beta/files', 'blocked'],
    ['GET', '/v1beta/interactions/v1_1', 'blocked'],
    ['POST', '/v1beta/agents', 'blocked'],
    ['POST', '/v1beta/auth_tokens', 'blocked'],
    ['GET', '/v1beta/batches', 'blocked'],
    ['GET', '/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent', 'blocked'],
    ['GET', '/v1beta/models/gemini-2.5-flash/operations/o1', 'blocked'],
  ])('%s %s is %s', (method, raw, expected) => expect(classOf(method, raw)).toBe(expected));

  it('a colon in the query stays as it came', () =>
    expect(gemini.target?.('/v1beta/models/m%3acountTokens?a=%3a')).toBe(
      '/v1beta/models/m:countTokens?a=%3a',
    ));
});

describe('gemini requests', () => {
  it.each<[string, string, unknown]>([
    ['no JSON', GENERATE, '{'],
    ['contents twice', GENERATE, '{"contents":[],"contents":[]}'],
    ['a field in both spellings', GENERATE, { cachedContent: 'cachedContents/a', cached_content: 'b' }],
    ['a mask of the answer', `${GENERATE}?fields=candidates`, {}],
    ['a mask in its other spelling', `${GENERATE}?%24fields=candidates`, {}],
    ['an answer in protocol buffers', `${GENERATE}?alt=proto`, {}],
    ['an answer in two forms', `${STREAM}&alt=media`, {}],
    ['a callback', `${GENERATE}?callback=f`, {}],
    ['maps', GENERATE, { tools: [{ google_maps: {} }] }],
    ['maps that are no list', GENERATE, { tools: { googleMaps: {} } }],
    ['maps that are no list in an interaction', INTERACTIONS, { model: 'm', tools: { type: 'google_maps' } }],
    ['maps in an interaction', INTERACTIONS, { model: 'm', tools: [{ type: 'google_maps' }] }],
    ['an interaction without a model', INTERACTIONS, { input: 'x' }],
    ['an agent', INTERACTIONS, { model: 'm', agent: 'deep-research' }],
    ['an interaction in the background', INTERACTIONS, { model: 'm', background: true }],
    ['a chat without a model', CHAT, { messages: [] }],
  ])('refuses %s', (_, path, body) =>
    expect(() => read(path, body)).toThrow(expect.objectContaining({ code: 'invalid_body' })),
  );

  it('has its model and whether it streams in the path', () => {
    expect(read(GENERATE, {})).toMatchObject({ model: 'gemini-2.5-flash', stream: false, tier: 'standard' });
    expect(read(STREAM.replace('?alt=sse', ''), {})).toMatchObject({ stream: true });
    expect(read(`${GENERATE}?%24alt=json%3Benum-encoding%3Dint`, {}).stream).toBe(false);
  });

  it.each([
    ['flex', 'flex'],
    ['SERVICE_TIER_PRIORITY', 'priority'],
    ['unspecified', 'standard'],
    [undefined, 'standard'],
  ])('serviceTier %p asks for %s', (tier, expected) => {
    expect(read(GENERATE, { serviceTier: tier }).tier).toBe(expected);
    expect(read(GENERATE, { service_tier: tier }).tier).toBe(expected);
  });

  it.each<[string, object, number, number]>([
    ['plain text', { generationConfig: { maxOutputTokens: 50 } }, 0, 50],
    ['other spellings', { generation_config: { max_output_tokens: '50', candidate_count: 2 } }, 0, 100],
    [
      'functions',
      { generationConfig: { maxOutputTokens: 50 }, tools: [{ function_declarations: [] }] },
      1_000,
      50,
    ],
  ])('bounds %s by bytes and limit', (_, change, more, output) => {
    const body = JSON.stringify({ contents: SAID, ...change });
    expect(read(GENERATE, body).bound).toEqual({ kind: 'tokens', input: body.length + more, output });
  });

  it.each<[string, string, object]>([
    ['an interaction', INTERACTIONS, { ...LIMITED, input: 'x', tools: { type: 'function' } }],
    [
      'a chat',
      CHAT,
      { model: 'm', max_tokens: 9, messages: [{ content: 'x' }, { content: [{ type: 'text' }] }] },
    ],
  ])('bounds plain %s by tokens', (_, path, body) =>
    expect(read(path, body).bound).toMatchObject({ kind: 'tokens', output: 9 }),
  );

  it.each([
    [EMBED, { requests: [{ content: { parts: { text: 'one' } } }] }],
    ['/v1beta/openai/embeddings', { model: 'gemini-embedding-2', input: 'one' }],
  ])('bounds %s of text by its bytes, at the price of text', (path, body) =>
    expect(read(path, body).bound).toEqual({
      kind: 'units',
      units: { input_tokens: JSON.stringify(body).length },
    }),
  );

  it.each<[string, object]>([
    [GENERATE, { contents: { parts: { text: 'one two' } }, systemInstruction: { parts: { text: 'three' } } }],
    [EMBED, { requests: { content: { parts: { text: 'one two three' } } } }],
    [INTERACTIONS, { model: 'm', input: { content: { type: 'text', text: 'one two three' } } }],
    [CHAT, { model: 'm', messages: { content: { type: 'text', text: 'one two three' } } }],
  ])('counts what is no list: %s', (path, body) =>
    expect(countedAfter(read(path, body).meter(), []).input_tokens).toBe(3),
  );

  it.each<[string, string, object]>([
    ['no limit', GENERATE, { generationConfig: {} }],
    ['an image', GENERATE, { contents: [{ parts: [{ inlineData: {} }] }] }],
    ['an image in the other spelling', GENERATE, { contents: [{ parts: [{ text: 'a', inline_data: {} }] }] }],
    ['search', GENERATE, { tools: [{ googleSearch: {} }] }],
    ['search that is no list', GENERATE, { tools: { googleSearch: {} } }],
    ['a part that is no list', GENERATE, { contents: { parts: { inlineData: {} } } }],
    [
      'sound out that is no list',
      GENERATE,
      { generationConfig: { maxOutputTokens: 9, responseModalities: 'AUDIO' } },
    ],
    ['a tool that is no list', INTERACTIONS, { ...LIMITED, input: 'x', tools: { type: 'google_search' } }],
    ['a picture out that is no list', INTERACTIONS, { ...LIMITED, input: 'x', response_modalities: 'image' }],
    ['a tool of a chat that is no list', CHAT, { model: 'm', max_tokens: 9, tools: { type: 'search' } }],
    [
      'a message that is no list',
      CHAT,
      { model: 'm', max_tokens: 9, messages: { content: { type: 'image_url' } } },
    ],
    ['one request to embed an image', EMBED, { requests: { content: { parts: { inlineData: {} } } } }],
    ['a cache', GENERATE, { cached_content: 'cachedContents/a' }],
    ['sound out', GENERATE, { generationConfig: { maxOutputTokens: 9, responseModalities: ['AUDIO'] } }],
    ['an image to embed', EMBED, { requests: [{ content: { parts: [{ inlineData: {} }] } }] }],
    ['an extension', CHAT, { model: 'm', max_tokens: 9, extra_body: { google: {} } }],
    ['a stored interaction', INTERACTIONS, { model: 'm', input: 'x', previous_interaction_id: 'v1_1' }],
  ])('holds the ceiling for %s', (_, path, change) =>
    expect(read(path, { contents: SAID, generationConfig: { maxOutputTokens: 9 }, ...change }).bound).toEqual(
      { kind: 'ceiling' },
    ),
  );

  it.each<[string, object, string]>([
    [GENERATE, { cachedContent: 'cachedContents/a' }, 'cachedContent'],
    [GENERATE, { cached_content: 'cachedContents/a' }, 'cachedContent'],
    [GENERATE, { contents: [{ parts: [{ fileData: { fileUri: 'files/a' } }] }] }, 'fileUri'],
    [
      GENERATE,
      {
        contents: {
          parts: [{ file_data: { file_uri: 'https://generativelanguage.googleapis.com/v1beta/files/a' } }],
        },
      },
      'fileUri',
    ],
    [GENERATE, { contents: { parts: STORED } }, 'fileUri'],
    [GENERATE, { systemInstruction: { parts: [STORED] } }, 'fileUri'],
    [GENERATE, { system_instruction: { parts: [STORED_TOO] } }, 'fileUri'],
    [GENERATE, { contents: [{ parts: [{ functionResponse: { parts: [STORED] } }] }] }, 'fileUri'],
    [GENERATE, { contents: [{ parts: [{ function_response: { parts: STORED_TOO } }] }] }, 'fileUri'],
    [EMBED, { requests: { content: { parts: STORED } } }, 'fileUri'],
    [GENERATE, { tools: [{ file_search: { file_search_store_names: ['a'] } }] }, 'fileSearch'],
    [GENERATE, { tools: { fileSearch: {} } }, 'fileSearch'],
    [INTERACTIONS, { model: 'm', tools: { type: 'file_search' } }, 'file_search'],
    [
      INTERACTIONS,
      { model: 'm', input: [{ type: 'function_result', result: [{ type: 'image', uri: 'files/a' }] }] },
      'uri',
    ],
    [INTERACTIONS, { model: 'm', previous_interaction_id: ['v1_1'] }, 'previous_interaction_id'],
    [INTERACTIONS, { model: 'm', input: [{ type: 'image', uri: 'gs://a/b' }] }, 'uri'],
    [CHAT, { model: 'm', extra_body: { google: { cached_content: 'a' } } }, 'cached_content'],
  ])('%s with %j reads what is stored in the account', (path, body, field) =>
    expect(read(path, body).accountObjects).toEqual([field]),
  );

  it.each<[object, string[]]>([
    [{ contents: SAID }, []],
    [{ contents: { parts: STORED } }, ['fileUri']],
    [{ generateContentRequest: { systemInstruction: { parts: [STORED] } } }, ['fileUri']],
    [{ generate_content_request: { contents: [{ parts: [STORED_TOO] }] } }, ['fileUri']],
    [
      { generateContentRequest: { cachedContent: 'cachedContents/a', tools: { file_search: {} } } },
      ['cachedContent', 'fileSearch'],
    ],
    [{ generateContentRequest: { contents: SAID } }, []],
  ])('what is stored in the account is seen also where tokens are only counted: %j', (body, fields) => {
    for (const version of ['v1beta', 'v1', 'v1alpha']) {
      const { route } = matchRoute(gemini, 'POST', `/${version}/models/m:countTokens`) ?? {};
      if (route?.class !== 'free') throw new Error('it is free');
      expect(route.accountObjectsIn?.(Buffer.from(JSON.stringify(body)))).toEqual(fields);
    }
  });

  it('an interaction that an answer has named can be looked up, and is kept unless the request says otherwise', () => {
    const body = { model: 'm', previous_interaction_id: 'v1_1' };
    expect(read(INTERACTIONS, body)).toMatchObject({
      accountObjects: [],
      storedObjects: [{ field: 'previous_interaction_id', id: 'v1_1' }],
      stores: true,
    });
    expect(read(INTERACTIONS, { ...body, store: false }).stores).toBe(false);
  });

  it.each([
    [{ uri: 'spotify:track:1' }],
    [{ type: 'resource_link', uri: 'file:///a' }],
    [{ type: {}, uri: 'files/a' }],
  ])('what a function answered of its own is nobody’s object: %j', (own) => {
    for (const type of ['function_result', 'mcp_server_tool_result']) {
      const accountObjects = (...result: object[]) =>
        read(INTERACTIONS, { model: 'm', input: [{ type, result }] }).accountObjects;
      expect(accountObjects(own)).toEqual([]);
      for (const content of ['image', 'audio', 'video', 'document'])
        expect(accountObjects(own, { type: content, uri: 'files/a' })).toEqual(['uri']);
    }
  });

  it('an address on the web is nobody’s object', () => {
    const fileData = { fileUri: 'https://www.youtube.com/watch?v=1' };
    expect(read(GENERATE, { contents: [{ parts: [{ fileData }] }] }).accountObjects).toEqual([]);
  });
});
