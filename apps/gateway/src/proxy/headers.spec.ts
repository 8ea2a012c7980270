import { describe, expect, it } from '@jest/globals';
import { requestHeaders, responseHeaders } from './headers.js';

const FORWARDED = { metered: true, identity: false };
const RETURNED = { rewritten: false, ownBody: false, secret: 'the secret' };

describe('headers about accounts', () => {
  it.each([
    ...['openai-organization', 'openai-project', 'sec-websocket-protocol', 'anthropic-workspace-id'],
    ...['anthropic-user-profile-id', 'x-user-api-key', 'x-org-api-key', 'x-org-id', 'X-Org-Id'],
  ])('%s of a request goes to no provider', (name) =>
    expect(requestHeaders([name, 'a', 'Accept', '*/*'], FORWARDED)).toEqual({ accept: '*/*' }),
  );

  it.each([
    ...['openai-organization', 'openai-project', 'anthropic-organization-id', 'anthropic-workspace-id'],
    ...['anthropic-ratelimit-tokens-limit', 'x-account-balance', 'x-muapi-cost-usd', 'x-goog-upload-url'],
    'x-goog-upload-control-url',
  ])('%s of an answer goes to no client', (name) => {
    const returned = responseHeaders({ [name]: 'a', 'x-request-id': 'r' }, RETURNED);
    expect(returned).toMatchObject({ 'x-request-id': 'r' });
    expect(returned).not.toHaveProperty(name);
  });

  it('are no other headers that only begin alike', () => {
    const others = { 'anthropic-version': '1', 'openai-processing-ms': '2', 'x-organization': '3' };
    expect(requestHeaders(Object.entries(others).flat(), FORWARDED)).toEqual(others);
    expect(responseHeaders(others, RETURNED)).toMatchObject(others);
  });
});
