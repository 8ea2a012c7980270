import { type Exchange, type Json, sendJson } from '../wire.js';
import { GENERATIONS, PRICING } from './costs.js';
import { openrouterStatusError } from './openrouter-wire.js';

const MODELS = ['openai/gpt-4o-mini', 'anthropic/claude-sonnet-5', 'google/gemini-2.5-flash'];

/** GET /api/v1/models: the feed that prices are read from. */
export function answerModels(exchange: Exchange): void {
  sendJson(exchange, 200, {
    data: MODELS.map(model),
    total_count: MODELS.length,
    links: { next: null },
  });
}

function model(id: string): Json {
  return {
    id,
    canonical_slug: id,
    hugging_face_id: '',
    name: id,
    created: 1_744_651_381,
    description: 'A model of the sandbox.',
    context_length: 128_000,
    architecture: {
      modality: 'text->text',
      input_modalities: ['text'],
      output_modalities: ['text'],
      tokenizer: 'Other',
      instruct_type: null,
    },
    pricing: PRICING,
    top_provider: { context_length: 128_000, max_completion_tokens: 16_384, is_moderated: false },
    per_request_limits: null,
    supported_parameters: ['max_tokens', 'tool_choice', 'tools'],
    default_parameters: {},
    supported_voices: null,
    knowledge_cutoff: null,
    expiration_date: null,
    links: { details: `/api/v1/models/${id}/endpoints` },
  };
}

/** GET /api/v1/generation?id= */
export function answerGeneration(exchange: Exchange): void {
  const id = exchange.query.get('id') ?? '';
  const data = GENERATIONS.get(id);
  if (data) sendJson(exchange, 200, { data });
  else sendJson(exchange, 404, openrouterStatusError(404, `Generation ${id} not found`));
}
