import { anthropic } from '../apps/gateway/src/providers/anthropic/anthropic.provider.js';
import { elevenlabs } from '../apps/gateway/src/providers/elevenlabs/elevenlabs.provider.js';
import { gemini } from '../apps/gateway/src/providers/gemini/gemini.provider.js';
import { openai } from '../apps/gateway/src/providers/openai/openai.provider.js';
import { openrouter } from '../apps/gateway/src/providers/openrouter/openrouter.provider.js';
import type { MeteredRequest, Provider } from '../apps/gateway/src/providers/provider.js';
import { readFormRequest, readRequest } from '../apps/gateway/src/providers/read-answer.contract.js';

/** A streamed answer in the shape that its provider gives it. */
export interface BenchStream {
  request: MeteredRequest;
  /** As the gateway sets it: the request was rewritten, so events may have to be taken out. */
  mayDrop: boolean;
  contentType: string;
  /** JSON of each event, as `JSON.parse` takes it. */
  data: readonly string[];
  /** The bytes of each, those without JSON included. */
  pieces: readonly Buffer[];
}

const SSE = 'text/event-stream';
const say = { model: 'm', stream: true, max_tokens: 9, messages: [{ role: 'user', content: 'Hi' }] };

/** Every stream of every provider. @param events with output in each. */
export async function benchStreams(events: number): Promise<Record<string, BenchStream>> {
  const words = Array.from({ length: events }, (_, index) => index);
  return {
    'openai chat': sse(
      asked(openai, '/v1/chat/completions', { ...say, stream_options: { include_usage: true } }),
      chat(words),
    ),
    'openai chat, usage chunk taken out': sse(asked(openai, '/v1/chat/completions', say), chat(words)),
    'openai responses': sse(asked(openai, '/v1/responses', { ...say, input: 'Hi' }), responses(words)),
    'openai transcription': sse(
      {
        request: await readFormRequest(openai, '/v1/audio/transcriptions', {
          model: 'gpt-4o-transcribe',
          stream: 'true',
        }),
        mayDrop: false,
      },
      transcription(words),
    ),
    'openai speech': sse(
      asked(openai, '/v1/audio/speech', {
        model: 'gpt-4o-mini-tts',
        input: 'Hi',
        stream_format: 'sse',
      }),
      speech(words),
    ),
    anthropic: sse(asked(anthropic, '/v1/messages', say), messages(words)),
    'gemini alt=sse': sse(asked(gemini, `${GENERATE}?alt=sse`, {}), generated(words), '\r\n'),
    'gemini list': list(asked(gemini, GENERATE, {}), generated(words)),
    'gemini interaction': sse(
      asked(gemini, '/v1beta/interactions', { ...say, input: 'Hi' }),
      interaction(words),
    ),
    'gemini chat': sse(asked(gemini, '/v1beta/openai/chat/completions', say), chat(words)),
    'openrouter chat': sse(asked(openrouter, '/api/v1/chat/completions', say), routed(words)),
    'openrouter responses': sse(asked(openrouter, '/api/v1/responses', { ...say, input: 'Hi' }), [
      ...responses(words).map(([, data]) => ['', data] as const),
      DONE,
    ]),
    'elevenlabs with timestamps': lines(
      asked(elevenlabs, '/v1/text-to-speech/v/stream/with-timestamps', { text: 'Hi' }),
      timed(words),
    ),
  };
}

type Asked = Pick<BenchStream, 'request' | 'mayDrop'>;

function asked(provider: Provider, path: string, body: object): Asked {
  const bytes = Buffer.from(JSON.stringify(body));
  const request = readRequest(provider, path, bytes);
  return { request, mayDrop: request.stream && request.body !== bytes && !request.dropsNothing };
}

const GENERATE = '/v1beta/models/gemini-2.5-flash:streamGenerateContent';

/** Name ('' for none) and data; data that is a string is no JSON. */
type Event = readonly [name: string, data: object | string];
const DONE: Event = ['', '[DONE]'];

function sse(asked: Asked, events: readonly Event[], lineEnd = '\n'): BenchStream {
  const pieces = events.map(([name, data]) => {
    const json = typeof data === 'string' ? data : JSON.stringify(data);
    return Buffer.from(`${name ? `event: ${name}${lineEnd}` : ''}data: ${json}${lineEnd}${lineEnd}`);
  });
  return { ...asked, contentType: SSE, data: dataOf(events), pieces };
}

/** One JSON list, its elements spread over lines, as Google writes it. */
function list(asked: Asked, events: readonly Event[]): BenchStream {
  const texts = events.map(([, data]) => JSON.stringify(data, null, 1));
  const pieces = texts.map((text, index) =>
    Buffer.from(`${index === 0 ? '[' : ',\r\n'}${text}\n${index === texts.length - 1 ? ']' : ''}`),
  );
  return { ...asked, contentType: 'application/json', data: texts, pieces };
}

function lines(asked: Asked, events: readonly Event[]): BenchStream {
  const data = dataOf(events);
  const pieces = data.map((json) => Buffer.from(`${json}\n`));
  return { ...asked, contentType: 'application/json', data, pieces };
}

function dataOf(events: readonly Event[]): string[] {
  return events.flatMap(([, data]) => (typeof data === 'string' ? [] : [JSON.stringify(data)]));
}

function chat(words: readonly number[]): Event[] {
  const head = {
    id: 'chatcmpl-BdTqXx3mA9kQ4yW8rUe1PzLn5VbHc',
    object: 'chat.completion.chunk',
    created: 1_763_715_600,
    model: 'gpt-4o-mini-2024-07-18',
    service_tier: 'default',
    system_fingerprint: 'fp_62a23a81ef',
  };
  const usage = { prompt_tokens: 52, completion_tokens: 100, total_tokens: 152 };
  const delta = (content: string) => [{ index: 0, delta: { content }, logprobs: null, finish_reason: null }];
  return [
    ...words.map((word): Event => ['', { ...head, choices: delta(` word${word}`), usage: null }]),
    ['', { ...head, choices: [], usage }],
    DONE,
  ];
}

function routed(words: readonly number[]): Event[] {
  const head = {
    id: 'gen-1763715600-AbCdEfGhIjKlMnOpQrSt',
    object: 'chat.completion.chunk',
    created: 1_763_715_600,
    model: 'acme/writer-2',
    provider: 'Acme',
  };
  const choice = (content: string) => ({
    index: 0,
    delta: { content, role: 'assistant' },
    finish_reason: null,
    native_finish_reason: null,
  });
  const usage = { prompt_tokens: 52, completion_tokens: 100, total_tokens: 152, cost: 0.000_123 };
  return [
    ...words.map((word): Event => ['', { ...head, choices: [choice(` word${word}`)] }]),
    ['', { ...head, choices: [choice('')], usage }],
    DONE,
  ];
}

function responses(words: readonly number[]): Event[] {
  const response = { id: 'resp_1', object: 'response', model: 'gpt-4o-mini', error: null };
  const usage = { input_tokens: 52, output_tokens: 100, total_tokens: 152, cost: 0.000_123 };
  const item = { item_id: 'msg_68a1b2c3d4e5f60718293a4b5c6d7e8f', output_index: 0, content_index: 0 };
  const delta = 'response.output_text.delta';
  const named = (type: string, rest: object): Event => [type, { type, ...rest }];
  return [
    named('response.created', { response: { ...response, status: 'in_progress', usage: null } }),
    ...words.map((word) =>
      named(delta, {
        ...item,
        delta: ` word${word}`,
        logprobs: [],
        sequence_number: word,
        obfuscation: 'aB3',
      }),
    ),
    named('response.completed', { response: { ...response, status: 'completed', usage } }),
  ];
}

function transcription(words: readonly number[]): Event[] {
  const usage = { type: 'tokens', input_tokens: 52, output_tokens: 100, total_tokens: 152 };
  return [
    ...words.map((word): Event => ['', { type: 'transcript.text.delta', delta: ` word${word}` }]),
    ['', { type: 'transcript.text.done', text: 'word', usage }],
    DONE,
  ];
}

function speech(words: readonly number[]): Event[] {
  const audio = Buffer.alloc(1_800, 7).toString('base64');
  const usage = { input_tokens: 52, output_tokens: 100, total_tokens: 152 };
  return [
    ...words.map((): Event => ['', { type: 'speech.audio.delta', audio }]),
    ['', { type: 'speech.audio.done', usage }],
  ];
}

function messages(words: readonly number[]): Event[] {
  const message = { id: 'msg_1', type: 'message', model: 'claude-haiku-4-5', content: [] };
  const named = (type: string, rest: object): Event => [type, { type, ...rest }];
  return [
    named('message_start', { message: { ...message, usage: { input_tokens: 52, output_tokens: 1 } } }),
    named('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
    named('ping', {}),
    ...words.map((word) =>
      named('content_block_delta', { index: 0, delta: { type: 'text_delta', text: ` word${word}` } }),
    ),
    named('content_block_stop', { index: 0 }),
    named('message_delta', { delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 100 } }),
    named('message_stop', {}),
  ];
}

function generated(words: readonly number[]): Event[] {
  return words.map(
    (word, index): Event => [
      '',
      {
        candidates: [
          {
            content: { parts: [{ text: ` word${word}` }], role: 'model' },
            ...(index === words.length - 1 ? { finishReason: 'STOP' } : {}),
            index: 0,
          },
        ],
        usageMetadata: {
          promptTokenCount: 52,
          candidatesTokenCount: index + 1,
          totalTokenCount: 53 + index,
          promptTokensDetails: [{ modality: 'TEXT', tokenCount: 52 }],
        },
        modelVersion: 'gemini-2.5-flash',
        responseId: 'aBcDeFgHiJkLmNoPqRsT',
      },
    ],
  );
}

function interaction(words: readonly number[]): Event[] {
  const usage = { total_tokens: 152, total_input_tokens: 52, total_output_tokens: 100 };
  const named = (event_type: string, rest: object): Event => [event_type, { event_type, ...rest }];
  return [
    named('interaction.created', { interaction: { id: 'v1_1', model: 'gemini-3-flash-preview' } }),
    ...words.map((word) => named('step.delta', { index: 0, delta: { type: 'text', text: ` word${word}` } })),
    named('interaction.completed', { interaction: { id: 'v1_1', status: 'completed', usage } }),
  ];
}

function timed(words: readonly number[]): Event[] {
  const audio = Buffer.alloc(1_800, 7).toString('base64');
  const characters = [...'word'];
  const times = characters.map((_, index) => index / 10);
  const alignment = {
    characters,
    character_start_times_seconds: times,
    character_end_times_seconds: times,
  };
  return words.map((): Event => ['', { audio_base64: audio, alignment }]);
}
