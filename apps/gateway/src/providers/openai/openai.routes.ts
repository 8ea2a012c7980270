import type { FreeRoute, MeteredRoute, Route } from '../provider.js';
import { readGenerations, readImageForm } from './openai.images.js';
import { readChat, readCompletions, readEmbeddings } from './openai.request.js';
import { objectsOfInputTokens, readCompact, readResponses, storedInInputTokens } from './openai.responses.js';
import { readSpeech } from './openai.speech.js';
import { readTranscription } from './openai.transcription.js';

function metered(path: string, name: string, read: MeteredRoute['read']): MeteredRoute {
  return { class: 'metered', method: 'POST', path, name, read };
}

function ofStored(method: FreeRoute['method'], path: string, name: string): FreeRoute {
  return { class: 'free', method, path, name, object: 'id' };
}

export const routes: readonly Route[] = [
  metered('/v1/chat/completions', 'chat.completions', readChat),
  metered('/v1/responses', 'responses', readResponses),
  metered('/v1/responses/compact', 'responses.compact', readCompact),
  metered('/v1/embeddings', 'embeddings', readEmbeddings),
  metered('/v1/completions', 'completions', readCompletions),
  metered('/v1/audio/speech', 'audio.speech', readSpeech),
  metered('/v1/audio/transcriptions', 'audio.transcriptions', readTranscription),
  metered('/v1/audio/translations', 'audio.translations', readTranscription),
  metered('/v1/images/generations', 'images.generations', readGenerations),
  metered('/v1/images/edits', 'images.edits', readImageForm),
  metered('/v1/images/variations', 'images.variations', readImageForm),
  { class: 'free', method: 'POST', path: '/v1/moderations', name: 'moderations' },
  {
    class: 'free',
    method: 'POST',
    path: '/v1/responses/input_tokens',
    name: 'responses.input_tokens',
    accountObjectsIn: objectsOfInputTokens,
    storedObjectsIn: storedInInputTokens,
  },
  ofStored('GET', '/v1/responses/:id', 'responses.retrieve'),
  ofStored('DELETE', '/v1/responses/:id', 'responses.delete'),
  ofStored('GET', '/v1/responses/:id/input_items', 'responses.input_items'),
  ofStored('POST', '/v1/responses/:id/cancel', 'responses.cancel'),
  ofStored('GET', '/v1/chat/completions/:id', 'chat.completions.retrieve'),
  ofStored('POST', '/v1/chat/completions/:id', 'chat.completions.update'),
  ofStored('DELETE', '/v1/chat/completions/:id', 'chat.completions.delete'),
  ofStored('GET', '/v1/chat/completions/:id/messages', 'chat.completions.messages'),
  { class: 'free', method: 'GET', path: '/v1/models', name: 'models.list' },
  { class: 'free', method: 'GET', path: '/v1/models/:id', name: 'models.retrieve' },
];
