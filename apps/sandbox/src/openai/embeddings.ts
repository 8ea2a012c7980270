import { inputsOf, inputTokens, vectorOf } from '../embedding.js';
import { type Exchange, type Json, sendJson } from '../wire.js';

/** POST /v1/embeddings. Token ids count as one token each. */
export function answerEmbeddings(exchange: Exchange, body: Json): void {
  const inputs = inputsOf(body.input);
  const prompt = inputs.reduce<number>((sum, input) => sum + inputTokens(input), 0);
  const embedding = vectorOf(body);
  sendJson(exchange, 200, {
    object: 'list',
    data: inputs.map((_, index) => ({ object: 'embedding', index, embedding })),
    model: body.model,
    ...(exchange.behaviour.nousage ? {} : { usage: { prompt_tokens: prompt, total_tokens: prompt } }),
  });
}
