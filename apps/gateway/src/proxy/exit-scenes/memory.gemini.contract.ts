import { chunk, DONE } from '../memory.proxy-answers.js';
import {
  ASKED,
  CHAT_USAGE,
  delta,
  INPUT_COUNTED,
  JSON_COUNTED,
  MESSAGES,
  PROMPT,
  REPORTED,
  STREAM_COUNTED,
  STREAMED,
} from './memory.prompt.contract.js';
import { JSON_TYPE, post, type Scenes, STREAM_TYPE } from './memory.scene.contract.js';

const MODEL = 'gemini-2.5-flash';
const V1BETA = '/gemini/v1beta';
const OF_MODEL = `${V1BETA}/models/${MODEL}`;
const CONTENTS = [{ role: 'user', parts: [{ text: PROMPT }] }];

const data = (fields: object): string => `data: ${JSON.stringify(fields)}\r\n\r\n`;
const said = (text: string) => ({ candidates: [{ content: { parts: [{ text }] } }] });
const SO_FAR = { usageMetadata: { promptTokenCount: 70, candidatesTokenCount: 1 } };
const STOPPED = {
  candidates: [{ finishReason: 'STOP' }],
  usageMetadata: { promptTokenCount: 70, candidatesTokenCount: 20, thoughtsTokenCount: 10 },
};
const step = (text: string): string => data({ event_type: 'step.delta', delta: { type: 'text', text } });
const INTERACTION_USAGE = { total_input_tokens: 70, total_output_tokens: 20, total_thought_tokens: 10 };

export const SCENES: Scenes = {
  'a stream of events': {
    request: post(`${OF_MODEL}:streamGenerateContent?alt=sse`, { contents: CONTENTS }),
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
  'a stream that is a list': {
    request: post(`${OF_MODEL}:streamGenerateContent`, { contents: CONTENTS }),
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
  'what is generated, in JSON': {
    request: post(`${OF_MODEL}:generateContent`, { contents: CONTENTS }),
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
  'a streamed interaction': {
    request: post(`${V1BETA}/interactions`, { model: MODEL, stream: true, input: PROMPT }),
    type: STREAM_TYPE,
    parts: [
      data({ event_type: 'interaction.created', interaction: { id: 'i-1' } }),
      step('One') + step(' two three') + step(' four'),
      data({
        event_type: 'interaction.completed',
        interaction: { id: 'i-1', status: 'completed', usage: INTERACTION_USAGE },
      }),
      '',
    ],
    counted: [ASKED, ASKED, { ...ASKED, output_tokens: 4 }],
    reported: REPORTED,
    endsWithReport: true,
  },
  'an interaction in JSON': {
    request: post(`${V1BETA}/interactions`, { model: MODEL, input: PROMPT }),
    type: JSON_TYPE,
    parts: [
      '{"id":"i-1","status":"completed","outputs":[{"type":"text","text":"One',
      ' two three"}],',
      `"usage":${JSON.stringify(INTERACTION_USAGE)}}`,
      '',
    ],
    counted: JSON_COUNTED,
    reported: REPORTED,
    endsWithReport: true,
  },
  "a streamed chat in the shape of OpenAI's": {
    request: post(`${V1BETA}/openai/chat/completions`, { model: MODEL, messages: MESSAGES, ...STREAMED }),
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
  "a chat in JSON in the shape of OpenAI's": {
    request: post(`${V1BETA}/openai/chat/completions`, { model: MODEL, messages: MESSAGES }),
    type: JSON_TYPE,
    parts: [
      '{"id":"c","choices":[{"message":{"content":"One',
      ' two three"}}],',
      `"usage":${JSON.stringify(CHAT_USAGE)}}`,
      '',
    ],
    counted: JSON_COUNTED,
    reported: REPORTED,
    endsWithReport: true,
  },
  'an embedding': {
    request: post(`${OF_MODEL}:embedContent`, { content: { parts: [{ text: PROMPT }] } }),
    type: JSON_TYPE,
    parts: ['{"embedding":{"values":[0.1,', '0.2]},', '"usageMetadata":{"promptTokenCount":70}}', ''],
    counted: INPUT_COUNTED,
    reported: { input_tokens: 70 },
    endsWithReport: true,
  },
  'several embeddings': {
    request: post(`${OF_MODEL}:batchEmbedContents`, {
      requests: [{ content: { parts: [{ text: PROMPT }] } }],
    }),
    type: JSON_TYPE,
    parts: ['{"embeddings":[{"values":[0.1,', '0.2]}],', '"usageMetadata":{"promptTokenCount":70}}', ''],
    counted: INPUT_COUNTED,
    reported: { input_tokens: 70 },
    endsWithReport: true,
  },
  "embeddings in the shape of OpenAI's": {
    request: post(`${V1BETA}/openai/embeddings`, { model: MODEL, input: PROMPT }),
    type: JSON_TYPE,
    parts: ['{"data":[{"embedding":[0.1,', '0.2]}],', '"usage":{"prompt_tokens":70,"total_tokens":70}}', ''],
    counted: INPUT_COUNTED,
    reported: { input_tokens: 70 },
    endsWithReport: true,
  },
};
