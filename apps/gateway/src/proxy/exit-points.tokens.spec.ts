import { describeExitPoints, type Scene } from './memory.exit-points.contract.js';
import { chunk, DONE, sse } from './memory.proxy-answers.js';

/** `Tell`, `me`, `(all`, `)`, `of`, `it`. */
const PROMPT = 'Tell me (all) of it';
const ASKED = { input_tokens: 6 };
const MESSAGES = [{ role: 'user', content: PROMPT }];
const CONTENTS = [{ role: 'user', parts: [{ text: PROMPT }] }];
const STREAMED = { stream: true, stream_options: { include_usage: true } };
const REPORTED = { input_tokens: 70, output_tokens: 30 };
/** $0.0042 with 20 %. */
const COSTED = { reported: { ...REPORTED, usd: '0.0042' }, cost: 5_040 };
const CHAT_USAGE = { prompt_tokens: 70, completion_tokens: 30 };
const RESPONSES_USAGE = { input_tokens: 70, output_tokens: 30 };
const JSON_TYPE = 'application/json';
const STREAM_TYPE = 'text/event-stream';

const delta = (content: string): string => chunk({ choices: [{ index: 0, delta: { content } }] });
const part = (text: string): string => sse('response.output_text.delta', { delta: text });
const data = (fields: object): string => `data: ${JSON.stringify(fields)}\r\n\r\n`;
const post = (path: string, body: object) => ({ path: `/proxy${path}`, body: JSON.stringify(body) });

const said = (text: string) => ({ candidates: [{ content: { parts: [{ text }] } }] });
const SO_FAR = { usageMetadata: { promptTokenCount: 70, candidatesTokenCount: 1 } };
const STOPPED = {
  candidates: [{ finishReason: 'STOP' }],
  usageMetadata: { promptTokenCount: 70, candidatesTokenCount: 20, thoughtsTokenCount: 10 },
};
const step = (text: string): string => data({ event_type: 'step.delta', delta: { type: 'text', text } });
const GEMINI = '/gemini/v1beta/models/gemini-2.5-flash';

/** What a stream of four words, and JSON of three, has counted on its way. */
const STREAM_COUNTED: Scene['counted'] = [
  ASKED,
  { ...ASKED, output_tokens: 1 },
  { ...ASKED, output_tokens: 4 },
];
const JSON_COUNTED: Scene['counted'] = [
  ASKED,
  { ...ASKED, output_tokens: 1 },
  { ...ASKED, output_tokens: 3 },
];
const INPUT_COUNTED: Scene['counted'] = [ASKED, ASKED, ASKED];

const SCENES: Record<string, Scene> = {
  'OpenRouter: a streamed chat': {
    request: post('/openrouter/api/v1/chat/completions', { model: 'a/b', messages: MESSAGES, ...STREAMED }),
    type: STREAM_TYPE,
    parts: [
      `: OPENROUTER PROCESSING\n\n${delta('One')}`,
      delta(' two three') + delta(' four'),
      chunk({ choices: [{ delta: { content: '' } }], usage: { ...CHAT_USAGE, cost: 0.0042 } }),
      DONE,
    ],
    counted: STREAM_COUNTED,
    ...COSTED,
  },
  'OpenRouter: a chat in JSON behind white space': {
    request: post('/openrouter/api/v1/chat/completions', { model: 'a/b', messages: MESSAGES }),
    type: JSON_TYPE,
    parts: [
      '\n  \n{"id":"g","model":"a/b","choices":[{"message":{"content":"One',
      ' two three"}}],',
      `"usage":${JSON.stringify({ ...CHAT_USAGE, cost: 0.0042 })}}`,
      '',
    ],
    counted: JSON_COUNTED,
    ...COSTED,
    endsWithReport: true,
  },
  'OpenRouter: a streamed response': {
    request: post('/openrouter/api/v1/responses', { model: 'a/b', stream: true, input: PROMPT }),
    type: STREAM_TYPE,
    parts: [
      sse('response.created', { response: { id: 'resp_1', model: 'a/b' } }),
      part('One') + part(' two three') + part('!'),
      sse('response.completed', {
        response: { id: 'resp_1', model: 'a/b', usage: { ...RESPONSES_USAGE, cost: 0.0042 } },
      }),
      DONE,
    ],
    counted: [ASKED, ASKED, { ...ASKED, output_tokens: 4 }],
    ...COSTED,
  },
  'OpenRouter: embeddings': {
    request: post('/openrouter/api/v1/embeddings', { model: 'a/b', input: PROMPT }),
    type: JSON_TYPE,
    parts: ['{"data":[{"embedding":[0.1,', '0.2]}],', '"usage":{"prompt_tokens":70,"cost":0.0042}}', ''],
    counted: INPUT_COUNTED,
    ...COSTED,
    reported: { input_tokens: 70, usd: '0.0042' },
    endsWithReport: true,
  },
  'Gemini: a stream of events': {
    request: post(`${GEMINI}:streamGenerateContent?alt=sse`, { contents: CONTENTS }),
    type: STREAM_TYPE,
    parts: [
      data({ ...said('One'), ...SO_FAR }),
      data(said(' two three')) + data(said(' four')),
      data(STOPPED),
      '',
    ],
    counted: [ASKED, { input_tokens: 70, output_tokens: 1 }, { input_tokens: 70, output_tokens: 4 }],
    reported: REPORTED,
    openEnded: true,
  },
  'Gemini: a stream that is a list': {
    request: post(`${GEMINI}:streamGenerateContent`, { contents: CONTENTS }),
    type: JSON_TYPE,
    parts: [
      `[${JSON.stringify({ ...said('One'), ...SO_FAR })}`,
      `,\r\n${JSON.stringify(said(' two three'))}`,
      `,\r\n${JSON.stringify(STOPPED)}`,
      ']',
    ],
    counted: [ASKED, { input_tokens: 70, output_tokens: 1 }, { input_tokens: 70, output_tokens: 3 }],
    reported: REPORTED,
    openEnded: true,
  },
  'Gemini: JSON': {
    request: post(`${GEMINI}:generateContent`, { contents: CONTENTS }),
    type: JSON_TYPE,
    parts: [
      '{"candidates":[{"content":{"parts":[{"text":"One',
      ' two three"}]},"finishReason":"STOP"}],',
      `"usageMetadata":${JSON.stringify(STOPPED.usageMetadata)}}`,
      '',
    ],
    counted: JSON_COUNTED,
    reported: REPORTED,
    endsWithReport: true,
  },
  'Gemini: a streamed interaction': {
    request: post('/gemini/v1beta/interactions', { model: 'gemini-2.5-flash', stream: true, input: PROMPT }),
    type: STREAM_TYPE,
    parts: [
      data({ event_type: 'interaction.created', interaction: { id: 'i-1' } }),
      step('One') + step(' two three') + step(' four'),
      data({
        event_type: 'interaction.completed',
        interaction: {
          id: 'i-1',
          status: 'completed',
          usage: { total_input_tokens: 70, total_output_tokens: 20, total_thought_tokens: 10 },
        },
      }),
      '',
    ],
    counted: [ASKED, ASKED, { ...ASKED, output_tokens: 4 }],
    reported: REPORTED,
    endsWithReport: true,
  },
  "Gemini: a streamed chat in the shape of OpenAI's": {
    request: post('/gemini/v1beta/openai/chat/completions', {
      ...{ model: 'gemini-2.5-flash', messages: MESSAGES },
      ...STREAMED,
    }),
    type: STREAM_TYPE,
    parts: [
      delta('One'),
      delta(' two three') + delta(' four'),
      chunk({ choices: [], usage: { prompt_tokens: 70, completion_tokens: 20, total_tokens: 100 } }),
      DONE,
    ],
    counted: STREAM_COUNTED,
    reported: REPORTED,
    openEnded: true,
  },
  'Gemini: an embedding': {
    request: post(`${GEMINI}:embedContent`, { content: { parts: [{ text: PROMPT }] } }),
    type: JSON_TYPE,
    parts: ['{"embedding":{"values":[0.1,', '0.2]},', '"usageMetadata":{"promptTokenCount":70}}', ''],
    counted: INPUT_COUNTED,
    reported: { input_tokens: 70 },
    endsWithReport: true,
  },
  'OpenAI: a streamed completion': {
    request: post('/openai/v1/completions', { model: 'm', prompt: PROMPT, ...STREAMED }),
    type: STREAM_TYPE,
    parts: [
      chunk({ choices: [{ text: 'One' }] }),
      chunk({ choices: [{ text: ' two three' }] }) + chunk({ choices: [{ text: ' four' }] }),
      chunk({ choices: [], usage: CHAT_USAGE }),
      DONE,
    ],
    counted: STREAM_COUNTED,
    reported: REPORTED,
  },
  'OpenAI: embeddings': {
    request: post('/openai/v1/embeddings', { model: 'm', input: PROMPT }),
    type: JSON_TYPE,
    parts: ['{"model":"m","data":[{"embedding":[0.1,', '0.2]}],', '"usage":{"prompt_tokens":70}}', ''],
    counted: INPUT_COUNTED,
    reported: { input_tokens: 70 },
    endsWithReport: true,
  },
};

describeExitPoints(SCENES);
