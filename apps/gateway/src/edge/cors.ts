/** On every answer of the proxy: the providers can be called from a browser. */
export const CORS_HEADERS = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'Vendo-Error-Code, Retry-After, request-id, x-request-id',
} as const;

/** The answer to a preflight, whatever it asks for. @param requested the Access-Control-Request-Headers, if any. */
export function preflightHeaders(requested: string | undefined): Record<string, string> {
  return {
    ...CORS_HEADERS,
    'access-control-allow-methods': '*',
    'access-control-allow-headers': requested || '*',
    'access-control-max-age': '600',
    vary: 'Access-Control-Request-Headers',
  };
}
