import { objectOf } from '../foreign-json.js';
import type { Provider } from '../provider.js';
import { rateKeys } from './elevenlabs.models.js';
import { routes } from './elevenlabs.routes.js';

export const elevenlabs: Provider = {
  slug: 'elevenlabs',
  upstream: 'https://api.elevenlabs.io',
  variables: { keys: ['ELEVENLABS_API_KEY'] },
  holdCeiling: 500_000n,
  routes,
  authorize({ headers }, secret) {
    headers['xi-api-key'] = secret;
  },
  outOfFunds(_status, { detail }) {
    const { status, code } = objectOf(detail);
    return status === 'quota_exceeded' || code === 'quota_exceeded';
  },
  rateKeys,
};
