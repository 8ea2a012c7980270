import type { Behaviour } from '../directives.js';
import { type Headers, newId } from '../wire.js';

/** Response headers of the real API, those included that tell about the account and that a gateway must take out. */
export function openaiHeaders(): Headers {
  return {
    'x-request-id': newId('req_'),
    'openai-organization': 'sandbox-organization',
    'openai-project': 'proj_sandbox',
    'openai-version': '2020-10-01',
    'openai-processing-ms': '3',
    'x-ratelimit-limit-requests': '10000',
    'x-ratelimit-remaining-requests': '9999',
    'x-ratelimit-reset-requests': '6ms',
    'x-ratelimit-limit-tokens': '2000000',
    'x-ratelimit-remaining-tokens': '1999000',
    'set-cookie': '__cf_bm=sandbox-cookie; path=/; HttpOnly; Secure; SameSite=None',
  };
}

interface OpenaiError {
  error: { message: string; type: string; param: string | null; code: string | null };
}

function openaiError(
  type: string,
  code: string | null,
  message: string,
  param: string | null = null,
): OpenaiError {
  return { error: { message, type, param, code } };
}

/** The error body that goes with a status. */
export function openaiStatusError(status: number, message?: string): OpenaiError {
  if (message !== undefined) return openaiError('invalid_request_error', null, message);
  switch (status) {
    case 401:
      return openaiError('invalid_request_error', 'invalid_api_key', 'Incorrect API key provided.');
    case 404:
      return openaiError(
        'invalid_request_error',
        'model_not_found',
        'The model does not exist or you do not have access to it.',
      );
    case 429:
      return openaiError('requests', 'rate_limit_exceeded', 'Rate limit reached in project proj_sandbox.');
    default:
      return status < 500
        ? openaiError('invalid_request_error', null, `The sandbox was asked for status ${status}.`)
        : openaiError('server_error', null, 'The server had an error while processing your request.');
  }
}

/** Cached and written tokens that the model name asks for; both are subsets of the prompt. */
export function promptDetails(behaviour: Behaviour): { cached_tokens: number; cache_write_tokens?: number } {
  return {
    cached_tokens: behaviour.cached ?? 0,
    ...(behaviour.cachewrite === null ? {} : { cache_write_tokens: behaviour.cachewrite }),
  };
}

/** `default` unless the request names a tier; `fast` comes back as `priority`. */
export function billedTier(asked: unknown): string {
  if (asked === 'fast') return 'priority';
  return asked === 'flex' || asked === 'priority' ? asked : 'default';
}
