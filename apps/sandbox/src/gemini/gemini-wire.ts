import { type Exchange, type Headers, type Json, sendJson } from '../wire.js';

/** Response headers of the real API. */
export function geminiHeaders(): Headers {
  return {
    'content-type': 'application/json; charset=UTF-8',
    vary: 'Origin, X-Origin, Referer',
    'server-timing': 'gfet4t7; dur=3',
    'x-gemini-service-tier': 'standard',
    'x-content-type-options': 'nosniff',
  };
}

const STATUSES: Readonly<Record<number, [name: string, message: string]>> = {
  400: ['INVALID_ARGUMENT', 'Request contains an invalid argument.'],
  401: ['UNAUTHENTICATED', 'Request had invalid authentication credentials.'],
  403: ['PERMISSION_DENIED', 'The caller does not have permission'],
  404: ['NOT_FOUND', 'The model is not found, or is not supported for this method.'],
  429: ['RESOURCE_EXHAUSTED', 'You exceeded your current quota.'],
  500: ['INTERNAL', 'An internal error has occurred.'],
  503: ['UNAVAILABLE', 'The model is overloaded. Please try again later.'],
  504: ['DEADLINE_EXCEEDED', 'The request timed out.'],
};

/** The error body that goes with a status. */
export function geminiStatusError(status: number, message?: string): Json {
  const [name, usual] = STATUSES[status] ?? ['UNKNOWN', `Status ${status} was asked for.`];
  return { error: { code: status, message: message ?? usual, status: name } };
}

/** As a list of one, where a list was to come: arrays of chunks, and the routes in OpenAI's words. */
export function listedError(status: number, message: string | undefined): Json[] {
  return [geminiStatusError(status, message)];
}

/** A refused key is 400 here. */
export function geminiCredentialError(): Json {
  const message = 'API key not valid. Please pass a valid API key.';
  return {
    error: {
      code: 400,
      message,
      status: 'INVALID_ARGUMENT',
      details: [
        {
          '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
          reason: 'API_KEY_INVALID',
          domain: 'googleapis.com',
          metadata: { service: 'generativelanguage.googleapis.com' },
        },
        { '@type': 'type.googleapis.com/google.rpc.LocalizedMessage', locale: 'en-US', message },
      ],
    },
  };
}

/** JSON as Google writes it, over many lines. */
export function pretty(json: unknown): string {
  return `${JSON.stringify(json, null, 2)}\n`;
}

export function sendPretty(exchange: Exchange, json: unknown): void {
  sendJson(exchange, 200, Buffer.from(pretty(json)));
}
