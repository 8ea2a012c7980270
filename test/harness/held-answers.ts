import { chargeByHand, LIST_PRICES, withMargin } from '../journeys/charge-by-hand.js';

/** One kind of answer: its request, and the parts between which it can be held. */
export interface HeldScene {
  provider: string;
  path: string;
  request: object;
  /** Where it is no event stream, its length is said. */
  contentType: string;
  /** The first part, the middle, the usage report, what follows it. Together they are the whole answer. */
  parts: readonly [string, string, string, string];
  /** How many parts must have come for the end of the call to be on the disk; the client then may have the last byte. */
  endsWith: number;
  /** Micro-USD of the whole. */
  cost: number;
  /** What is on the disk then is the beginning of a job, and this is told of it afterwards. */
  report?: { path: string; answer: object };
}

/** What every report of tokens says. */
const REPORTED = { input_tokens: 70, output_tokens: 30 };
/** Of every provider; a model of Composio is a tool. */
export const HELD_MODEL = 'HELD_MODEL';
const STREAM_TYPE = 'text/event-stream';
const JSON_TYPE = 'application/json';

/** $1.07 for a thousand of anything, where it is no token. */
const THOUSANDTHS = 1_070_000;
const CHARACTERS = 9;
const SECONDS = 100;
const TOKENS_COST = chargeByHand(
  { input: REPORTED.input_tokens, cacheRead: 0, cacheWrite: 0, output: REPORTED.output_tokens },
  LIST_PRICES.sandbox,
);

/** The prices of which the costs are made. */
export const HELD_RATES = [
  ...['openai', 'anthropic'].flatMap((provider) => [
    { provider, meter: 'input_tokens', unit_cost_usd: '1.07', per: '1000000' },
    { provider, meter: 'output_tokens', unit_cost_usd: '3.33', per: '1000000' },
  ]),
  { provider: 'elevenlabs', meter: 'characters', unit_cost_usd: '1.07', per: '1000' },
  { provider: 'assemblyai', meter: 'audio_seconds', unit_cost_usd: '1.07', per: '1000' },
  { provider: 'composio', meter: 'composio.action_call', unit_cost_usd: '1.07', per: '1000' },
].map((rate) => ({ ...rate, model: HELD_MODEL }));

const CHAT_USAGE = { prompt_tokens: REPORTED.input_tokens, completion_tokens: REPORTED.output_tokens };
const PROMPT = 'Tell me all of it';
const ASK = { model: HELD_MODEL, max_tokens: 100, messages: [{ role: 'user', content: PROMPT }] };
const ASK_RESPONSE = { model: HELD_MODEL, input: PROMPT, max_output_tokens: 100 };
const chat = (fields: object): string =>
  `data: ${JSON.stringify({ id: 'chatcmpl-1', model: HELD_MODEL, ...fields })}\n\n`;
const delta = (content: string): string => chat({ choices: [{ index: 0, delta: { content } }] });
const sse = (type: string, fields: object): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
const response = (fields: object): object => ({ response: { id: 'resp_1', model: HELD_MODEL, ...fields } });
const part = (text: string): string => sse('response.output_text.delta', { delta: text });
const say = (text: string): string =>
  sse('content_block_delta', { index: 0, delta: { type: 'text_delta', text } });

/**
 * Every kind of settling: by the report of a stream, by that of a whole answer, by what is known at its head, by the
 * call, and by a report that comes later. An answer whose length is said is whole with its last byte.
 */
export const HELD_SCENES: Record<string, HeldScene> = {
  'a streamed chat': {
    provider: 'openai',
    path: '/v1/chat/completions',
    request: { ...ASK, stream: true, stream_options: { include_usage: true } },
    contentType: STREAM_TYPE,
    parts: [
      delta('One'),
      delta(' two') + delta(' three'),
      chat({ choices: [], usage: CHAT_USAGE }),
      'data: [DONE]\n\n',
    ],
    endsWith: 4,
    cost: TOKENS_COST,
  },
  'a chat in JSON': {
    provider: 'openai',
    path: '/v1/chat/completions',
    request: ASK,
    contentType: JSON_TYPE,
    parts: [
      `{"id":"c","model":"${HELD_MODEL}","choices":[{"message":{"content":"One`,
      ' two three"}}],',
      `"usage":${JSON.stringify(CHAT_USAGE)}`,
      '}',
    ],
    endsWith: 4,
    cost: TOKENS_COST,
  },
  'a streamed response': {
    provider: 'openai',
    path: '/v1/responses',
    request: { ...ASK_RESPONSE, stream: true },
    contentType: STREAM_TYPE,
    parts: [
      sse('response.created', response({})),
      part('One') + part(' two three'),
      sse('response.completed', response({ usage: REPORTED })),
      '',
    ],
    endsWith: 3,
    cost: TOKENS_COST,
  },
  'a response in JSON': {
    provider: 'openai',
    path: '/v1/responses',
    request: ASK_RESPONSE,
    contentType: JSON_TYPE,
    parts: [
      `{"id":"resp_1","model":"${HELD_MODEL}","output":[{"content":[{"text":"One`,
      ' two three"}]}],',
      `"usage":${JSON.stringify(REPORTED)}`,
      '}',
    ],
    endsWith: 4,
    cost: TOKENS_COST,
  },
  'a streamed message': {
    provider: 'anthropic',
    path: '/v1/messages',
    request: { ...ASK, stream: true },
    contentType: STREAM_TYPE,
    parts: [
      sse('message_start', {
        message: { id: 'msg_1', model: HELD_MODEL, usage: { ...REPORTED, output_tokens: 1 } },
      }),
      say('One') + say(' two three'),
      sse('message_delta', { delta: {}, usage: { output_tokens: REPORTED.output_tokens } }),
      sse('message_stop', {}),
    ],
    endsWith: 4,
    cost: TOKENS_COST,
  },
  'a message in JSON': {
    provider: 'anthropic',
    path: '/v1/messages',
    request: ASK,
    contentType: JSON_TYPE,
    parts: [
      `{"id":"m","model":"${HELD_MODEL}","content":[{"type":"text","text":"One`,
      ' two three"}],',
      `"usage":${JSON.stringify(REPORTED)}`,
      '}',
    ],
    endsWith: 4,
    cost: TOKENS_COST,
  },
  'speech by the character': {
    provider: 'elevenlabs',
    path: '/v1/text-to-speech/v-1',
    request: { model_id: HELD_MODEL, text: 'x'.repeat(CHARACTERS) },
    contentType: 'audio/mpeg',
    parts: ['aaaa', 'bbbb', 'cccc', 'd'],
    endsWith: 4,
    cost: withMargin(CHARACTERS * THOUSANDTHS),
  },
  'the call of a tool': {
    provider: 'composio',
    path: `/api/v3.1/tools/execute/${HELD_MODEL}`,
    request: { arguments: {} },
    contentType: JSON_TYPE,
    parts: ['{"data":{"name":"x"},', '"successful":true,', '"log_id":"l-1"', '}'],
    endsWith: 4,
    cost: withMargin(THOUSANDTHS),
  },
  'the submit of a job': {
    provider: 'assemblyai',
    path: '/v2/transcript',
    request: { audio_url: 'https://sounds.example/a', speech_model: HELD_MODEL },
    contentType: JSON_TYPE,
    parts: ['{"id":"tr-1",', '"status":"queued",', '"audio_duration":null', '}'],
    endsWith: 4,
    cost: withMargin(SECONDS * THOUSANDTHS),
    report: {
      path: '/v2/transcript/tr-1',
      answer: { id: 'tr-1', status: 'completed', audio_duration: SECONDS, speech_model_used: HELD_MODEL },
    },
  },
};
