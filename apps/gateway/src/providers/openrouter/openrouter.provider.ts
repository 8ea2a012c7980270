import type { Provider } from '../provider.js';
import { feed } from './openrouter.feed.js';
import { generationPath, readGeneration } from './openrouter.generation.js';
import { rateKeys } from './openrouter.models.js';
import { routes } from './openrouter.routes.js';

export const openrouter: Provider = {
  slug: 'openrouter',
  upstream: 'https://openrouter.ai',
  variables: { keys: ['OPENROUTER_API_KEY'], baseUrl: { name: 'OPENROUTER_BASE_URL', path: '/api/v1' } },
  holdCeiling: 1_000_000n,
  routes,
  feed,
  target: (raw) => (raw.startsWith('/api/') ? raw : `/api${raw}`),
  authorize({ headers }, secret) {
    headers.authorization = `Bearer ${secret}`;
  },
  outOfFunds: (status) => status === 402,
  rateKeys,
  jobs: { needs: ['usd'], pollPath: generationPath, read: readGeneration },
};
