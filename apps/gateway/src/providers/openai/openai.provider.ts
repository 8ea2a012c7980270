import type { Provider } from '../provider.js';
import { rateKeys } from './openai.models.js';
import { routes } from './openai.routes.js';

export const openai: Provider = {
  slug: 'openai',
  upstream: 'https://api.openai.com',
  holdCeiling: 1_000_000n,
  routes,
  authorize({ headers }, secret) {
    headers.authorization = `Bearer ${secret}`;
  },
  rateKeys,
};
