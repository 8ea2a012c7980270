import { HEARD, secondsHeard, subRip, webVtt, wordsOver } from '../media.js';
import { composeReply, tokensOf } from '../reply.js';
import { type Exchange, type Json, sendEvents, sendJson } from '../wire.js';
import { openaiStatusError } from './openai-wire.js';

const AUDIO_TOKENS_PER_SECOND = 10;

/** What was heard. */
interface Transcript {
  text: string;
  pieces: readonly string[];
  seconds: number;
}

/** POST /v1/audio/transcriptions: whisper reports whole seconds, every other model tokens. */
export function answerTranscriptions(exchange: Exchange, body: Json): void {
  const heard = hear(exchange, body);
  const usage = exchange.behaviour.nousage ? {} : { usage: usageOf(heard, String(body.model), body.prompt) };
  if (String(body.stream) === 'true') {
    sendEvents(exchange, events(heard, usage), [`data: ${JSON.stringify(openaiStatusError(500))}\r\n\r\n`]);
    return;
  }
  sendFormat(exchange, String(body.response_format ?? 'json'), 'transcribe', heard, usage);
}

/** POST /v1/audio/translations: no usage, in any format. */
export function answerTranslations(exchange: Exchange, body: Json): void {
  sendFormat(exchange, String(body.response_format ?? 'json'), 'translate', hear(exchange, body), {});
}

function hear({ behaviour }: Exchange, body: Json): Transcript {
  const isOwn = behaviour.chunks !== null || behaviour.bytes !== null;
  const pieces = isOwn ? composeReply('', behaviour, null).pieces : HEARD.split(/(?= )/);
  return { pieces, text: pieces.join(''), seconds: secondsHeard(body, behaviour) };
}

function usageOf({ text, seconds }: Transcript, model: string, prompt: unknown): Json {
  if (model.startsWith('whisper')) return { type: 'duration', seconds: Math.ceil(seconds) };
  const words = typeof prompt === 'string' ? tokensOf(prompt) : 0;
  const sound = Math.ceil(seconds * AUDIO_TOKENS_PER_SECOND);
  const output = tokensOf(text);
  return {
    type: 'tokens',
    total_tokens: words + sound + output,
    input_tokens: words + sound,
    input_token_details: { text_tokens: words, audio_tokens: sound },
    output_tokens: output,
  };
}

function sendFormat(exchange: Exchange, format: string, task: string, heard: Transcript, usage: Json): void {
  const { text, seconds } = heard;
  const plain = (body: string): void => {
    const headers = { ...exchange.headers, 'content-type': 'text/plain; charset=utf-8' };
    sendJson({ ...exchange, headers }, 200, Buffer.from(body));
  };
  switch (format) {
    case 'text':
      plain(`${text}\n`);
      return;
    case 'srt':
      plain(subRip(text, seconds));
      return;
    case 'vtt':
      plain(webVtt(text, seconds));
      return;
    case 'verbose_json':
      sendJson(exchange, 200, { task, ...verbose(heard), ...usage });
      return;
    case 'diarized_json':
      sendJson(exchange, 200, { task, duration: seconds, text, segments: [speaker(heard)], ...usage });
      return;
    default:
      sendJson(exchange, 200, { text, ...usage });
  }
}

function verbose({ text, seconds }: Transcript): Json {
  const segment = {
    id: 0,
    seek: 0,
    start: 0,
    end: seconds,
    text,
    tokens: [50_364, 440, 50_564],
    temperature: 0,
    avg_logprob: -0.2,
    compression_ratio: 1.1,
    no_speech_prob: 0.01,
  };
  const words = wordsOver(text, seconds).map(({ text: word, start, end }) => ({ word, start, end }));
  return { language: 'english', duration: seconds, text, segments: [segment], words };
}

function speaker({ text, seconds }: Transcript): Json {
  return { type: 'transcript.text.segment', id: 'seg_0', start: 0, end: seconds, text, speaker: 'A' };
}

/** This stream of OpenAI's alone has lines that end in CRLF. */
function events({ pieces, text }: Transcript, usage: Json): string[] {
  const event = (data: Json): string => `data: ${JSON.stringify(data)}\r\n\r\n`;
  return [
    ...pieces.map((delta) => event({ type: 'transcript.text.delta', delta })),
    event({ type: 'transcript.text.done', text, ...usage }),
    'data: [DONE]\r\n\r\n',
  ];
}
