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
import {
  form,
  JSON_TYPE,
  KNOWN_AT_HEAD,
  NOTHING,
  post,
  type Scene,
  type Scenes,
  SOUND,
  STREAM_TYPE,
} from './memory.scene.contract.js';

const MODEL = 'gpt-4o-mini';
const transcribed = (text: string): string =>
  sse('transcript.text.delta', { type: 'transcript.text.delta', delta: text });
const SPOKEN = { model: 'gpt-4o-mini-tts', input: 'Say (all) of it', voice: 'ash' };
/** `Say`, `(all`, `)`, `of`, `it`. */
const TO_SAY = { input_tokens: 5 };
const PAINT = { model: 'gpt-image-1', prompt: 'Paint a cat' };
/** `Paint`, `a`, `cat`. */
const TO_PAINT = { input_tokens: 3 };
const IMAGE_USAGE = { input_tokens: 9, output_tokens: 40 };

const RESPONDED = {
  type: JSON_TYPE,
  parts: [
    '{"id":"r","model":"gpt-4o-mini","output":[{"content":[{"type":"output_text","text":"One',
    ' two three"}]}],',
    `"usage":${JSON.stringify(RESPONSES_USAGE)}}`,
    '',
  ],
  counted: JSON_COUNTED,
  reported: REPORTED,
  endsWithReport: true,
} as const;

/** Of 6.1 seconds, which nothing says but the end of the last one. */
const SUBTITLES = {
  type: 'text/plain',
  parts: [
    '1\n00:00:00,000 --> 00:00:02,500\nOne\n\n',
    '2\n00:00:02,500 --> 00:00:04,000\ntwo\n\n',
    '3\n00:00:04,000 --> 00:00:06,100\nthree\n\n',
    '',
  ],
  counted: [NOTHING, { audio_seconds: 3 }, { audio_seconds: 4 }],
  reported: { audio_seconds: 7 },
  whole: 'estimated',
  endsWithReport: true,
} as const;

const PAINTED: Omit<Scene, 'request'> = {
  type: JSON_TYPE,
  parts: ['{"data":[{"b64_json":"AAAA', 'BBBB"}],', `"usage":${JSON.stringify(IMAGE_USAGE)}}`, ''],
  counted: [TO_PAINT, TO_PAINT, TO_PAINT],
  reported: { input_tokens: 9, image_tokens: 40 },
  endsWithReport: true,
};

const TWO_IMAGES = {
  type: JSON_TYPE,
  parts: ['{"data":[{"url":"https://a', '"},{"url":"https://b', '"}]}', ''],
  counted: [NOTHING, { images: 1 }, { images: 2 }],
  reported: { images: 2 },
  endsWithReport: true,
} as const;

function painting(what: 'generation' | 'edit'): Scene['parts'] {
  const event = (kind: string, fields: object): string =>
    sse(`image_${what}.${kind}`, { type: `image_${what}.${kind}`, ...fields });
  return [
    event('partial_image', { b64_json: 'AAAA' }),
    event('partial_image', { b64_json: 'BBBB' }),
    event('completed', { usage: IMAGE_USAGE }),
    '',
  ];
}

export const SCENES: Scenes = {
  'a streamed chat': {
    request: post('/openai/v1/chat/completions', { model: MODEL, messages: MESSAGES, ...STREAMED }),
    type: STREAM_TYPE,
    parts: [
      delta('One'),
      delta(' two three') + delta(' four'),
      chunk({ choices: [], usage: CHAT_USAGE }),
      DONE,
    ],
    counted: STREAM_COUNTED,
    reported: REPORTED,
  },
  'a chat in JSON': {
    request: post('/openai/v1/chat/completions', { model: MODEL, messages: MESSAGES }),
    type: JSON_TYPE,
    parts: [
      '{"id":"c","model":"gpt-4o-mini","choices":[{"message":{"content":"One',
      ' two three"}}],',
      `"usage":${JSON.stringify(CHAT_USAGE)}}`,
      '',
    ],
    counted: JSON_COUNTED,
    reported: REPORTED,
    endsWithReport: true,
  },
  'a streamed response': {
    request: post('/openai/v1/responses', { model: MODEL, stream: true, input: PROMPT }),
    type: STREAM_TYPE,
    parts: [
      sse('response.created', { response: { id: 'resp_1', model: MODEL } }),
      part('One') + part(' two three') + part('!'),
      sse('response.completed', { response: { id: 'resp_1', model: MODEL, usage: RESPONSES_USAGE } }),
      '',
    ],
    counted: [ASKED, ASKED, { ...ASKED, output_tokens: 4 }],
    reported: REPORTED,
    endsWithReport: true,
  },
  'a response in JSON': {
    request: post('/openai/v1/responses', { model: MODEL, input: PROMPT }),
    ...RESPONDED,
  },
  'a response made shorter': {
    request: post('/openai/v1/responses/compact', { model: MODEL, input: PROMPT }),
    ...RESPONDED,
  },
  'a streamed completion': {
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
  'a completion in JSON': {
    request: post('/openai/v1/completions', { model: 'm', prompt: PROMPT }),
    type: JSON_TYPE,
    parts: [
      '{"id":"c","model":"m","choices":[{"text":"One',
      ' two three"}],',
      `"usage":${JSON.stringify(CHAT_USAGE)}}`,
      '',
    ],
    counted: JSON_COUNTED,
    reported: REPORTED,
    endsWithReport: true,
  },
  embeddings: {
    request: post('/openai/v1/embeddings', { model: 'm', input: PROMPT }),
    type: JSON_TYPE,
    parts: ['{"model":"m","data":[{"embedding":[0.1,', '0.2]}],', '"usage":{"prompt_tokens":70}}', ''],
    counted: INPUT_COUNTED,
    reported: { input_tokens: 70 },
    endsWithReport: true,
  },
  'speech by the character': {
    request: post('/openai/v1/audio/speech', { ...SPOKEN, model: 'tts-1' }),
    type: 'audio/mpeg',
    parts: SOUND,
    reported: { characters: 15 },
    ...KNOWN_AT_HEAD,
  },
  'streamed speech by the token': {
    request: post('/openai/v1/audio/speech', { ...SPOKEN, stream_format: 'sse' }),
    type: STREAM_TYPE,
    parts: [
      'data: {"type":"speech.audio.delta","audio":"SUQz"}\n\n',
      'data: {"type":"speech.audio.delta","audio":"AAAP"}\n\n',
      'data: {"type":"speech.audio.done","usage":{"input_tokens":14,"output_tokens":101}}\n\n',
      '',
    ],
    counted: [TO_SAY, TO_SAY, TO_SAY],
    reported: { input_tokens: 14, audio_output_tokens: 101 },
    endsWithReport: true,
  },
  'speech that reports nothing': {
    request: post('/openai/v1/audio/speech', SPOKEN),
    type: 'audio/mpeg',
    parts: SOUND,
    counted: [TO_SAY, TO_SAY, TO_SAY],
    // 15 bytes of text are a second, of 21 tokens.
    reported: { ...TO_SAY, audio_output_tokens: 21 },
    whole: 'estimated',
    endsWithReport: true,
  },
  'a streamed transcript by the token': {
    request: form('/openai/v1/audio/transcriptions', { model: 'gpt-4o-transcribe', stream: 'true' }),
    type: STREAM_TYPE,
    parts: [
      transcribed('One'),
      transcribed(' two three') + transcribed(' four'),
      sse('transcript.text.done', {
        type: 'transcript.text.done',
        usage: {
          ...{ type: 'tokens', input_tokens: 70, output_tokens: 30 },
          input_token_details: { audio_tokens: 60 },
        },
      }),
      DONE,
    ],
    counted: [NOTHING, { output_tokens: 1 }, { output_tokens: 4 }],
    reported: { input_tokens: 10, output_tokens: 30, audio_input_tokens: 60 },
  },
  'subtitles by the second': {
    request: form('/openai/v1/audio/transcriptions', { model: 'whisper-1', response_format: 'srt' }),
    ...SUBTITLES,
  },
  'subtitles in English': {
    request: form('/openai/v1/audio/translations', { model: 'whisper-1', response_format: 'srt' }),
    ...SUBTITLES,
  },
  'an image by the token': { request: post('/openai/v1/images/generations', PAINT), ...PAINTED },
  'a streamed image by the token': {
    request: post('/openai/v1/images/generations', { ...PAINT, stream: true }),
    ...PAINTED,
    type: STREAM_TYPE,
    parts: painting('generation'),
  },
  'an edited image by the token': { request: form('/openai/v1/images/edits', PAINT, 'image'), ...PAINTED },
  'a streamed edited image': {
    request: form('/openai/v1/images/edits', { ...PAINT, stream: 'true' }, 'image'),
    ...PAINTED,
    type: STREAM_TYPE,
    parts: painting('edit'),
  },
  'images by the image': {
    request: post('/openai/v1/images/generations', { model: 'dall-e-2', prompt: 'a cat', n: 2 }),
    ...TWO_IMAGES,
  },
  'variations by the image': {
    request: form('/openai/v1/images/variations', { model: 'dall-e-2', n: '2' }, 'image'),
    ...TWO_IMAGES,
  },
};
