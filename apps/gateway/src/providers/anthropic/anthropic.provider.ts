import { objectOf } from '../foreign-json.js';
import type { Provider } from '../provider.js';
import { rateKeys } from './anthropic.models.js';
import { routes } from './anthropic.routes.js';

/** Claude Code and other OAuth logins; such a token goes into Authorization, an API key into x-api-key. */
const OAUTH_TOKEN = 'sk-ant-oat';
const OAUTH_BETA = 'oauth-2025-04-20';

const NO_CREDIT = /^your credit balance is too low/i;

export const anthropic: Provider = {
  slug: 'anthropic',
  upstream: 'https://api.anthropic.com',
  variables: { keys: ['ANTHROPIC_API_KEY'], baseUrl: { name: 'ANTHROPIC_BASE_URL', path: '' } },
  holdCeiling: 1_000_000n,
  routes,
  authorize({ headers }, secret) {
    if (!secret.startsWith(OAUTH_TOKEN)) {
      headers['x-api-key'] = secret;
      return;
    }
    headers.authorization = `Bearer ${secret}`;
    const betas = headers['anthropic-beta'];
    headers['anthropic-beta'] = betas ? `${betas},${OAUTH_BETA}` : OAUTH_BETA;
  },
  accountHeaders: {
    sent: ['anthropic-workspace-id', 'anthropic-user-profile-id'],
    answered: ['anthropic-organization-id', 'anthropic-workspace-id', 'anthropic-ratelimit-*'],
  },
  /** Without credit it is an `invalid_request_error` like any other, but for its words. */
  outOfFunds(_status, { error }) {
    const { type, message } = objectOf(error);
    return type === 'billing_error' || (typeof message === 'string' && NO_CREDIT.test(message));
  },
  rateKeys,
};
