import type { Route } from '../provider.js';
import { readSubmit } from './muapi.request.js';

/** The first that matches wins: what is no model stands before the models. */
export const routes: readonly Route[] = [
  { class: 'free', method: 'POST', path: '/api/v1/upload_file', name: 'upload_file', upload: true },
  {
    class: 'free',
    method: 'GET',
    path: '/api/v1/predictions/:id/result',
    name: 'predictions.result',
    object: 'id',
    reports: true,
  },
  { class: 'free', method: 'GET', path: '/api/v1/models', name: 'models.list' },
  { class: 'free', method: 'GET', path: '/api/v1/models/*model', name: 'models.retrieve' },
  { class: 'metered', method: 'POST', path: '/api/v1/*model', name: 'submit', read: readSubmit },
];
