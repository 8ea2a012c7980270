import { get, type Upstream } from '../upstream.js';
import { answerFile, answerMethod } from './methods.js';
import { telegramStatusError } from './telegram-wire.js';

export const telegram: Upstream = {
  slug: 'telegram',
  ownPaths: /^\/(?:file\/)?bot[^/]/,
  routes: [
    get('/bot{token}/{method}', answerMethod, { method: null, takes: 'form' }),
    get('/bot{token}/test/{method}', answerMethod, { method: null, takes: 'form' }),
    get('/file/bot{token}/{path...}', answerFile),
  ],
  headers: () => ({ 'access-control-allow-origin': '*' }),
  credential: ({ url = '' }) => /^(?:\/telegram)?(?:\/file)?\/bot([^/]+)\//.exec(url)?.[1] ?? '',
  /** There are no models: directives stand in the name of a chat (`@sandbox_status429`) or in the id of a file. */
  modelOf: ({ chat_id, file_id }) =>
    String(chat_id ?? file_id ?? '')
      .replace(/^@/, '')
      .replaceAll('_', '-'),
  statusError: telegramStatusError,
  refusals: { credential: 401, body: 400 },
};
