import { nameOf } from '../foreign-json.js';
import type { Provider } from '../provider.js';
import { rateKeys } from './assemblyai.models.js';
import { routes } from './assemblyai.routes.js';
import { readReport } from './assemblyai.usage.js';

export const assemblyai: Provider = {
  slug: 'assemblyai',
  upstream: 'https://api.assemblyai.com',
  variables: { keys: ['ASSEMBLYAI_API_KEY'] },
  holdCeiling: 200_000n,
  routes,
  /** The bare key: without `Bearer`. */
  authorize({ headers }, secret) {
    headers.authorization = secret;
  },
  outOfFunds: (status, { error }) =>
    status === 402 || /^your (current )?account balance is negative/i.test(nameOf(error) ?? ''),
  rateKeys,
  jobs: {
    needs: ['audio_seconds'],
    pollPath: (id) => `/v2/transcript/${encodeURIComponent(id)}`,
    read: readReport,
  },
};
