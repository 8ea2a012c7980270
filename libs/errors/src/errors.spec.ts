import { describe, expect, it } from '@jest/globals';
import { ERRORS, type ErrorCode, errorResponse, VendoError } from './errors.js';

const CODES = Object.keys(ERRORS) as ErrorCode[];

/** The status table of the proxy (contract.md section 3): codes whose answers carry no Vendo-Error-Code. */
const BODY_ONLY = [
  'path_traversal',
  'balance_exhausted',
  'rate_missing',
  'adapter_unknown',
  'billing_unavailable',
];

describe('errorResponse', () => {
  it.each([
    ['app_unknown', 401],
    ['app_revoked', 401],
    ['app_expired', 401],
    ['connection_needs_reauth', 401],
    ['balance_exhausted', 402],
    ['rate_missing', 402],
    ['binding_missing', 403],
    ['connection_revoked', 403],
    ['adapter_unknown', 404],
    ['route_not_supported', 404],
    ['object_not_found', 404],
    ['spend_cap_daily', 429],
    ['spend_cap_monthly', 429],
    ['upstream_unreachable', 502],
    ['billing_unavailable', 503],
    ['upstream_timeout', 504],
  ] satisfies [ErrorCode, number][])('%s is %i', (code, status) =>
    expect(errorResponse(new VendoError(code)).status).toBe(status),
  );

  it.each(CODES)('%s says its code in the body, and in the header unless the table leaves it out', (code) => {
    const { headers, body } = errorResponse(new VendoError(code));
    expect(body).toEqual({ error: { code, message: ERRORS[code].message } });
    expect(headers['vendo-error-code']).toBe(BODY_ONLY.includes(code) ? undefined : code);
  });

  it.each(CODES)('%s tells SDKs not to retry when it is a 4xx', (code) => {
    const { status, headers } = errorResponse(new VendoError(code));
    expect(headers['x-should-retry']).toBe(status < 500 ? 'false' : undefined);
  });

  it('says when to come back both ways', () => {
    const { headers, body } = errorResponse(new VendoError('spend_cap_daily', 'capped', { retry_after: 60 }));
    expect(headers['retry-after']).toBe('60');
    expect(body.error).toEqual({ code: 'spend_cap_daily', message: 'capped', retry_after: 60 });
  });

  it.each([new Error('password=hunter2'), 'hunter2', undefined, { code: 'hunter2' }])(
    'keeps the text of a thrown %p inside',
    (thrown) => {
      const answer = errorResponse(thrown);
      expect(answer.status).toBe(500);
      expect(JSON.stringify(answer)).not.toContain('hunter2');
    },
  );
});
