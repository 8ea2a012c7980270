import { type Exchange, type Headers, type Json, newId, sendParts } from '../wire.js';

/** Response headers of the real API; the cookie is one that a gateway must take out. */
export function openrouterHeaders(): Headers {
  return {
    'access-control-allow-origin': '*',
    'set-cookie': '__cf_bm=sandbox-cookie; path=/; HttpOnly; Secure; SameSite=None',
  };
}

const MESSAGES: Readonly<Record<number, string>> = {
  401: 'Missing Authentication header',
  402: 'Insufficient credits',
  404: 'No endpoints found for the model.',
  429: 'Provider returned error',
};

interface OpenrouterError {
  error: { message: string; code: number; metadata?: Json };
}

/** The error body that goes with a status, or with an answer that has begun as 200. */
export function openrouterStatusError(status: number, message?: string): OpenrouterError {
  const usual =
    MESSAGES[status] ?? (status < 500 ? `Status ${status} was asked for` : 'Internal Server Error');
  const metadata = { provider_name: 'Sandbox', raw: 'The model is temporarily rate-limited upstream.' };
  return {
    error: { message: message ?? usual, code: status, ...(status === 429 ? { metadata } : {}) },
  };
}

/** An id, and the header that repeats it. */
export function generation(exchange: Exchange, prefix = 'gen-'): { id: string; answered: Exchange } {
  const id = newId(`${prefix}${Math.floor(Date.now() / 1_000)}-`);
  return { id, answered: { ...exchange, headers: { ...exchange.headers, 'x-generation-id': id } } };
}

const PADDING = '\n         \n';

/** A JSON answer behind whitespace that keeps the connection alive: by then HTTP has said 200, whatever comes. */
export function sendPadded(exchange: Exchange, body: Json): void {
  const type = { 'content-type': 'application/json' };
  sendParts(
    exchange,
    type,
    [PADDING, PADDING, JSON.stringify(body)],
    [JSON.stringify(openrouterStatusError(502))],
  );
}
