import type { Provider } from '../provider.js';
import { rateKeys } from './anthropic.models.js';
import { routes } from './anthropic.routes.js';

/** Claude Code and other OAuth logins; such a token goes into Authorization, an API key into x-api-key. */
const OAUTH_TOKEN = 'sk-ant-oat';
const OAUTH_BETA = 'oauth-2025-04-20';

export const anthropic: Provider = {
  slug: 'anthropic',
  upstream: 'https://api.anthropic.com',
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
  rateKeys,
};
