import { imageBase64 } from '../media.js';
import { promptTokens } from '../reply.js';
import { filesOf } from '../request-body.js';
import { type Exchange, type Json, newId, sendEvents, sendJson } from '../wire.js';
import { openaiStatusError } from './openai-wire.js';

const TOKENS_PER_IMAGE = 272;
const TOKENS_PER_PARTIAL = 100;

/** POST /v1/images/generations */
export function answerGenerations(exchange: Exchange, body: Json): void {
  answerImages(exchange, body, 'image_generation');
}

/** POST /v1/images/edits */
export function answerEdits(exchange: Exchange, body: Json): void {
  answerImages(exchange, body, 'image_edit');
}

/** POST /v1/images/variations, of dall-e-2 unless told. */
export function answerVariations(exchange: Exchange, body: Json): void {
  answerImages(exchange, { model: 'dall-e-2', ...body }, 'image_generation');
}

function answerImages(exchange: Exchange, body: Json, kind: string): void {
  const count = countOf(body.n) || 1;
  if (String(body.model).startsWith('dall-e')) {
    sendJson(exchange, 200, { created: seconds(), data: Array.from({ length: count }, () => linked(body)) });
    return;
  }
  const frame = {
    created: seconds(),
    background: 'opaque',
    output_format: String(body.output_format ?? 'png'),
    quality: String(body.quality ?? 'low'),
    size: String(body.size ?? '1024x1024'),
  };
  const b64_json = imageBase64(exchange.behaviour);
  if (String(body.stream) === 'true') {
    const partials = countOf(body.partial_images);
    const usage = usageOf(body, TOKENS_PER_IMAGE + partials * TOKENS_PER_PARTIAL);
    const failure = event('error', { error: openaiStatusError(500).error });
    sendEvents(exchange, events(kind, { ...frame, b64_json }, partials, usage, exchange), [failure]);
    return;
  }
  const usage = usageOf(body, TOKENS_PER_IMAGE * count);
  sendJson(exchange, 200, {
    created: frame.created,
    background: frame.background,
    data: Array.from({ length: count }, () => ({ b64_json })),
    output_format: frame.output_format,
    quality: frame.quality,
    size: frame.size,
    ...(exchange.behaviour.nousage ? {} : { usage }),
  });
}

function seconds(): number {
  return Math.floor(Date.now() / 1_000);
}

/** A count from a form, where numbers are text. */
function countOf(value: unknown): number {
  return /^\d{1,2}$/.test(String(value)) ? Number(value) : 0;
}

/** An image of dall-e: a link, with ids of the account in it, unless base64 is asked for. */
function linked({ prompt, response_format }: Json): Json {
  if (response_format === 'b64_json') return { b64_json: imageBase64({ bytes: 600 }) };
  const url = `https://images.example/org-sandbox/user-sandbox/${newId('img-')}.png`;
  return { url, ...(prompt === undefined ? {} : { revised_prompt: prompt }) };
}

function usageOf(body: Json, output: number): Json {
  const text = promptTokens(body.prompt, 0);
  const image = TOKENS_PER_IMAGE * filesOf(body).length;
  return {
    input_tokens: text + image,
    input_tokens_details: { image_tokens: image, text_tokens: text },
    output_tokens: output,
    output_tokens_details: { image_tokens: output, text_tokens: 0 },
    total_tokens: text + image + output,
  };
}

function event(type: string, data: Json): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`;
}

function events(kind: string, image: Json, partials: number, usage: Json, { behaviour }: Exchange): string[] {
  const { created, ...rest } = image;
  const frame = { ...rest, created_at: created };
  const partial = (index: number): string =>
    event(`${kind}.partial_image`, { ...frame, partial_image_index: index });
  return [
    ...Array.from({ length: partials }, (_, index) => partial(index)),
    event(`${kind}.completed`, { ...frame, ...(behaviour.nousage ? {} : { usage }) }),
  ];
}
