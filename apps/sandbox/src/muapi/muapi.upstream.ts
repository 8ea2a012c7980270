import { get, headerOf, post, type Upstream } from '../upstream.js';
import { muapiStatusError } from './muapi-wire.js';
import { answerModels, answerResult, answerSubmit } from './predictions.js';

export const muapi: Upstream = {
  slug: 'muapi',
  ownPaths: /^\/api\/v1\/predictions\//,
  sharedPaths: /^\/api\/v1\//,
  marked: (headers) => 'x-api-key' in headers,
  routes: [
    get('/api/v1/models', answerModels, { open: true }),
    get('/api/v1/predictions/{id}/result', answerResult),
    post('/api/v1/{model...}', answerSubmit),
  ],
  /** The wallet of the account is in every answer: a gateway must take it out. */
  headers: () => ({ 'x-account-balance': '100.00' }),
  credential: ({ headers }) => headerOf(headers, 'x-api-key'),
  modelOf: (_body, { model }) => model?.replace(/\/.*/, ''),
  statusError: muapiStatusError,
  refusals: { credential: 401, body: 422 },
};
