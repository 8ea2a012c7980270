import { objectOf } from '../foreign-json.js';
import type { Provider } from '../provider.js';
import { readTokenCount } from './gemini.counting.js';
import { rateKeys } from './gemini.models.js';
import { routes } from './gemini.routes.js';

/** They would take the usage out of the answer, make another method of the request, or name another account to bill. */
const NEVER_FORWARDED = ['x-goog-fieldmask', 'x-http-method-override', 'x-goog-user-project'];

/** The API in the shape of OpenAI's. */
const COMPATIBLE = /^\/v1[a-z]*\/openai\//;

const NO_FUNDS = /credits are depleted|spending cap|billing (?:is|has been) disabled|requires billing/i;

export const gemini: Provider = {
  slug: 'gemini',
  upstream: 'https://generativelanguage.googleapis.com',
  variables: {
    keys: ['GOOGLE_API_KEY', 'GEMINI_API_KEY'],
    baseUrl: { name: 'GOOGLE_GEMINI_BASE_URL', path: '' },
  },
  holdCeiling: 1_000_000n,
  routes,
  target: withPlainColons,
  authorize({ path, headers }, secret) {
    for (const name of NEVER_FORWARDED) delete headers[name];
    // Never as `?key=`, which redirects and logs would carry on.
    if (COMPATIBLE.test(path)) headers.authorization = `Bearer ${secret}`;
    else headers['x-goog-api-key'] = secret;
  },
  // Absolute addresses: the next request would go there without us.
  accountHeaders: { answered: ['x-goog-upload-url', 'x-goog-upload-control-url'] },
  /** A rate limit has the same code and status; only the words of prepaid credits and spending caps are not of one. */
  outOfFunds(_status, { error }) {
    const { status, message } = objectOf(error);
    const isOfFunds = status === 'RESOURCE_EXHAUSTED' || status === 'PERMISSION_DENIED';
    return isOfFunds && typeof message === 'string' && NO_FUNDS.test(message);
  },
  rateKeys,
  jobs: { needs: ['input_tokens'], read: readTokenCount },
};

/** Clients may write the colon before a method's name as `%3A`. */
function withPlainColons(raw: string): string {
  const queryAt = raw.indexOf('?');
  const path = queryAt < 0 ? raw : raw.slice(0, queryAt);
  return path.replace(/%3a/gi, ':') + raw.slice(path.length);
}
