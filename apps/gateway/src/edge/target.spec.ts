import { describe, expect, it } from '@jest/globals';
import { hasTraversal, proxyTarget } from './target.js';

describe('a request for a provider', () => {
  it.each([
    ['openai-proxy.localhost', '/v1/models', { slug: 'openai', raw: '/v1/models' }],
    ['OpenAI-Proxy.LocalHost:8080', '/v1/models?a=1', { slug: 'openai', raw: '/v1/models?a=1' }],
    ['openai-proxy.localhost.', '/', { slug: 'openai', raw: '/' }],
    ['nobody-proxy.localhost', '/healthz', { slug: 'nobody', raw: '/healthz' }],
    ['127.0.0.1:8080', '/proxy/openai/v1/models?a=%2F', { slug: 'openai', raw: '/v1/models?a=%2F' }],
    ['127.0.0.1:8080', '/proxy/openai', { slug: 'openai', raw: '/' }],
    ['127.0.0.1:8080', '/proxy/openai?x=1', { slug: 'openai', raw: '/?x=1' }],
    ['127.0.0.1:8080', '/proxy/openai//v1', { slug: 'openai', raw: '//v1' }],
    ['127.0.0.1:8080', '/proxy/', { slug: '', raw: '/' }],
    ['openai-proxy.localhost', '/proxy/anthropic/v1', { slug: 'openai', raw: '/proxy/anthropic/v1' }],
  ])('%s %s names it', (host, raw, target) => expect(proxyTarget(host, raw, 'localhost')).toEqual(target));

  it.each([
    ['localhost', '/healthz'],
    ['openai-proxy.localhost.evil.example', '/v1/models'],
    ['openai-proxy.example', '/v1/models'],
    ['localhost', '/proxyx/openai'],
    ['localhost', '/api/../proxy/openai/v1'],
    ['localhost', '/%70roxy/openai/v1'],
    [undefined, '/'],
  ])('%s %s does not name one', (host, raw) => expect(proxyTarget(host, raw, 'localhost')).toBeNull());
});

describe('the path guard', () => {
  it.each([
    '/foo/../healthz',
    '/..',
    '/./v1',
    '/v1/%2e%2e/x',
    '/v1/.%2E/x',
    '/v1/%2e./x',
    '/v1/%252e%252e/x',
    '/v1/%25252e./x',
    '/v1/..%2fx',
    '/v1%2Fmodels',
    '/v1%252fmodels',
    '/v1/..\\x',
    '/v1/%5c..',
    '/v1/..;a=b/x',
    '/v1/models/..?x=1',
    '/v1/models/..#x',
  ])('refuses %s', (raw) => expect(hasTraversal(raw)).toBe(true));

  it.each([
    '/v1/models',
    '/v1/models/gpt-4.1',
    '/v1/...',
    '/v1/a..b',
    '/v1/models?next=../x%2f..',
    '//',
    '/',
  ])('lets %s pass', (raw) => expect(hasTraversal(raw)).toBe(false));
});
