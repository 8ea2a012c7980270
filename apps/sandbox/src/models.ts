import type { Json } from './wire.js';

const OPENAI_MODELS = ['gpt-5', 'gpt-5-mini', 'gpt-4o', 'gpt-4o-mini', 'text-embedding-3-small'];
const ANTHROPIC_MODELS = ['claude-opus-5', 'claude-sonnet-5', 'claude-haiku-4-5'];

/** GET /v1/models and /v1/models/{id} of OpenAI. Every id exists. */
export function openaiModels(id: string | null): Json {
  const model = (name: string): Json => ({
    id: name,
    object: 'model',
    created: 1_692_901_427,
    owned_by: 'sandbox',
  });
  return id === null ? { object: 'list', data: OPENAI_MODELS.map(model) } : model(id);
}

/** GET /v1/models and /v1/models/{id} of Anthropic. Every id exists. */
export function anthropicModels(id: string | null): Json {
  const model = (name: string): Json => ({
    type: 'model',
    id: name,
    display_name: name,
    created_at: '2026-01-01T00:00:00Z',
  });
  if (id !== null) return model(id);
  return {
    data: ANTHROPIC_MODELS.map(model),
    has_more: false,
    first_id: ANTHROPIC_MODELS[0],
    last_id: ANTHROPIC_MODELS.at(-1),
  };
}
