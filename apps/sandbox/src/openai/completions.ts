import { composeReply, promptTokens, textIn } from '../reply.js';
import { type Exchange, type Json, newId, objectOf, sendEvents, sendJson, wholeNumber } from '../wire.js';
import { openaiStatusError } from './openai-wire.js';

/** POST /v1/completions: one text for each prompt, `n` times. */
export function answerCompletions(exchange: Exchange, body: Json): void {
  const prompts =
    Array.isArray(body.prompt) && typeof body.prompt[0] !== 'number' ? body.prompt : [body.prompt];
  const choices = prompts.length * (wholeNumber(body.n) ?? 1);
  const reply = composeReply(textIn(prompts.at(-1)), exchange.behaviour, wholeNumber(body.max_tokens));
  const prompt = prompts.reduce<number>((sum, one) => sum + inputTokens(one), 0);
  const output = reply.tokens * choices;
  const frame = {
    id: newId('cmpl-'),
    object: 'text_completion',
    created: Math.floor(Date.now() / 1_000),
    model: body.model,
  };
  const usage = { prompt_tokens: prompt, completion_tokens: output, total_tokens: prompt + output };
  const finish = reply.cut ? 'length' : 'stop';
  const choice = (index: number, text: string, finish_reason: string | null): Json => ({
    text,
    index,
    logprobs: null,
    finish_reason,
  });
  const indices = Array.from({ length: choices }, (_, index) => index);
  if (body.stream !== true) {
    const all = indices.map((index) => choice(index, reply.text, finish));
    sendJson(exchange, 200, { ...frame, choices: all, ...(exchange.behaviour.nousage ? {} : { usage }) });
    return;
  }
  const withUsage = objectOf(body.stream_options).include_usage === true;
  const chunk = (one: Json): string =>
    `data: ${JSON.stringify({ ...frame, choices: [one], ...(withUsage ? { usage: null } : {}) })}\n\n`;
  const events = indices.flatMap((index) => [
    ...reply.pieces.map((piece) => chunk(choice(index, piece, null))),
    chunk(choice(index, '', finish)),
  ]);
  if (withUsage && !exchange.behaviour.nousage)
    events.push(`data: ${JSON.stringify({ ...frame, choices: [], usage })}\n\n`);
  events.push('data: [DONE]\n\n');
  sendEvents(exchange, events, [`data: ${JSON.stringify(openaiStatusError(500))}\n\n`]);
}

function inputTokens(prompt: unknown): number {
  return Array.isArray(prompt) ? prompt.length : promptTokens(prompt, 0);
}
