import { sse } from '../memory.proxy-answers.js';
import { JSON_COUNTED, MESSAGES, REPORTED } from './memory.prompt.contract.js';
import { JSON_TYPE, post, type Scenes, STREAM_TYPE } from './memory.scene.contract.js';

const MODEL = 'claude-sonnet-4-5';
const ASK = { model: MODEL, max_tokens: 500, messages: MESSAGES };
const say = (text: string): string =>
  sse('content_block_delta', { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } });

export const SCENES = {
  'a streamed message': {
    request: post('/anthropic/v1/messages', { ...ASK, stream: true }),
    type: STREAM_TYPE,
    parts: [
      sse('message_start', {
        type: 'message_start',
        message: { id: 'msg_1', model: MODEL, usage: { input_tokens: 70, output_tokens: 1 } },
      }),
      say('One two') + say(' three.'),
      sse('message_delta', { type: 'message_delta', delta: {}, usage: { output_tokens: 30 } }),
      sse('message_stop', { type: 'message_stop' }),
    ],
    counted: [
      { input_tokens: 6 },
      { input_tokens: 70, output_tokens: 1 },
      { input_tokens: 70, output_tokens: 4 },
    ],
    reported: REPORTED,
  },
  'a message in JSON': {
    request: post('/anthropic/v1/messages', ASK),
    type: JSON_TYPE,
    parts: [
      `{"id":"m","model":"${MODEL}","content":[{"type":"text","text":"One`,
      ' two three"}],',
      `"usage":${JSON.stringify(REPORTED)}}`,
      '',
    ],
    counted: JSON_COUNTED,
    reported: REPORTED,
    endsWithReport: true,
  },
} satisfies Scenes;
