import { speechOf } from '../media.js';
import { promptTokens, tokensOf } from '../reply.js';
import { type Exchange, type Json, sendEvents, sendParts } from '../wire.js';
import { openaiStatusError } from './openai-wire.js';

const TYPES: Readonly<Record<string, string>> = {
  mp3: 'audio/mpeg',
  opus: 'audio/opus',
  aac: 'audio/aac',
  flac: 'audio/flac',
  wav: 'audio/wav',
  pcm: 'audio/pcm',
};

/** POST /v1/audio/speech: bytes of sound (silent MP3 frames, whatever format is asked for), or events with them. */
export function answerSpeech(exchange: Exchange, body: Json): void {
  const text = String(body.input ?? '');
  const sound = speechOf(text, exchange.behaviour);
  if (body.stream_format !== 'sse') {
    const type = TYPES[String(body.response_format ?? 'mp3')] ?? 'audio/mpeg';
    sendParts(exchange, { 'content-type': type }, sound, []);
    return;
  }
  const input = promptTokens([text, body.instructions], 0);
  const output = tokensOf('x'.repeat(text.length * 10));
  const usage = { input_tokens: input, output_tokens: output, total_tokens: input + output };
  const event = (data: Json): string => `data: ${JSON.stringify(data)}\n\n`;
  sendEvents(
    exchange,
    [
      ...sound.map((part) => event({ type: 'speech.audio.delta', audio: part.toString('base64') })),
      event({ type: 'speech.audio.done', ...(exchange.behaviour.nousage ? {} : { usage }) }),
    ],
    [`data: ${JSON.stringify(openaiStatusError(500))}\n\n`],
  );
}
