import { vectorOf } from '../embedding.js';
import { promptTokens } from '../reply.js';
import { type Exchange, type Json, listOf, objectOf } from '../wire.js';
import { sendPretty } from './gemini-wire.js';

/** POST /{version}/models/{model}:embedContent */
export function answerEmbed(exchange: Exchange, body: Json): void {
  sendPretty(exchange, { embedding: embedding(body), ...usage(exchange, [body]) });
}

/** POST /{version}/models/{model}:batchEmbedContents */
export function answerBatchEmbed(exchange: Exchange, body: Json): void {
  const requests = listOf(body.requests).map(objectOf);
  sendPretty(exchange, { embeddings: requests.map(embedding), ...usage(exchange, requests) });
}

function embedding({ outputDimensionality }: Json): Json {
  return { values: vectorOf({ dimensions: outputDimensionality ?? 768 }) };
}

/** The first generation of these models reports none; the second does, under a name of its own (`promptTokenDetails`). */
function usage({ params, behaviour }: Exchange, requests: readonly Json[]): Json {
  if (behaviour.nousage || params.model === 'gemini-embedding-001') return {};
  const tokenCount = promptTokens(
    requests.map(({ content }) => content),
    0,
  );
  return {
    usageMetadata: { promptTokenCount: tokenCount, promptTokenDetails: [{ modality: 'TEXT', tokenCount }] },
  };
}
