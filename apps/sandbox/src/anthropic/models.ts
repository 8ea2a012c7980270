import { type Exchange, type Json, sendJson } from '../wire.js';

const MODELS = ['claude-opus-5', 'claude-sonnet-5', 'claude-haiku-4-5'];

/** GET /v1/models */
export function answerModels(exchange: Exchange): void {
  sendJson(exchange, 200, {
    data: MODELS.map(model),
    has_more: false,
    first_id: MODELS[0],
    last_id: MODELS.at(-1),
  });
}

/** GET /v1/models/{id}. Every id exists. */
export function answerModel(exchange: Exchange): void {
  sendJson(exchange, 200, model(exchange.params.id ?? ''));
}

function model(id: string): Json {
  return { type: 'model', id, display_name: id, created_at: '2026-01-01T00:00:00Z' };
}
