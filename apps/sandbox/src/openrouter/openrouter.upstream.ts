import { bearer, get, post, type Upstream } from '../upstream.js';
import { answerChat } from './chat.js';
import { answerEmbeddings } from './embeddings.js';
import { answerGeneration, answerModels } from './models.js';
import { openrouterHeaders, openrouterStatusError } from './openrouter-wire.js';

export const openrouter: Upstream = {
  slug: 'openrouter',
  sharedPaths: /^\/api\/v1\//,
  routes: [
    post('/api/v1/chat/completions', answerChat),
    post('/api/v1/embeddings', answerEmbeddings),
    get('/api/v1/models', answerModels, { open: true }),
    get('/api/v1/generation', answerGeneration),
  ],
  headers: openrouterHeaders,
  credential: ({ headers }) => bearer(headers),
  /** Directives may stand behind an author and before a variant, as names here have both. */
  modelOf: ({ model }) =>
    typeof model === 'string' ? model.slice(model.indexOf('/') + 1).replace(/:.*/, '') : undefined,
  statusError: openrouterStatusError,
  refusals: { credential: 401, body: 400 },
};
