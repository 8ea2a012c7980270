import { HEARD, secondsHeard, secondsOf, wordsOver } from '../media.js';
import { filesOf } from '../request-body.js';
import { type Exchange, type Json, newId, sendJson } from '../wire.js';
import { charged, elevenlabsStatusError } from './elevenlabs-wire.js';

/** What lies behind a link that nobody looks at. */
const LINKED_BYTES = 960_000;

/** POST /v1/speech-to-text: a form with a file, or with a link to one. */
export function answerSpeechToText(exchange: Exchange, body: Json): void {
  const links = [body.cloud_storage_url, body.source_url].filter((link) => typeof link === 'string');
  if (filesOf(body).length + links.length === 0) {
    sendJson(exchange, 422, elevenlabsStatusError(422));
    return;
  }
  const seconds =
    links.length > 0 && exchange.behaviour.seconds === null
      ? secondsOf(LINKED_BYTES)
      : secondsHeard(body, exchange.behaviour);
  const isMulti = String(body.use_multi_channel) === 'true';
  const channels = isMulti ? [0, 1] : [0];
  const duration = exchange.behaviour.nousage ? {} : { audio_duration_secs: seconds };
  const transcripts = channels.map((channel) => ({
    ...heard(seconds),
    ...(isMulti ? { channel_index: channel } : {}),
  }));
  const shown = isMulti ? { transcripts } : transcripts[0];
  sendJson(charged(exchange, Math.ceil(seconds) * channels.length), 200, {
    ...shown,
    transcription_id: newId('transcript'),
    ...duration,
  });
}

function heard(seconds: number): Json {
  const words = wordsOver(HEARD, seconds).flatMap(({ text, start, end }, index) => [
    ...(index === 0 ? [] : [word(' ', 'spacing', start, start)]),
    word(text, 'word', start, end),
  ]);
  return { language_code: 'eng', language_probability: 1, text: HEARD, words };
}

function word(text: string, type: string, start: number, end: number): Json {
  return { text, start, end, type, speaker_id: 'speaker_0', logprob: 0 };
}
