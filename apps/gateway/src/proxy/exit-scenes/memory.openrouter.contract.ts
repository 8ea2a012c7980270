import { chunk, DONE, sse } from '../memory.proxy-answers.js';
import {
  ASKED,
  CHAT_USAGE,
  delta,
  INPUT_COUNTED,
  JSON_COUNTED,
  MESSAGES,
  PROMPT,
  part,
  REPORTED,
  RESPONSES_USAGE,
  STREAM_COUNTED,
  STREAMED,
} from './memory.prompt.contract.js';
import { form, JSON_TYPE, post, type Scenes, STREAM_TYPE, UNCOUNTED } from './memory.scene.contract.js';

const MODEL = 'a/b';
const V1 = '/openrouter/api/v1';
/** $0.0042 with 20 %. */
const COST = { cost: 5_040 };
const COSTED = { reported: { ...REPORTED, usd: '0.0042' }, ...COST };
const USAGE = { ...CHAT_USAGE, cost: 0.0042 };
const LAST = chunk({ choices: [{ delta: { content: '' } }], usage: USAGE });

/** An answer that OpenRouter can be asked for afterwards. */
function generation(fields: object): string {
  return `data: ${JSON.stringify({ id: 'gen-1', model: MODEL, ...fields })}\n\n`;
}

export const SCENES: Scenes = {
  'a streamed chat': {
    request: post(`${V1}/chat/completions`, { model: MODEL, messages: MESSAGES, ...STREAMED }),
    type: STREAM_TYPE,
    parts: [`: OPENROUTER PROCESSING\n\n${delta('One')}`, delta(' two three') + delta(' four'), LAST, DONE],
    counted: STREAM_COUNTED,
    ...COSTED,
  },
  'a streamed chat that can be asked for': {
    request: post(`${V1}/chat/completions`, { model: MODEL, messages: MESSAGES, ...STREAMED }),
    type: STREAM_TYPE,
    parts: [
      generation({ choices: [{ delta: { content: 'One' } }] }),
      generation({ choices: [{ delta: { content: ' two three' } }] }),
      generation({ choices: [], usage: USAGE }),
      DONE,
    ],
    counted: [ASKED, { job: { ...ASKED, output_tokens: 1 } }, { job: { ...ASKED, output_tokens: 3 } }],
    ...COSTED,
  },
  'a chat in JSON behind white space': {
    request: post(`${V1}/chat/completions`, { model: MODEL, messages: MESSAGES }),
    type: JSON_TYPE,
    parts: [
      '\n  \n{"id":"g","model":"a/b","choices":[{"message":{"content":"One',
      ' two three"}}],',
      `"usage":${JSON.stringify(USAGE)}}`,
      '',
    ],
    counted: JSON_COUNTED,
    ...COSTED,
    endsWithReport: true,
  },
  'a streamed completion': {
    request: post(`${V1}/completions`, { model: MODEL, prompt: PROMPT, ...STREAMED }),
    type: STREAM_TYPE,
    parts: [
      chunk({ choices: [{ text: 'One' }] }),
      chunk({ choices: [{ text: ' two three' }] }) + chunk({ choices: [{ text: ' four' }] }),
      chunk({ choices: [{ text: '' }], usage: USAGE }),
      DONE,
    ],
    counted: STREAM_COUNTED,
    ...COSTED,
  },
  'a completion in JSON': {
    request: post(`${V1}/completions`, { model: MODEL, prompt: PROMPT }),
    type: JSON_TYPE,
    parts: [
      '{"id":"g","model":"a/b","choices":[{"text":"One',
      ' two three"}],',
      `"usage":${JSON.stringify(USAGE)}}`,
      '',
    ],
    counted: JSON_COUNTED,
    ...COSTED,
    endsWithReport: true,
  },
  'a streamed response': {
    request: post(`${V1}/responses`, { model: MODEL, stream: true, input: PROMPT }),
    type: STREAM_TYPE,
    parts: [
      sse('response.created', { response: { id: 'resp_1', model: MODEL } }),
      part('One') + part(' two three') + part('!'),
      sse('response.completed', {
        response: { id: 'resp_1', model: MODEL, usage: { ...RESPONSES_USAGE, cost: 0.0042 } },
      }),
      DONE,
    ],
    counted: [ASKED, ASKED, { ...ASKED, output_tokens: 4 }],
    ...COSTED,
  },
  embeddings: {
    request: post(`${V1}/embeddings`, { model: MODEL, input: PROMPT }),
    type: JSON_TYPE,
    parts: ['{"data":[{"embedding":[0.1,', '0.2]}],', '"usage":{"prompt_tokens":70,"cost":0.0042}}', ''],
    counted: INPUT_COUNTED,
    reported: { input_tokens: 70, usd: '0.0042' },
    ...COST,
    endsWithReport: true,
  },
  'documents in a new order': {
    request: post(`${V1}/rerank`, { model: MODEL, query: PROMPT, documents: ['One', 'two'] }),
    type: JSON_TYPE,
    parts: [
      '{"id":"g","model":"a/b","results":[{"index":1,',
      '"relevance_score":0.9}],',
      '"usage":{"search_units":1,"total_tokens":9,"cost":0.0042}}',
      '',
    ],
    counted: UNCOUNTED,
    reported: { usd: '0.0042' },
    ...COST,
    endsWithReport: true,
  },
  'a transcript': {
    request: form(`${V1}/audio/transcriptions`, { model: MODEL }),
    type: JSON_TYPE,
    parts: [
      '{"text":"One',
      ' two three",',
      '"usage":{"input_tokens":70,"output_tokens":30,"total_tokens":100,"cost":0.0042}}',
      '',
    ],
    counted: UNCOUNTED,
    ...COSTED,
    endsWithReport: true,
  },
};
