import type { Provider } from '../provider.js';
import { feed } from './muapi.feed.js';
import { rateKeys } from './muapi.models.js';
import { routes } from './muapi.routes.js';
import { isRefunded } from './muapi.usage.js';

export const muapi: Provider = {
  slug: 'muapi',
  upstream: 'https://api.muapi.ai',
  variables: { keys: ['MUAPI_API_KEY'], baseUrl: { name: 'MUAPI_BASE_URL', path: '/api/v1' } },
  holdCeiling: 500_000n,
  routes,
  feed,
  /** Its own base URL ends in `/api/v1`, ours in `/v1` as every provider's does. */
  target(raw) {
    return raw.startsWith('/v1/') ? `/api${raw}` : raw;
  },
  authorize({ headers }, secret) {
    headers['x-api-key'] = secret;
  },
  // What the operator's wallet holds, and what the call took from it.
  accountHeaders: { answered: ['x-account-balance', 'x-muapi-*'] },
  outOfFunds: (status) => status === 402,
  rateKeys,
  refunds: { isRefunded },
};
