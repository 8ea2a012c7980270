import type { FreeRoute, MeteredRoute, Route } from '../provider.js';
import {
  readChat,
  readCompletion,
  readEmbeddings,
  readRerank,
  readResponses,
  readTranscription,
} from './openrouter.request.js';

export const routes: readonly Route[] = [
  metered('chat/completions', 'chat.completions', readChat),
  metered('completions', 'completions', readCompletion),
  metered('responses', 'responses', readResponses),
  metered('embeddings', 'embeddings', readEmbeddings),
  metered('rerank', 'rerank', readRerank),
  metered('audio/transcriptions', 'audio.transcriptions', readTranscription),
  free('models', 'models.list'),
  free('models/count', 'models.count'),
  free('models/:author/:slug/endpoints', 'models.endpoints'),
  free('model/:author/:slug', 'models.retrieve'),
  free('embeddings/models', 'embeddings.models'),
  free('images/models', 'images.models'),
  free('images/models/:author/:slug/endpoints', 'images.endpoints'),
  free('videos/models', 'videos.models'),
  free('providers', 'providers.list'),
  free('endpoints/zdr', 'endpoints.zdr'),
  free('benchmarks', 'benchmarks'),
  free('oauth/jwks', 'oauth.jwks'),
];

function metered(path: string, name: string, read: MeteredRoute['read']): MeteredRoute {
  return { class: 'metered', method: 'POST', path: `/api/v1/${path}`, name, read };
}

function free(path: string, name: string): FreeRoute {
  return { class: 'free', method: 'GET', path: `/api/v1/${path}`, name };
}
