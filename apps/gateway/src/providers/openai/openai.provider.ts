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
  accountHeaders: {
    // Browser clients put a key into the last.
    sent: ['openai-organization', 'openai-project', 'sec-websocket-protocol'],
    answered: ['openai-organization', 'openai-project'],
  },
  rateKeys,
};
