/** One kind of answer: its request, and the parts between which it can be held. */
export interface HeldScene {
  provider: 'openai' | 'anthropic';
  path: string;
  request: object;
  stream: boolean;
  /** The first part, the middle, the usage report, what follows it. Together they are the whole answer. */
  parts: readonly [string, string, string, string];
  /** How many parts must have come for the end of the call to be on the disk; the client then may have the last byte. */
  endsWith: number;
}

/** What every report of these answers says. */
export const REPORTED = { input_tokens: 70, output_tokens: 30 };
export const HELD_MODEL = 'held-model';

const CHAT_USAGE = { prompt_tokens: REPORTED.input_tokens, completion_tokens: REPORTED.output_tokens };
const MESSAGES = [{ role: 'user', content: 'Tell me all of it' }];
const chat = (fields: object): string =>
  `data: ${JSON.stringify({ id: 'chatcmpl-1', model: HELD_MODEL, ...fields })}\n\n`;
const delta = (content: string): string => chat({ choices: [{ index: 0, delta: { content } }] });
const sse = (type: string, fields: object): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
const response = (fields: object): object => ({ response: { id: 'resp_1', model: HELD_MODEL, ...fields } });
const part = (text: string): string => sse('response.output_text.delta', { delta: text });
const say = (text: string): string =>
  sse('content_block_delta', { index: 0, delta: { type: 'text_delta', text } });

/** Chat, responses and messages, streamed and not. A JSON answer is whole with its last byte, as its length says. */
export const HELD_SCENES: Record<string, HeldScene> = {
  'a streamed chat': {
    provider: 'openai',
    path: '/v1/chat/completions',
    request: { messages: MESSAGES, max_tokens: 100, stream_options: { include_usage: true } },
    stream: true,
    parts: [
      delta('One'),
      delta(' two') + delta(' three'),
      chat({ choices: [], usage: CHAT_USAGE }),
      'data: [DONE]\n\n',
    ],
    endsWith: 4,
  },
  'a chat in JSON': {
    provider: 'openai',
    path: '/v1/chat/completions',
    request: { messages: MESSAGES, max_tokens: 100 },
    stream: false,
    parts: [
      `{"id":"c","model":"${HELD_MODEL}","choices":[{"message":{"content":"One`,
      ' two three"}}],',
      `"usage":${JSON.stringify(CHAT_USAGE)}`,
      '}',
    ],
    endsWith: 4,
  },
  'a streamed response': {
    provider: 'openai',
    path: '/v1/responses',
    request: { input: 'Tell me all of it', max_output_tokens: 100 },
    stream: true,
    parts: [
      sse('response.created', response({})),
      part('One') + part(' two three'),
      sse('response.completed', response({ usage: REPORTED })),
      '',
    ],
    endsWith: 3,
  },
  'a response in JSON': {
    provider: 'openai',
    path: '/v1/responses',
    request: { input: 'Tell me all of it', max_output_tokens: 100 },
    stream: false,
    parts: [
      `{"id":"resp_1","model":"${HELD_MODEL}","output":[{"content":[{"text":"One`,
      ' two three"}]}],',
      `"usage":${JSON.stringify(REPORTED)}`,
      '}',
    ],
    endsWith: 4,
  },
  'a streamed message': {
    provider: 'anthropic',
    path: '/v1/messages',
    request: { messages: MESSAGES, max_tokens: 100 },
    stream: true,
    parts: [
      sse('message_start', {
        message: { id: 'msg_1', model: HELD_MODEL, usage: { ...REPORTED, output_tokens: 1 } },
      }),
      say('One') + say(' two three'),
      sse('message_delta', { delta: {}, usage: { output_tokens: REPORTED.output_tokens } }),
      sse('message_stop', {}),
    ],
    endsWith: 4,
  },
  'a message in JSON': {
    provider: 'anthropic',
    path: '/v1/messages',
    request: { messages: MESSAGES, max_tokens: 100 },
    stream: false,
    parts: [
      `{"id":"m","model":"${HELD_MODEL}","content":[{"type":"text","text":"One`,
      ' two three"}],',
      `"usage":${JSON.stringify(REPORTED)}`,
      '}',
    ],
    endsWith: 4,
  },
};
