import { type Exchange, type Json, listOf, objectOf, sendEvents, sendJson } from '../wire.js';
import { listedError } from './gemini-wire.js';
import { type Generation, generate, sumOf } from './generation.js';

/** POST /v1beta/openai/chat/completions: thinking is in the total only. */
export function answerOpenai(exchange: Exchange, body: Json): void {
  const generation = generate(String(body.model), exchange.behaviour, asContents(body));
  const said = generation.parts.filter(({ text, thought }) => text !== undefined && thought === undefined);
  const pieces = said.map(({ text }) => String(text));
  const created = Math.floor(Date.now() / 1_000);
  const usage = generation.silent ? {} : { usage: usageOf(generation) };
  const frame = (object: string, choice: Json, more: Json): Json => ({
    choices: [{ index: 0, ...choice }],
    created,
    id: generation.id,
    model: body.model,
    object,
    ...more,
  });
  const finish_reason = generation.finishReason === 'MAX_TOKENS' ? 'length' : 'stop';
  if (body.stream !== true) {
    const message = { role: 'assistant', content: pieces.join('') };
    sendJson(exchange, 200, frame('chat.completion', { finish_reason, message }, usage));
    return;
  }
  const asked = objectOf(body.stream_options).include_usage === true;
  const chunk = (choice: Json, more: Json): string =>
    `data: ${JSON.stringify(frame('chat.completion.chunk', choice, more))}\n\n`;
  sendEvents(
    exchange,
    [
      ...pieces.map((content) => chunk({ delta: { content, role: 'assistant' } }, {})),
      chunk({ delta: { role: 'assistant' }, finish_reason }, asked ? usage : {}),
      'data: [DONE]\n\n',
    ],
    [`data: ${JSON.stringify(listedError(503, undefined))}\n\n`],
  );
}

function asContents({ messages, max_tokens, max_completion_tokens }: Json): Json {
  return {
    contents: listOf(messages)
      .map(objectOf)
      .map(({ role, content }) => ({ role, parts: [{ text: content }] })),
    generationConfig: { maxOutputTokens: max_completion_tokens ?? max_tokens },
  };
}

function usageOf({ counts }: Generation): Json {
  const prompt_tokens = sumOf(counts.prompt);
  const completion_tokens = counts.said ?? 0;
  return {
    completion_tokens,
    prompt_tokens,
    total_tokens: prompt_tokens + completion_tokens + counts.thoughts,
  };
}
