import { type Headers, newId } from '../wire.js';

/** Response headers of the real API, those included that tell about the account and that a gateway must take out. */
export function anthropicHeaders(): Headers {
  return {
    'request-id': newId('req_'),
    'anthropic-organization-id': 'sandbox-organization',
    'anthropic-ratelimit-requests-limit': '4000',
    'anthropic-ratelimit-requests-remaining': '3999',
    'anthropic-ratelimit-tokens-remaining': '399000',
    'set-cookie': '_cfuvid=sandbox-cookie; path=/; HttpOnly; Secure; SameSite=None',
  };
}

interface AnthropicError {
  type: 'error';
  error: { type: string; message: string };
  request_id: string;
}

function anthropicError(type: string, message: string): AnthropicError {
  return { type: 'error', error: { type, message }, request_id: newId('req_') };
}

/** The error body that goes with a status. */
export function anthropicStatusError(status: number, message?: string): AnthropicError {
  if (message !== undefined) return anthropicError('invalid_request_error', message);
  switch (status) {
    case 401:
      return anthropicError('authentication_error', 'invalid x-api-key');
    case 404:
      return anthropicError('not_found_error', 'Not found');
    case 429:
      return anthropicError(
        'rate_limit_error',
        'This request would exceed the rate limit of your organization.',
      );
    case 529:
      return anthropicError('overloaded_error', 'Overloaded');
    default:
      return status < 500
        ? anthropicError('invalid_request_error', `The sandbox was asked for status ${status}.`)
        : anthropicError('api_error', 'Internal server error');
  }
}
