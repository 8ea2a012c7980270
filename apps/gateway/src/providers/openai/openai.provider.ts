import { nameOf, objectOf } from '../foreign-json.js';
import type { Provider } from '../provider.js';
import { rateKeys, tierAt } from './openai.models.js';
import { routes } from './openai.routes.js';

/** A rate limit, which is a 429 as well, has other words. */
const SAYS_NO_FUNDS = new Set(['insufficient_quota', 'billing_not_active', 'billing_hard_limit_reached']);

export const openai: Provider = {
  slug: 'openai',
  upstream: 'https://api.openai.com',
  variables: { keys: ['OPENAI_API_KEY'], baseUrl: { name: 'OPENAI_BASE_URL', path: '/v1' } },
  holdCeiling: 1_000_000n,
  routes,
  authorize({ headers }, secret) {
    headers.authorization = `Bearer ${secret}`;
  },
  accountHeaders: {
    // Browser clients put a key into the last.
    sent: ['openai-organization', 'openai-project', 'sec-websocket-protocol'],
    answered: ['openai-organization', 'openai-project'],
  },
  outOfFunds(_status, { error }) {
    const { code, type } = objectOf(error);
    return [code, type].some((word) => SAYS_NO_FUNDS.has(nameOf(word) ?? ''));
  },
  tierAt,
  rateKeys,
};
