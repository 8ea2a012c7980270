import { type Exchange, type Json, sendJson } from '../wire.js';

const MODELS = [
  'gpt-5',
  'gpt-5-mini',
  'gpt-4o',
  'gpt-4o-mini',
  'gpt-4o-mini-tts',
  'gpt-4o-transcribe',
  'gpt-image-1',
  'text-embedding-3-small',
];

/** GET /v1/models */
export function answerModels(exchange: Exchange): void {
  sendJson(exchange, 200, { object: 'list', data: MODELS.map(model) });
}

/** GET /v1/models/{id}. Every id exists. */
export function answerModel(exchange: Exchange): void {
  sendJson(exchange, 200, model(exchange.params.id ?? ''));
}

function model(id: string): Json {
  return { id, object: 'model', created: 1_692_901_427, owned_by: 'sandbox' };
}
