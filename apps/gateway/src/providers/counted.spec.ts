import { expect, it } from '@jest/globals';
import { anthropic } from './anthropic/anthropic.provider.js';
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
