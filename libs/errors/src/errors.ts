/**
 * Every error of our own: its HTTP status, whether the answer carries `Vendo-Error-Code`, and the default message.
 * The header follows the proxy's status table: its codes for 402, 503, unknown adapter and path traversal are in the
 * body only; codes that the table does not know carry it. `retry: false` is said on every 4xx (the OpenAI and
 * Anthropic SDKs would retry a 429 at once when its Retry-After is over 60 s).
 */
export const ERRORS = {
  path_traversal: { status: 400, header: false, message: 'The path has a "." or ".." segment.' },
  invalid_body: { status: 400, header: true, message: 'The request body is not what this route takes.' },
  invalid_request: { status: 400, header: true, message: 'The request is not what this route takes.' },
  app_unknown: { status: 401, header: true, message: 'Missing or unrecognized API key.' },
  app_revoked: { status: 401, header: true, message: 'This API key was revoked.' },
  app_expired: { status: 401, header: true, message: 'This API key has expired.' },
  unauthorized: { status: 401, header: true, message: 'Missing or wrong token.' },
  connection_needs_reauth: {
    status: 401,
    header: true,
    message: 'The bound connection must be authorized again.',
  },
  balance_exhausted: {
    status: 402,
    header: false,
    message: 'Not enough credit for this call. Top up and try again.',
  },
  rate_missing: {
    status: 402,
    header: false,
    message: 'There is no price for this model, so the call was not forwarded.',
  },
  binding_missing: { status: 403, header: true, message: 'No active connection is bound for this provider.' },
  connection_revoked: { status: 403, header: true, message: 'The bound connection was revoked.' },
  token_required: {
    status: 403,
    header: true,
    message: 'This needs a token of the identity provider, not a key.',
  },
  adapter_unknown: { status: 404, header: false, message: 'There is no such provider here.' },
  route_not_supported: { status: 404, header: true, message: 'This route of the provider is not supported.' },
  object_not_found: { status: 404, header: true, message: 'There is no such object of yours here.' },
  not_found: { status: 404, header: true, message: 'Not found.' },
  method_not_allowed: { status: 405, header: true, message: 'This method is not allowed here.' },
  hold_conflict: { status: 409, header: true, message: 'This hold id is open with another body.' },
  hold_ended: { status: 409, header: true, message: 'This hold has ended.' },
  request_timeout: { status: 408, header: true, message: 'The request did not arrive in time.' },
  idempotency_conflict: {
    status: 409,
    header: true,
    message: 'This idempotency key was used with another body.',
  },
  spool_in_use: {
    status: 409,
    header: true,
    message: 'This spool still reports or has open holds, so it cannot be written off.',
  },
  still_parked: { status: 409, header: true, message: 'The record cannot be applied and stays parked.' },
  body_too_large: { status: 413, header: true, message: 'The request body is over the limit.' },
  expectation_failed: { status: 417, header: true, message: 'Only "Expect: 100-continue" is understood.' },
  wrong_owner: { status: 421, header: true, message: 'Another ledger owns this tenant.' },
  rate_limit_requests: { status: 429, header: true, message: 'Rate limit exceeded' },
  headers_too_large: { status: 431, header: true, message: 'The request headers are over the limit.' },
  spend_cap_daily: { status: 429, header: true, message: 'The daily spend cap is reached.' },
  spend_cap_monthly: { status: 429, header: true, message: 'The monthly spend cap is reached.' },
  internal_error: { status: 500, header: true, message: 'Internal server error' },
  upstream_unreachable: { status: 502, header: true, message: 'The provider could not be reached.' },
  billing_unavailable: {
    status: 503,
    header: false,
    message: 'Billing is unavailable for the moment. Try again.',
  },
  overloaded: {
    status: 503,
    header: true,
    message: 'The gateway holds as many requests as it can. Try again.',
  },
  upstream_timeout: { status: 504, header: true, message: 'The provider did not answer in time.' },
} as const satisfies Record<string, { status: number; header: boolean; message: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** What an error may say beside its code; everything here is shown to the caller, so no secret may enter. */
export interface ErrorDetails {
  /** Seconds until a retry makes sense; sent as `Retry-After` and in the body. */
  retry_after?: number;
  [field: string]: string | number | boolean | null | undefined;
}

/** An error with a code of the table. Rooms throw codes; only `errorResponse` knows statuses. */
export class VendoError extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string = ERRORS[code].message,
    readonly details: ErrorDetails = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'VendoError';
  }
}

export interface ErrorResponse {
  status: number;
  headers: Record<string, string>;
  body: { error: { code: ErrorCode; message: string } & ErrorDetails };
}

/** The one translation of an error into an HTTP answer. A thrown thing that is no VendoError is `internal_error`, and its text stays inside. */
export function errorResponse(thrown: unknown): ErrorResponse {
  const { code, message, details } = thrown instanceof VendoError ? thrown : new VendoError('internal_error');
  const { status, header } = ERRORS[code];
  return {
    status,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      ...(header ? { 'vendo-error-code': code } : {}),
      ...(status >= 400 && status < 500 ? { 'x-should-retry': 'false' } : {}),
      ...(details.retry_after === undefined ? {} : { 'retry-after': String(details.retry_after) }),
    },
    body: { error: { code, message, ...details } },
  };
}
