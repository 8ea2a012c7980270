import { describe, expect, it } from '@jest/globals';
import { corsHeaders } from './cors.js';

describe('the CORS headers of the billing API', () => {
  it.each([
    ['https://app.vendo.run', 'https://app.vendo.run', 'Origin'],
    ['https://a.b.gateway.example:8443', 'https://a.b.gateway.example:8443', 'Origin'],
    ['https://vendo.run', '*', undefined],
    ['https://evilvendo.run', '*', undefined],
    ['https://vendo.run.evil.example', '*', undefined],
    ['https://evil.example/.vendo.run', '*', undefined],
    ['null', '*', undefined],
  ])('allow the origin %s as %s', (origin, allowed, vary) => {
    const headers = corsHeaders(origin, ['vendo.run', 'gateway.example']);
    expect(headers['access-control-allow-origin']).toBe(allowed);
    expect(headers.vary).toBe(vary);
  });
});
