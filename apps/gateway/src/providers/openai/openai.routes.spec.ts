import { describe, expect, it } from '@jest/globals';
import { matchRoute } from '../route-table.js';
import { openai } from './openai.provider.js';

describe('openai routes', () => {
  const classOf = (method: string, path: string) =>
    matchRoute(openai, method, path)?.route.class ?? 'blocked';

  it.each([
    ['POST', '/v1/responses?beta=true', 'metered'],
    ['POST', '/v1/responses/compact', 'metered'],
    ['POST', '/v1/audio/speech', 'metered'],
    ['POST', '/v1/audio/transcriptions', 'metered'],
    ['POST', '/v1/audio/translations', 'metered'],
    ['POST', '/v1/images/generations', 'metered'],
    ['POST', '/v1/images/edits', 'metered'],
    ['POST', '/v1/images/variations', 'metered'],
    ['POST', '/v1/completions', 'metered'],
    ['POST', '/v1/moderations', 'free'],
    ['POST', '/v1/responses/input_tokens', 'free'],
    ['GET', '/v1/models/ft:gpt-4o:acme::1', 'free'],
    ['GET', '/v1/responses/resp_1?stream=true', 'free'],
    ['GET', '/v1/chat/completions/chatcmpl_1/messages', 'free'],
  ])('%s %s is %s', (method, path, expected) => expect(classOf(method, path)).toBe(expected));

  const NOT_OURS = [
    ['GET', '/v1/responses'],
    ['GET', '/v1/responses/'],
    ['GET', '/v1/responses/resp_1%2Finput_items'],
    ['POST', '/v1/responses/resp_1'],
    ['GET', '/v1/chat/completions'],
    ['DELETE', '/v1/models/ft:m'],
    ['POST', '/v1/files'],
    ['POST', '/v1/uploads'],
    ['POST', '/v1/batches'],
    ['POST', '/v1/fine_tuning/jobs'],
    ['POST', '/v1/videos'],
    ['POST', '/v1/decisions'],
    ['POST', '/v1/threads/runs'],
    ['POST', '/v1/assistants'],
    ['POST', '/v1/containers'],
    ['POST', '/v1/conversations'],
    ['POST', '/v1/vector_stores'],
    ['POST', '/v1/evals'],
    ['POST', '/v1/agents'],
    ['POST', '/v1/realtime/client_secrets'],
    ['POST', '/v1/realtime/sessions'],
    ['POST', '/v1/live/sessions'],
    ['POST', '/v1/audio/voices'],
    ['GET', '/v1/organization/usage/completions'],
    ['POST', '/v1/traces/ingest'],
  ] as const;
  it.each(NOT_OURS)('%s %s is blocked', (method, path) => expect(classOf(method, path)).toBe('blocked'));

  it('opens what is stored to who made it only', () => {
    const isOfId = ({ path }: { path: string }) => path.includes('/:id') && !path.startsWith('/v1/models');
    expect(
      openai.routes.filter((route) => isOfId(route) && !(route.class === 'free' && route.object === 'id')),
    ).toEqual([]);
  });

  it.each([
    '/v1/audio/speech/',
    '/v1//audio/speech',
    '/v1/audio%2Fspeech',
    '/v1/audio/%73peech',
    '/V1/audio/speech',
    '/v1/images/generations;x=1',
    '/v1/images/./generations',
    '/v1/moderations/',
    '/audio/speech',
  ])('no other spelling gets through: %s', (path) => expect(classOf('POST', path)).toBe('blocked'));
});
