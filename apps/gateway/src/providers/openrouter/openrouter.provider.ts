import type { Provider } from '../provider.js';
import { generationPath, readGeneration } from './openrouter.generation.js';
import { rateKeys } from './openrouter.models.js';
import { routes } from './openrouter.routes.js';

export const openrouter: Provider = {
  slug: 'openrouter',
  upstream: 'https://openrouter.ai',
  holdCeiling: 1_000_000n,
  routes,
  target: (raw) => (raw.startsWith('/api/') ? raw : `/api${raw}`),
  authorize({ headers }, secret) {
    headers.authorization = `Bearer ${secret}`;
  },
  rateKeys,
  jobs: { needs: ['usd'], pollPath: generationPath, read: readGeneration },
};
