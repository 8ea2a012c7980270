import type { Route } from '../provider.js';
import { objectsOfCountTokens, readMessages } from './anthropic.request.js';

export const routes: readonly Route[] = [
  { class: 'metered', method: 'POST', path: '/v1/messages', name: 'messages', read: readMessages },
  {
    class: 'free',
    method: 'POST',
    path: '/v1/messages/count_tokens',
    name: 'messages.count_tokens',
    accountObjectsIn: objectsOfCountTokens,
  },
  { class: 'free', method: 'GET', path: '/v1/models', name: 'models.list' },
  { class: 'free', method: 'GET', path: '/v1/models/:id', name: 'models.retrieve' },
];
