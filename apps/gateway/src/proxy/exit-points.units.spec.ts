import { describeExitPoints, type Lines, type Scene } from './memory.exit-points.contract.js';
import { sse } from './memory.proxy-answers.js';

const JSON_TYPE = 'application/json';
const STREAM_TYPE = 'text/event-stream';
const BOUNDARY = 'exit-points';
const SOUND: Scene['parts'] = ['a'.repeat(64), 'b'.repeat(64), 'c'.repeat(64), ''];
const NOTHING: Lines = {};

const post = (path: string, body: object) => ({ path: `/proxy${path}`, body: JSON.stringify(body) });
/** Takes the fields of a form; the model behind the file. */
function form(path: string, fields: Record<string, string>) {
  const parts = Object.entries({ file: 'sound', ...fields }).map(
    ([name, value]) =>
      `--${BOUNDARY}\r\ncontent-disposition: form-data; name="${name}"${name === 'file' ? '; filename="a.mp3"' : ''}\r\n\r\n${value}\r\n`,
  );
  return {
    path: `/proxy${path}`,
    headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
    body: `${parts.join('')}--${BOUNDARY}--\r\n`,
  };
}

const transcribed = (text: string): string =>
  sse('transcript.text.delta', { type: 'transcript.text.delta', delta: text });
const SPOKEN = { model: 'gpt-4o-mini-tts', input: 'Say (all) of it', voice: 'ash' };
/** `Say`, `(all`, `)`, `of`, `it`. */
const TO_SAY = { input_tokens: 5 };
const IMAGE = { model: 'gpt-image-1', prompt: 'Paint a cat' };
/** `Paint`, `a`, `cat`. */
const TO_PAINT = { input_tokens: 3 };
const SUBMITTED = { requests: 1, usd: '0.025' };
/** $0.025 with 20 %, and the request. */
const SUBMIT_COST = 30_012;

const SCENES: Record<string, Scene> = {
  'OpenAI: speech by the character': {
    request: post('/openai/v1/audio/speech', { ...SPOKEN, model: 'tts-1' }),
    type: 'audio/mpeg',
    parts: SOUND,
    counted: [NOTHING, NOTHING, NOTHING],
    reported: { characters: 15 },
    atHead: true,
    whole: 'header',
    endsWithReport: true,
  },
  'OpenAI: streamed speech by the token': {
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
  'OpenAI: speech that reports nothing': {
    request: post('/openai/v1/audio/speech', SPOKEN),
    type: 'audio/mpeg',
    parts: SOUND,
    counted: [TO_SAY, TO_SAY, TO_SAY],
    // 15 bytes of text are a second, of 21 tokens.
    reported: { ...TO_SAY, audio_output_tokens: 21 },
    whole: 'estimated',
    endsWithReport: true,
  },
  'OpenAI: a streamed transcript by the token': {
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
      'data: [DONE]\n\n',
    ],
    counted: [NOTHING, { output_tokens: 1 }, { output_tokens: 4 }],
    reported: { input_tokens: 10, output_tokens: 30, audio_input_tokens: 60 },
  },
  'OpenAI: subtitles by the second': {
    request: form('/openai/v1/audio/transcriptions', { model: 'whisper-1', response_format: 'srt' }),
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
  },
  'OpenAI: an image by the token': {
    request: post('/openai/v1/images/generations', IMAGE),
    type: JSON_TYPE,
    parts: ['{"data":[{"b64_json":"AAAA', 'BBBB"}],', '"usage":{"input_tokens":9,"output_tokens":40}}', ''],
    counted: [TO_PAINT, TO_PAINT, TO_PAINT],
    reported: { input_tokens: 9, image_tokens: 40 },
    endsWithReport: true,
  },
  'OpenAI: a streamed image by the token': {
    request: post('/openai/v1/images/generations', { ...IMAGE, stream: true }),
    type: STREAM_TYPE,
    parts: [
      sse('image_generation.partial_image', { type: 'image_generation.partial_image', b64_json: 'AAAA' }),
      sse('image_generation.partial_image', { type: 'image_generation.partial_image', b64_json: 'BBBB' }),
      sse('image_generation.completed', {
        type: 'image_generation.completed',
        usage: { input_tokens: 9, output_tokens: 40 },
      }),
      '',
    ],
    counted: [TO_PAINT, TO_PAINT, TO_PAINT],
    reported: { input_tokens: 9, image_tokens: 40 },
    endsWithReport: true,
  },
  'OpenAI: images by the image': {
    request: post('/openai/v1/images/generations', { model: 'dall-e-2', prompt: 'a cat', n: 2 }),
    type: JSON_TYPE,
    parts: ['{"data":[{"url":"https://a', '"},{"url":"https://b', '"}]}', ''],
    counted: [NOTHING, { images: 1 }, { images: 2 }],
    reported: { images: 2 },
    endsWithReport: true,
  },
  'ElevenLabs: speech by the character': {
    request: post('/elevenlabs/v1/text-to-speech/v-1/stream', { text: 'Say (all)', model_id: 'eleven_v3' }),
    type: 'audio/mpeg',
    headers: { 'character-cost': '9' },
    parts: SOUND,
    counted: [NOTHING, NOTHING, NOTHING],
    reported: { characters: 9 },
    atHead: true,
    whole: 'header',
    endsWithReport: true,
  },
  'ElevenLabs: a transcript': {
    request: form('/elevenlabs/v1/speech-to-text', { model_id: 'scribe_v1' }),
    type: JSON_TYPE,
    parts: [
      '{"text":"One two","words":[{"text":"One","end":1.5},',
      '{"text":"two","end":2.5}],',
      '"audio_duration_secs":4}',
      '',
    ],
    counted: [NOTHING, { audio_seconds: 1.5 }, { audio_seconds: 2.5 }],
    reported: { audio_seconds: 4 },
    endsWithReport: true,
  },
  'ElevenLabs: a transcript that says no length': {
    request: form('/elevenlabs/v1/speech-to-text', { model_id: 'scribe_v1' }),
    type: JSON_TYPE,
    parts: ['{"text":"One two","words":[{"text":"One","end":1.5},', '{"text":"two","end":2.5}', ']}', ''],
    counted: [NOTHING, { audio_seconds: 1.5 }, { audio_seconds: 2.5 }],
    reported: { audio_seconds: 2.5 },
    whole: 'estimated',
    endsWithReport: true,
  },
  'MuAPI: a submit whose body names the cost': {
    request: post('/muapi/api/v1/flux-dev-image', { prompt: 'a cat' }),
    type: JSON_TYPE,
    parts: ['{"request_id":"r-1",', '"status":"processing",', '"cost":{"amount_usd":0.025}}', ''],
    counted: [{ requests: 1 }, { requests: 1 }, { requests: 1 }],
    reported: SUBMITTED,
    cost: SUBMIT_COST,
    endsWithReport: true,
  },
  'MuAPI: a submit whose head names the cost': {
    request: post('/muapi/api/v1/flux-dev-image', { prompt: 'a cat' }),
    type: JSON_TYPE,
    headers: { 'x-muapi-cost-usd': '0.025' },
    parts: ['{"request_id":"r-1",', '"status":"processing",', '"cost":{"amount_usd":0.025}}', ''],
    counted: [NOTHING, NOTHING, NOTHING],
    reported: SUBMITTED,
    cost: SUBMIT_COST,
    atHead: true,
    endsWithReport: true,
  },
  'Composio: the call of a tool': {
    request: post('/composio/api/v3.1/tools/execute/GITHUB_GET_REPO', { arguments: {} }),
    type: JSON_TYPE,
    parts: ['{"data":{"name":"x"},', '"successful":true,', '"log_id":"l-1"}', ''],
    counted: [NOTHING, NOTHING, NOTHING],
    reported: { 'composio.action_call': 1 },
    atHead: true,
    whole: 'header',
    endsWithReport: true,
  },
};

describeExitPoints(SCENES);
