import { inputsOf, inputTokens, vectorOf } from '../embedding.js';
import { type Exchange, type Json, sendJson } from '../wire.js';
import { costsOf } from './costs.js';
import { generation } from './openrouter-wire.js';

/** POST /api/v1/embeddings: OpenAI's, with what they cost. */
export function answerEmbeddings(exchange: Exchange, body: Json): void {
  const { id, answered } = generation(exchange, 'gen-emb-');
  const inputs = inputsOf(body.input);
  const prompt = inputs.reduce<number>((sum, input) => sum + inputTokens(input), 0);
  const consumed = { prompt, cached: 0, written: 0, completion: 0, searches: 0 };
  const usage = { prompt_tokens: prompt, total_tokens: prompt, ...costsOf(consumed, exchange.behaviour) };
  const embedding = vectorOf(body);
  sendJson(answered, 200, {
    object: 'list',
    data: inputs.map((_, index) => ({ object: 'embedding', embedding, index })),
    model: body.model,
    ...(exchange.behaviour.nousage ? {} : { usage }),
    provider: 'Sandbox',
    id,
  });
}
