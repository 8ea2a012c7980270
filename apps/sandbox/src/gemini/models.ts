import type { Exchange, Json } from '../wire.js';
import { sendPretty } from './gemini-wire.js';

const MODELS = ['gemini-2.5-flash', 'gemini-2.5-pro', 'gemini-3.6-flash', 'gemini-embedding-001'];

/** GET /{version}/models */
export function answerModels(exchange: Exchange): void {
  sendPretty(exchange, { models: MODELS.map(model) });
}

/** GET /{version}/models/{model}. Every name exists. */
export function answerModel(exchange: Exchange): void {
  sendPretty(exchange, model(exchange.params.model ?? ''));
}

function model(id: string): Json {
  const methods = id.includes('embedding')
    ? ['embedContent', 'countTokens']
    : ['generateContent', 'countTokens'];
  return {
    name: `models/${id}`,
    version: '001',
    displayName: id,
    description: 'A model of the sandbox.',
    inputTokenLimit: 1_048_576,
    outputTokenLimit: 65_536,
    supportedGenerationMethods: methods,
  };
}
