import type { Provider } from '../provider.js';
import { rateKeys } from './gemini.models.js';
import { routes } from './gemini.routes.js';

/** They would take the usage out of the answer, make another method of the request, or name another account to bill. */
const NEVER_FORWARDED = ['x-goog-fieldmask', 'x-http-method-override', 'x-goog-user-project'];

export const gemini: Provider = {
  slug: 'gemini',
  upstream: 'https://generativelanguage.googleapis.com',
  holdCeiling: 1_000_000n,
  routes,
  target: withPlainColons,
  authorize({ path, headers }, secret) {
    for (const name of NEVER_FORWARDED) delete headers[name];
    // Never as `?key=`, which redirects and logs would carry on.
    if (path.startsWith('/v1beta/openai/')) headers.authorization = `Bearer ${secret}`;
    else headers['x-goog-api-key'] = secret;
  },
  // Absolute addresses: the next request would go there without us.
  accountHeaders: { answered: ['x-goog-upload-url', 'x-goog-upload-control-url'] },
  rateKeys,
};

/** Clients may write the colon before a method's name as `%3A`. */
function withPlainColons(raw: string): string {
  const queryAt = raw.indexOf('?');
  const path = queryAt < 0 ? raw : raw.slice(0, queryAt);
  return path.replace(/%3a/gi, ':') + raw.slice(path.length);
}
