import type { Route } from '../provider.js';
import { readChat, readEmbeddings, readResponses } from './openai.request.js';

export const routes: readonly Route[] = [
  {
    class: 'metered',
    method: 'POST',
    path: '/v1/chat/completions',
    name: 'chat.completions',
    read: readChat,
  },
  { class: 'metered', method: 'POST', path: '/v1/responses', name: 'responses', read: readResponses },
  { class: 'metered', method: 'POST', path: '/v1/embeddings', name: 'embeddings', read: readEmbeddings },
  { class: 'free', method: 'GET', path: '/v1/models', name: 'models.list' },
  { class: 'free', method: 'GET', path: '/v1/models/:id', name: 'models.retrieve' },
];
