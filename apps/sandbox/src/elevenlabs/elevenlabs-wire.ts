import { type Exchange, type Headers, newId } from '../wire.js';

/** Response headers of the real API. */
export function elevenlabsHeaders(): Headers {
  return { 'request-id': newId('req_'), 'x-trace-id': newId('trace'), 'x-region': 'us-central1' };
}

const CODES: Readonly<Record<number, [type: string, code: string, message: string]>> = {
  401: ['authentication_error', 'invalid_api_key', 'Invalid API key'],
  402: ['payment_required', 'paid_plan_required', 'This needs a paid plan.'],
  404: ['not_found', 'not_found', 'Not Found'],
  429: ['rate_limit_error', 'too_many_concurrent_requests', 'Too many concurrent requests.'],
};

/** The error body that goes with a status; validation answers with a list. */
export function elevenlabsStatusError(status: number, message?: string): unknown {
  if (status === 422)
    return { detail: [{ type: 'missing', loc: ['body'], msg: message ?? 'Field required', input: null }] };
  const [type, code, usual] = CODES[status] ?? [
    status < 500 ? 'invalid_request' : 'internal_error',
    status < 500 ? 'invalid_request' : 'system_busy',
    `Status ${status} was asked for.`,
  ];
  const detail = { type, code, message: message ?? usual, status: code, request_id: newId('req_') };
  return { detail };
}

/** Credits that a call was charged, which are told in a header, before the first byte of sound. */
export function charged(exchange: Exchange, credits: number, more: Headers = {}): Exchange {
  const cost = exchange.behaviour.nousage ? {} : { 'character-cost': credits };
  return { ...exchange, headers: { ...exchange.headers, ...cost, ...more } };
}

/** Flash and Turbo cost half a credit per character. */
export function creditsOf(text: string, model: unknown): number {
  const characters = [...text].length;
  return /_(flash|turbo)_/.test(String(model)) ? Math.ceil(characters / 2) : characters;
}
