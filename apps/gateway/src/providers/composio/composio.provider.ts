import type { Provider } from '../provider.js';
import { rateKeys } from './composio.models.js';
import { ConnectedAccount } from './composio.request.js';
import { routes } from './composio.routes.js';

export const composio: Provider = {
  slug: 'composio',
  upstream: 'https://backend.composio.dev',
  variables: { keys: ['COMPOSIO_API_KEY'], baseUrl: { name: 'COMPOSIO_BASE_URL', path: '' } },
  holdCeiling: 1_000_000n,
  routes,
  authorize({ headers }, secret) {
    // Composio would send what is in it along to its own language models.
    delete headers['x-llm-gateway-headers'];
    headers['x-api-key'] = secret;
  },
  accountHeaders: { sent: ['x-user-api-key', 'x-org-api-key', 'x-org-id'] },
  managedPart: { profile: 'composio_managed', stored: ConnectedAccount },
  outOfFunds: (status) => status === 402,
  rateKeys,
};
