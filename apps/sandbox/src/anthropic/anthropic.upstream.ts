import { bearer, get, headerOf, post, type Upstream } from '../upstream.js';
import { anthropicHeaders, anthropicStatusError } from './anthropic-wire.js';
import { answerCountTokens, answerMessages } from './messages.js';
import { answerModel, answerModels } from './models.js';

export const anthropic: Upstream = {
  slug: 'anthropic',
  ownPaths: /^\/v1\/messages/,
  sharedPaths: /^\/v1\//,
  marked: (headers) => 'anthropic-version' in headers || 'x-api-key' in headers,
  routes: [
    post('/v1/messages', answerMessages),
    post('/v1/messages/count_tokens', answerCountTokens),
    get('/v1/models', answerModels),
    get('/v1/models/{id}', answerModel),
  ],
  headers: anthropicHeaders,
  /** The SDK sends a key as `x-api-key` up to 0.x and as a bearer from 1.0 on. */
  credential: ({ headers }) => headerOf(headers, 'x-api-key') || bearer(headers),
  modelOf: ({ model }) => model,
  statusError: anthropicStatusError,
  refusals: { credential: 401, body: 400 },
};
