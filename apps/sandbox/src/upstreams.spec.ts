import type { IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type SandboxUnderTest, sandboxUnderTest } from './sandbox-under-test.js';
import { UPSTREAMS, upstreamOf } from './upstreams.js';

/** Where clients put the credential; a path may have a place for it instead (Telegram's). */
const PLACES: readonly ((key: string) => Record<string, string>)[] = [
  (key) => ({ 'xi-api-key': key }),
  (key) => ({ 'x-goog-api-key': key }),
  (key) => ({ 'x-api-key': key }),
  (key) => ({ authorization: `Bearer ${key}` }),
];

const ROUTES = UPSTREAMS.flatMap(({ slug, routes }) =>
  routes.map(({ method, path }) => ({ slug, method: method ?? 'POST', path: filled(path) })),
);

function filled(path: string): string {
  return path
    .replace('{token}', '1:secret')
    .replace(/\{\w+\.\.\.\}/, 'some/thing')
    .replace(/\{\w+\}/g, 'thing');
}

/** The credential in the first place in which the provider looks for one. */
function headersOf(slug: string, key: string): Record<string, string> {
  const upstream = UPSTREAMS.find((one) => one.slug === slug);
  const place = PLACES.find(
    (put) => upstream?.credential({ headers: put(key), url: '/' } as IncomingMessage) === key,
  );
  return place?.(key) ?? {};
}

describe('which provider a call is for', () => {
  it.each(ROUTES)('is known by path and credential: $slug $method $path', ({ slug, path }) => {
    const told = upstreamOf(path, headersOf(slug, 'k'));
    expect([told?.upstream.slug, told?.path]).toEqual([slug, path]);
  });

  it.each(ROUTES)('is known by the slug before the path: /$slug$path', ({ slug, path }) => {
    const told = upstreamOf(`/${slug}${path}?a=b`, { 'x-api-key': 'k', authorization: 'Bearer k' });
    expect([told?.upstream.slug, told?.path, told?.query.get('a')]).toEqual([slug, path, 'b']);
  });

  it.each([
    ['/v1/models', { 'anthropic-version': '2023-06-01', authorization: 'Bearer k' }, 'anthropic'],
    ['/v1/models?key=k', {}, 'gemini'],
    ['/v1/models/ft:gpt-4o:a::b', { authorization: 'Bearer k' }, 'openai'],
    ['/v1beta/models/gemini-x%3AgenerateContent', {}, 'gemini'],
    ['/healthz', {}, undefined],
    ['/metrics', {}, undefined],
  ])('%s with %j: %s', (url, headers, slug) => expect(upstreamOf(url, headers)?.upstream.slug).toBe(slug));
});

describe('a credential that opens nothing', () => {
  let sandbox: SandboxUnderTest;
  beforeAll(async () => {
    sandbox = await sandboxUnderTest({});
  });
  afterAll(() => sandbox.close());

  const REFUSALS: [slug: string, path: string, status: number, body: object][] = [
    ['openai', '/v1/chat/completions', 401, { error: { code: 'invalid_api_key', param: null } }],
    ['anthropic', '/v1/messages', 401, { type: 'error', error: { type: 'authentication_error' } }],
    ['openrouter', '/api/v1/chat/completions', 401, { error: { code: 401, message: expect.any(String) } }],
    [
      'gemini',
      '/v1beta/models/gemini-x:generateContent',
      400,
      { error: { status: 'INVALID_ARGUMENT', details: [{ reason: 'API_KEY_INVALID' }, {}] } },
    ],
    ['elevenlabs', '/v1/text-to-speech/v', 401, { detail: { status: 'invalid_api_key' } }],
    ['assemblyai', '/v2/transcript', 401, { error: expect.any(String) }],
    ['muapi', '/muapi/api/v1/flux', 401, { detail: expect.any(String) }],
    ['telegram', '/botvendo_sk_x/getMe', 401, { ok: false, error_code: 401, description: 'Unauthorized' }],
    ['composio', '/api/v3.1/tools/execute/A_B', 401, { error: { status: 401 } }],
  ];

  it.each(REFUSALS)('is refused in the words of %s', async (slug, path, status, body) => {
    const own = UPSTREAMS.find((upstream) => upstream.slug === slug);
    expect(own).toBeDefined();
    const tried = slug === 'telegram' ? ['vendo_sk_x'] : ['', 'vendo_sk_x'];
    for (const key of tried) {
      const headers = key === '' ? {} : headersOf(slug, key);
      const answer = await sandbox.post(path, { model: 'm' }, headers);
      expect([answer.status, await answer.json()]).toMatchObject([status, body]);
    }
  });

  it.each([
    ['another header', '/v1/messages', { 'x-api-key': 'good', authorization: 'Bearer vendo_sk_x' }],
    ['the query', '/v1/messages?key=vendo_sk_x', { 'x-api-key': 'good' }],
  ])('is a key of the gateway, beside a good one in %s', async (_where, path, headers) =>
    expect((await sandbox.post(path, { model: 'm', max_tokens: 1, messages: [] }, headers)).status).toBe(401),
  );

  it.each(['openrouter', 'muapi'])('keeps nobody from the price feed of %s', async (slug) =>
    expect((await sandbox.get(`/${slug}/api/v1/models`)).status).toBe(200),
  );
});
