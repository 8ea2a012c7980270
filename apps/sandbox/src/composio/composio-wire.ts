import { type Json, newId } from '../wire.js';

const MESSAGES: Readonly<Record<number, string>> = {
  401: 'Invalid API key',
  404: 'Tool not found',
};

/** The error body that goes with a status; that of 429 is a plain message. */
export function composioStatusError(status: number, message?: string): Json {
  if (status === 429) return { message: 'Rate limit exceeded. Limit: 2000 requests per 1 minutes' };
  return {
    error: {
      message: message ?? MESSAGES[status] ?? `Status ${status} was asked for`,
      code: status,
      slug: status === 401 ? 'HTTP_Unauthorized' : 'HTTP_Error',
      status,
      request_id: newId('req_'),
      suggested_fix: '',
    },
  };
}
