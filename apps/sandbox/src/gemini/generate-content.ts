import { type Exchange, type Json, sendParts } from '../wire.js';
import { geminiStatusError, listedError, pretty, sendPretty } from './gemini-wire.js';
import { type Generation, generate, promptCounts, sumOf, usageMetadata } from './generation.js';

/** POST /{version}/models/{model}:generateContent */
export function answerGenerate(exchange: Exchange, body: Json): void {
  sendPretty(exchange, whole(generate(modelIn(exchange), exchange.behaviour, body)));
}

/** POST /{version}/models/{model}:countTokens */
export function answerCountTokens(exchange: Exchange, body: Json): void {
  const counts = promptCounts({ ...body, ...(body.generateContentRequest as Json | undefined) });
  sendPretty(exchange, { totalTokens: sumOf(counts), promptTokensDetails: counts });
}

/** POST /{version}/models/{model}:streamGenerateContent: events with `alt=sse`, else one JSON array that grows. */
export function answerStream(exchange: Exchange, body: Json): void {
  const told = chunks(generate(modelIn(exchange), exchange.behaviour, body));
  if (exchange.query.get('alt') === 'sse') {
    const event = (chunk: unknown): string => `data: ${JSON.stringify(chunk)}\r\n\r\n`;
    const type = { 'content-type': 'text/event-stream' };
    sendParts(exchange, type, told.map(event), [event(geminiStatusError(503))]);
    return;
  }
  const element = (chunk: unknown, index: number): string => `${index === 0 ? '[' : ',\r\n'}${pretty(chunk)}`;
  const type = { 'content-type': 'application/json; charset=UTF-8' };
  const failure = `${element(geminiStatusError(503), exchange.behaviour.errorevent ?? 0)}]`;
  sendParts(exchange, type, [...told.map(element), ']'], [failure]);
}

/** Errors of a stream that is no event stream are elements of its array. */
export function streamError(status: number, message: string | undefined, query: URLSearchParams): unknown {
  return query.get('alt') === 'sse' ? geminiStatusError(status, message) : listedError(status, message);
}

function modelIn({ params }: Exchange): string {
  return params.model ?? '';
}

function whole(generation: Generation): Json {
  const { parts, counts } = generation;
  const text = parts.filter((part) => typeof part.text === 'string' && part.thought === undefined);
  const merged = text.length > 0 ? [{ text: text.map((part) => part.text).join('') }] : [];
  const shown = [...parts.filter((part) => !text.includes(part)), ...merged];
  return response(generation, shown, { finishReason: generation.finishReason }, counts.said);
}

/** Counts are cumulative. A chunk that says nothing yet carries no count of what was said. */
function chunks(generation: Generation): Json[] {
  const { parts, saidWith, finishReason, candidates, counts } = generation;
  if (parts.length === 0) return [response(generation, [], { finishReason }, null)];
  return parts.map((part, index) => {
    const last = index === parts.length - 1;
    const said = (saidWith[index] ?? 0) * candidates;
    return response(generation, [part], last ? { finishReason } : {}, last ? counts.said : said || null);
  });
}

function response(generation: Generation, parts: readonly Json[], end: Json, said: number | null): Json {
  const { id, model, candidates, grounding, counts, silent } = generation;
  const content = { ...(parts.length === 0 ? {} : { parts }), role: 'model' };
  return {
    candidates: Array.from({ length: candidates }, (_, index) => ({
      content,
      ...end,
      index,
      ...('finishReason' in end ? grounding : {}),
    })),
    ...(silent ? {} : { usageMetadata: usageMetadata(counts, said) }),
    modelVersion: model,
    responseId: id,
  };
}
