import { expect, it } from '@jest/globals';
import { anthropic } from './anthropic/anthropic.provider.js';
import { gemini } from './gemini/gemini.provider.js';
import { openai } from './openai/openai.provider.js';
import { countedAfter, readRequest } from './read-answer.contract.js';

const CHAT = '/v1/chat/completions';
const RESPONSES = '/v1/responses';
const MESSAGES = '/v1/messages';
const say = (content: unknown) => [{ role: 'user', content }];
const event = (name: string, data: object) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;

it.each([
  [
    'a chat of text and parts',
    openai,
    CHAT,
    { messages: [...say('one two'), ...say([{ text: 'three' }])] },
    3,
  ],
  ['a response of a text and instructions', openai, RESPONSES, { input: 'one', instructions: 'two' }, 2],
  ['a response of items', openai, RESPONSES, { input: say([{ type: 'input_text', text: 'one two' }]) }, 2],
  ['a response that may be shortened', openai, RESPONSES, { input: 'one', truncation: 'auto' }, 0],
  ['embeddings of texts', openai, '/v1/embeddings', { input: ['one two', 'three'] }, 3],
  ['embeddings of token ids', openai, '/v1/embeddings', { input: [[1, 2], [3]] }, 3],
  ['a message with its system prompt', anthropic, MESSAGES, { system: 'one', messages: say('two') }, 2],
  [
    'a message that may be shortened',
    anthropic,
    MESSAGES,
    { messages: say('one'), context_management: { a: 1 } },
    0,
  ],
])('the input of %s is counted from the request', (_, provider, path, request, input) => {
  const meter = readRequest(provider, path, { model: 'm', max_tokens: 9, ...request }).meter();
  expect(countedAfter(meter, []).input_tokens).toBe(input);
});

it.each([
  [
    'arguments of tools',
    openai,
    CHAT,
    [`data: {"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"a b"}}]}}]}\n\n`],
    2,
  ],
  ['a response', openai, RESPONSES, [event('response.output_text.delta', { delta: 'a b' })], 2],
  ['no sound', openai, RESPONSES, [event('response.audio.delta', { delta: 'a b' })], 0],
  [
    'thinking',
    anthropic,
    MESSAGES,
    [event('content_block_delta', { type: 'content_block_delta', delta: { thinking: 'a b' } })],
    2,
  ],
  [
    'no signature',
    anthropic,
    MESSAGES,
    [event('content_block_delta', { type: 'content_block_delta', delta: { signature: 'a b' } })],
    0,
  ],
  [
    'never less than was reported',
    anthropic,
    MESSAGES,
    [event('message_start', { message: { usage: { input_tokens: 1, output_tokens: 8 } } })],
    8,
  ],
])('output: %s', (_, provider, path, events, output) => {
  const meter = readRequest(provider, path, {
    model: 'm',
    max_tokens: 9,
    messages: say('x'),
    input: 'x',
  }).meter();
  expect(countedAfter(meter, events).output_tokens).toBe(output);
});

it('what Anthropic reported on the way stays, by every meter of it', () => {
  const usage = {
    input_tokens: 10,
    cache_read_input_tokens: 20,
    cache_creation_input_tokens: 70,
    cache_creation: { ephemeral_5m_input_tokens: 30, ephemeral_1h_input_tokens: 40 },
    output_tokens: 1,
    server_tool_use: { web_search_requests: 2, web_fetch_requests: 3 },
  };
  const meter = readRequest(anthropic, MESSAGES, { model: 'm', max_tokens: 9, messages: say('x') }).meter();
  const start = event('message_start', { message: { usage, container: { id: 'c' } } });
  expect(countedAfter(meter, [start])).toEqual({
    input_tokens: 10,
    cache_read_tokens: 20,
    cache_write_tokens: 30,
    cache_write_1h_tokens: 40,
    output_tokens: 1,
    web_searches: 2,
    web_fetches: 3,
    code_sessions: 1,
  });
});

it('what Gemini reported on the way stays, by every meter of it', () => {
  const tokens = (modality: string, tokenCount: number) => ({ modality, tokenCount });
  const usageMetadata = {
    promptTokenCount: 100,
    promptTokensDetails: [tokens('AUDIO', 30)],
    cachedContentTokenCount: 20,
    candidatesTokenCount: 60,
    candidatesTokensDetails: [tokens('AUDIO', 7), tokens('IMAGE', 50)],
  };
  const groundingMetadata = { webSearchQueries: ['a', 'b'] };
  const chunk = JSON.stringify({
    modelVersion: 'gemini-3-pro',
    usageMetadata,
    candidates: [{ groundingMetadata }],
  });
  const meter = readRequest(gemini, '/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse', {}).meter();
  expect(countedAfter(meter, [`data: ${chunk}\r\n\r\n`])).toEqual({
    input_tokens: 50,
    cache_read_tokens: 20,
    audio_input_tokens: 30,
    output_tokens: 3,
    audio_output_tokens: 7,
    image_tokens: 50,
    web_searches: 2,
  });
});

it('what OpenAI reported of an image on the way stays, when the next one breaks off', () => {
  const usage = {
    input_tokens: 60,
    input_tokens_details: { text_tokens: 10, image_tokens: 50 },
    output_tokens: 200,
  };
  const request = { model: 'gpt-image-1', prompt: 'x', n: 2, stream: true };
  const meter = readRequest(openai, '/v1/images/generations', request).meter();
  const done = event('image_generation.completed', { type: 'image_generation.completed', usage });
  expect(countedAfter(meter, [done])).toEqual({
    input_tokens: 10,
    output_tokens: 0,
    image_input_tokens: 50,
    image_tokens: 200,
  });
});

it('fees of tools that OpenAI reports at the end are not charged before it', () => {
  const done = (type: string) => event('response.output_item.done', { item: { type, status: 'completed' } });
  const meter = readRequest(openai, RESPONSES, { model: 'm', max_output_tokens: 9, input: 'one' }).meter();
  const calls = ['web_search_call', 'file_search_call', 'code_interpreter_call', 'image_generation_call'];
  expect(countedAfter(meter, calls.map(done))).toEqual({ input_tokens: 1, output_tokens: 0 });
});
