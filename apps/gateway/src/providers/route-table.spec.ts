import { describe, expect, it } from '@jest/globals';
import type { Provider } from './provider.js';
import { providerBySlug } from './registry.js';
import { matchRoute } from './route-table.js';

function classOf(slug: string, method: string, target: string): string {
  const provider = providerBySlug(slug);
  if (!provider) throw new Error(slug);
  return matchRoute(provider, method, target)?.route.class ?? 'blocked';
}

describe('matchRoute', () => {
  it.each([
    ['openai', 'POST', '/v1/chat/completions', 'metered'],
    ['openai', 'POST', '/v1/responses?beta=true', 'metered'],
    ['openai', 'POST', '/v1/embeddings', 'metered'],
    ['openai', 'GET', '/v1/models', 'free'],
    ['openai', 'GET', '/v1/models?limit=2', 'free'],
    ['openai', 'GET', '/v1/models/ft:gpt-4o-2024-08-06:acme::a1', 'free'],
    ['openai', 'GET', '/v1/models/gpt-4.1', 'free'],
    ['anthropic', 'POST', '/v1/messages?beta=true', 'metered'],
    ['anthropic', 'POST', '/v1/messages/count_tokens', 'free'],
    ['anthropic', 'GET', '/v1/models/claude-opus-5', 'free'],
  ])('%s %s %s is %s', (slug, method, target, expected) =>
    expect(classOf(slug, method, target)).toBe(expected),
  );

  it.each([
    ['openai', 'HEAD', '/v1/models'],
    ['openai', 'GET', '/v1/chat/completions'],
    ['openai', 'POST', '/v1/models'],
    ['openai', 'DELETE', '/v1/models/gpt-4'],
    ['openai', 'post', '/v1/embeddings'],
    ['openai', 'POST', '/v1/chat/completions/'],
    ['openai', 'POST', '/V1/chat/completions'],
    ['openai', 'POST', '//v1/chat/completions'],
    ['openai', 'POST', '/v1//chat/completions'],
    ['openai', 'POST', '/v1/chat/completions;a'],
    ['openai', 'POST', '/v1/chat%2Fcompletions'],
    ['openai', 'POST', 'https://api.openai.com/v1/embeddings'],
    ['openai', 'GET', '/v1/models/'],
    ['openai', 'GET', '/v1/models/.'],
    ['openai', 'GET', '/v1/models/..'],
    ['openai', 'GET', '/v1/models/a/b'],
    ['openai', 'GET', '/v1/models/a%2e%2e'],
    ['openai', 'GET', '/v1/models/a\n'],
    ['openai', 'POST', '/v1/batches'],
    ['openai', 'POST', '/v1/messages'],
    ['anthropic', 'POST', '/v1/messages/batches'],
    ['anthropic', 'POST', '/v1/complete'],
    ['anthropic', 'POST', '/v1/chat/completions'],
    ['anthropic', 'GET', '/v1/messages'],
    ['anthropic', 'GET', '/v1/organizations/x'],
  ])('%s %s %s is blocked', (slug, method, target) => expect(classOf(slug, method, target)).toBe('blocked'));
});

describe('a pattern', () => {
  const free = (path: string) => ({ class: 'free', method: 'GET', path, name: path }) as const;
  const provider = {
    routes: [free('/v1/a/:model:generate'), free('/v1/voices/:voice/stream'), free('/v1/*model')],
  } as unknown as Provider;
  const match = (target: string) => {
    const found = matchRoute(provider, 'GET', target);
    return found && { path: found.route.path, ...found.params };
  };

  it.each([
    ['/v1/a/gemini-2.5:generate?alt=sse', { path: '/v1/a/:model:generate', model: 'gemini-2.5' }],
    ['/v1/voices/v:1/stream', { path: '/v1/voices/:voice/stream', voice: 'v:1' }],
    ['/v1/sound/of/text', { path: '/v1/*model', model: 'sound/of/text' }],
  ])('names the parts of %s', (target, expected) => expect(match(target)).toEqual(expected));

  it.each([
    '/v1/',
    '/v1/a//b',
    '/v1/a/',
    '/v1/../b',
    '/v1/a/..',
    '/v1/a/%2e%2e',
    '/v1/a%2fb',
    `/v1/${Array(9).fill('a').join('/')}`,
    '/v2/a',
  ])('does not stretch to %s', (target) => expect(match(target)).toBeNull());

  it('takes no colon into a name that one follows', () =>
    expect(match('/v1/a/m:count:generate')).toEqual({ path: '/v1/*model', model: 'a/m:count:generate' }));
});
