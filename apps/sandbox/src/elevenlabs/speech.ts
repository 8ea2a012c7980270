import { speechOf } from '../media.js';
import { type Exchange, type Headers, type Json, newId, sendJson, sendParts } from '../wire.js';
import { charged, creditsOf, elevenlabsStatusError } from './elevenlabs-wire.js';

const SECONDS_PER_CHARACTER = 0.06;
const CREDITS_PER_SECOND_OF_SOUND = 40;
const CREDITS_PER_SOUND = 200;

/** POST /v1/text-to-speech/{voice} and /stream: chunked bytes of sound either way. */
export function answerSpeech(exchange: Exchange, body: Json): void {
  const text = textOf(exchange, body);
  if (text === null) return;
  sendParts(billed(exchange, body, text), typeOf(exchange), speechOf(text, exchange.behaviour), []);
}

/** POST /v1/text-to-speech/{voice}/with-timestamps: one object. */
export function answerTimestamps(exchange: Exchange, body: Json): void {
  const text = textOf(exchange, body);
  if (text === null) return;
  sendJson(
    billed(exchange, body, text),
    200,
    aligned(text, 0, Buffer.concat(speechOf(text, exchange.behaviour))),
  );
}

/** POST /v1/text-to-speech/{voice}/stream/with-timestamps: objects, one a line. */
export function answerTimestampStream(exchange: Exchange, body: Json): void {
  const text = textOf(exchange, body);
  if (text === null) return;
  const words = text.match(/\s*\S+\s*/g) ?? [text];
  let at = 0;
  const lines = words.map((word) => {
    const line = `${JSON.stringify(aligned(word, at, Buffer.concat(speechOf(word, exchange.behaviour))))}\n`;
    at += [...word].length;
    return line;
  });
  sendParts(billed(exchange, body, text), { 'content-type': 'application/json' }, lines, []);
}

/** POST /v1/sound-generation: by length where one is asked for. */
export function answerSound(exchange: Exchange, body: Json): void {
  const text = textOf(exchange, body);
  if (text === null) return;
  const { duration_seconds: seconds } = body;
  const credits =
    typeof seconds === 'number' ? Math.ceil(seconds * CREDITS_PER_SECOND_OF_SOUND) : CREDITS_PER_SOUND;
  sendParts(charged(exchange, credits), typeOf(exchange), speechOf(text, exchange.behaviour), []);
}

/** Null when there is none: it has been answered then. */
function textOf(exchange: Exchange, { text }: Json): string | null {
  if (typeof text === 'string' && text !== '') return text;
  sendJson(exchange, 422, elevenlabsStatusError(422));
  return null;
}

function billed(exchange: Exchange, { model_id }: Json, text: string): Exchange {
  return charged(exchange, creditsOf(text, model_id), { 'history-item-id': newId('history') });
}

function typeOf({ query }: Exchange): Headers {
  const format = query.get('output_format') ?? 'mp3_44100_128';
  return { 'content-type': format.startsWith('pcm') ? 'audio/pcm' : 'audio/mpeg' };
}

/** Sound, and when each character of the text is heard in it. @param from characters before it. */
function aligned(text: string, from: number, sound: Buffer): Json {
  const characters = [...text];
  const at = (index: number): number => Math.round((from + index) * SECONDS_PER_CHARACTER * 1_000) / 1_000;
  const alignment = {
    characters,
    character_start_times_seconds: characters.map((_, index) => at(index)),
    character_end_times_seconds: characters.map((_, index) => at(index + 1)),
  };
  return { audio_base64: sound.toString('base64'), alignment, normalized_alignment: alignment };
}
