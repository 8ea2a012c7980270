import type { Json } from '../wire.js';

const DESCRIPTIONS: Readonly<Record<number, string>> = {
  400: 'Bad Request: chat not found',
  401: 'Unauthorized',
  403: 'Forbidden: bot was blocked by the user',
  404: 'Not Found',
  409: 'Conflict: terminated by other getUpdates request',
  429: 'Too Many Requests: retry after 5',
};

/** The error body that goes with a status; how long to wait stands in it, and in no header. */
export function telegramStatusError(status: number, message?: string): Json {
  return {
    ok: false,
    error_code: status,
    description: message ?? DESCRIPTIONS[status] ?? `Status ${status} was asked for`,
    ...(status === 429 ? { parameters: { retry_after: 5 } } : {}),
  };
}
