import type { IncomingMessage } from 'node:http';
import { bearer, get, headerOf, post, type Route, type Upstream } from '../upstream.js';
import { answerBatchEmbed, answerEmbed } from './embed-content.js';
import { geminiCredentialError, geminiHeaders, geminiStatusError, listedError } from './gemini-wire.js';
import { answerCountTokens, answerGenerate, answerStream, streamError } from './generate-content.js';
import { answerInteractions, interactionsError } from './interactions.js';
import { answerModel, answerModels } from './models.js';
import { answerOpenai } from './openai-compatible.js';

/** All of them exist under each version; the newest clients take `v1`, those before `v1beta`. */
function routesOf(version: string): Route[] {
  const model = `/${version}/models/{model}`;
  return [
    post(`${model}:generateContent`, answerGenerate),
    post(`${model}:streamGenerateContent`, answerStream, { statusError: streamError }),
    post(`${model}:countTokens`, answerCountTokens),
    post(`${model}:embedContent`, answerEmbed),
    post(`${model}:batchEmbedContents`, answerBatchEmbed),
    get(`/${version}/models`, answerModels),
    get(model, answerModel),
    post(`/${version}/interactions`, answerInteractions, { statusError: interactionsError }),
    post(`/${version}/openai/chat/completions`, answerOpenai, { statusError: listedError }),
  ];
}

export const gemini: Upstream = {
  slug: 'gemini',
  ownPaths:
    /^\/(?:v1beta|v1alpha)\/|^\/v1\/(?:models\/[^/]+:(?:stream)?(?:[gG]enerate|count|embed|batchEmbed)[A-Z][a-z]+$|interactions|openai\/)/,
  sharedPaths: /^\/v1\//,
  marked: (headers, query) => 'x-goog-api-key' in headers || query.has('key'),
  routes: ['v1beta', 'v1', 'v1alpha'].flatMap(routesOf),
  headers: geminiHeaders,
  credential: credentialIn,
  modelOf: (body, { model }) => model ?? body.model,
  statusError: geminiStatusError,
  refusals: { credential: 400, body: 400 },
  credentialError: geminiCredentialError,
};

/** A bearer is taken for OAuth and by the routes in OpenAI's words; here it is good everywhere. */
function credentialIn({ headers, url = '' }: IncomingMessage): string {
  const [, query = ''] = url.split('?', 2);
  return headerOf(headers, 'x-goog-api-key') || new URLSearchParams(query).get('key') || bearer(headers);
}
