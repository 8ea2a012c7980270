import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { readCatalogue } from '@vendo/registry';
import fc from 'fast-check';
import { requestHeaders } from '../../proxy/headers.js';
import { presentedKey } from '../../proxy/presented-key.js';
import type { UsageMeter } from '../provider.js';
import { feedStream, readRequest, reported } from '../read-answer.contract.js';
import { matchRoute } from '../route-table.js';
import { anthropic } from './anthropic.provider.js';

const TALK = [{ role: 'user', content: 'hi' }];
const fixture = (name: string): string => readFileSync(join(import.meta.dirname, 'fixtures', name), 'utf8');
const read = (body: unknown) => readRequest(anthropic, '/v1/messages', body);
const plain = { model: 'claude-opus-5', max_tokens: 50, messages: TALK };

describe('anthropic routes', () => {
  const classOf = (method: string, path: string) =>
    matchRoute(anthropic, method, path)?.route.class ?? 'blocked';

  it.each([
    ['POST', '/v1/messages?beta=true', 'metered'],
    ['POST', '/v1/messages/count_tokens', 'free'],
    ['GET', '/v1/models/claude-opus-5', 'free'],
    ['POST', '/v1/messages/batches', 'blocked'],
    ['GET', '/v1/messages/batches/msgbatch_1/results', 'blocked'],
    ['POST', '/v1/complete', 'blocked'],
    ['POST', '/v1/files', 'blocked'],
    ['POST', '/v1/skills', 'blocked'],
    ['POST', '/v1/agents', 'blocked'],
    ['POST', '/v1/sessions', 'blocked'],
    ['POST', '/v1/environments', 'blocked'],
    ['GET', '/v1/organizations/usage_report/messages', 'blocked'],
    ['POST', '/v1/oauth/token', 'blocked'],
    ['POST', '/v1/messages/', 'blocked'],
    ['POST', '/v1//messages', 'blocked'],
    ['POST', '/v1/%6Dessages', 'blocked'],
    ['POST', '/V1/messages', 'blocked'],
    ['POST', '/v1/messages;a=b', 'blocked'],
  ])('%s %s is %s', (method, path, expected) => expect(classOf(method, path)).toBe(expected));

  it('see objects of the account also where tokens are only counted', () => {
    const route = matchRoute(anthropic, 'POST', '/v1/messages/count_tokens')?.route;
    if (route?.class !== 'free') throw new Error('it is free');
    const named = (body: object) => route.accountObjectsIn?.(Buffer.from(JSON.stringify(body)));
    const file = { type: 'document', source: { type: 'file', file_id: 'file_1' } };
    expect(named({ model: 'm', messages: [{ role: 'user', content: [file] }] })).toEqual(['file_id']);
    expect(named({ messages: TALK })).toEqual([]);
  });
});

describe('anthropic usage', () => {
  const streamed = (text: string): UsageMeter => {
    const meter = read(plain).meter();
    feedStream(meter, text);
    return meter;
  };
  const whole = (message: object, request: object = plain): UsageMeter => {
    const meter = read(request).meter();
    meter.onBody({ id: 'msg', model: 'claude-opus-5', content: [{ type: 'text' }], ...message });
    return meter;
  };

  it('takes each field from the last delta that has it, and the rest from the start', () => {
    const meter = streamed(fixture('delta-raises-and-lowers.sse.txt'));
    expect(reported(meter)).toEqual({
      input_tokens: 404_500,
      cache_write_tokens: 200,
      cache_write_1h_tokens: 300,
      output_tokens: 77,
      web_searches: 3,
      web_fetches: 1,
    });
    expect(meter.reading()).toMatchObject({
      state: 'final',
      tier: 'us',
      // Two calls of tools: three inferences at most, of which the largest has a third or more.
      contextTokens: 135_000,
      failed: false,
    });
  });

  it('keeps what only the start says, and takes its placeholder for no output', () => {
    const meter = streamed(fixture('delta-with-output-only.sse.txt'));
    expect(reported(meter)).toEqual({
      input_tokens: 31,
      cache_read_tokens: 900,
      cache_write_tokens: 40,
      output_tokens: 4,
    });
    expect(meter.reading().state).toBe('final');
  });

  it.each([
    ['tools ran', [{ type: 'server_tool_use' }, { type: 'mcp_tool_use' }], 100_000],
    ['a tool of the client did', [{ type: 'tool_use' }], 300_000],
    ['none did', [], 300_000],
  ])('takes the sum of the inferences for no long prompt where %s at Anthropic', (_, content, context) => {
    const meter = whole({ content, usage: { input_tokens: 300_000, output_tokens: 1 } });
    expect(meter.reading().contextTokens).toBe(context);
  });

  it('takes the first prompt of a stream for the largest where the even share is less', () => {
    const meter = read(plain).meter();
    const start = { message: { usage: { input_tokens: 250_000, output_tokens: 1 } } };
    meter.onEvent({ event: 'message_start', data: JSON.stringify(start) });
    meter.onEvent({ event: 'content_block_start', data: '{"content_block":{"type": "server_tool_use"}}' });
    meter.onEvent({ event: 'message_delta', data: '{"usage":{"input_tokens":400000,"output_tokens":9}}' });
    expect(meter.reading().contextTokens).toBe(250_000);
  });

  it('does not bill a refusal without output', () => {
    const meter = streamed(fixture('refusal-without-output.sse.txt'));
    expect(meter.reading()).toMatchObject({ state: 'final', quantities: [] });
  });

  it('bills a refusal that came after output', () => {
    const meter = whole({ stop_reason: 'refusal', usage: { input_tokens: 5, output_tokens: 3 } });
    expect(reported(meter)).toEqual({ input_tokens: 5, output_tokens: 3 });
  });

  it('keeps what was reported before an error in the stream', () => {
    const meter = streamed(fixture('error-mid-stream.sse.txt'));
    expect(reported(meter)).toEqual({ input_tokens: 120, output_tokens: 1 });
    expect(meter.reading()).toMatchObject({ state: 'partial', failed: true, upstreamId: 'msg_3' });
  });

  it('counts all cache writes without a split as five minutes', () =>
    expect(
      reported(whole({ usage: { input_tokens: 1, cache_creation_input_tokens: 9, output_tokens: 1 } })),
    ).toEqual({ input_tokens: 1, cache_write_tokens: 9, output_tokens: 1 }));

  it('bills the sum of the iterations, each at its own model, and the largest of them as context', () => {
    const meter = whole({
      content: [{ type: 'server_tool_use', name: 'advisor' }],
      usage: {
        input_tokens: 30,
        output_tokens: 3,
        iterations: [
          { type: 'compaction', input_tokens: 500, output_tokens: 20 },
          { type: 'message', input_tokens: 10, output_tokens: 1, model: 'claude-opus-5' },
          { type: 'message', input_tokens: 20, output_tokens: 2, cache_read_input_tokens: 600 },
          { type: 'advisor_message', model: 'claude-fable-5', input_tokens: 7, output_tokens: 4 },
          { type: 'advisor_message', model: 'claude-fable-5', input_tokens: 1, output_tokens: 1 },
        ],
      },
    });
    expect(reported(meter)).toEqual({
      input_tokens: 530,
      cache_read_tokens: 600,
      output_tokens: 23,
      'input_tokens@claude-fable-5': 8,
      'output_tokens@claude-fable-5': 5,
    });
    expect(meter.reading().contextTokens).toBe(620);
    expect(meter.reading().quantities.at(-1)?.rateKeys).toEqual(['claude-fable-5']);
  });

  it('never bills less than the top level, whatever the iterations say', () => {
    const usage = { input_tokens: 30, output_tokens: 3, iterations: [{ input_tokens: 1 }, null, 'x', {}] };
    expect(reported(whole({ usage }))).toEqual({ input_tokens: 30, output_tokens: 3 });
  });

  it.each([-1, 1.5, '12', 2 ** 53, {}, true])('ignores %p, which is no count', (output_tokens) => {
    const meter = whole({ usage: { input_tokens: 5, output_tokens } });
    expect(reported(meter)).toMatchObject({ input_tokens: 5 });
    expect(meter.reading().state).toBe('partial');
  });

  const odd = { ephemeral_1h_input_tokens: 'x' };
  it.each<[Record<string, unknown>, Record<string, number>]>([
    [{ cache_creation: odd, cache_creation_input_tokens: 9 }, { cache_write_tokens: 9 }],
    [
      { cache_creation: { ephemeral_5m_input_tokens: {}, ephemeral_1h_input_tokens: 4 } },
      { cache_write_1h_tokens: 4 },
    ],
    [{ cache_creation: 5 }, {}],
    [{ server_tool_use: { web_search_requests: -5, web_fetch_requests: 2 } }, { web_fetches: 2 }],
    [{ server_tool_use: { web_search_requests: 2, web_fetch_requests: true } }, { web_searches: 2 }],
    [{ server_tool_use: 'x' }, {}],
    [{ cache_read_input_tokens: 1.5 }, {}],
    [{ speed: {} }, {}],
    [{ inference_geo: 7 }, {}],
  ])('is not final where %j is none, and bills the rest', (more, lines) => {
    const meter = whole({ usage: { input_tokens: 5, output_tokens: 2, ...more } });
    expect(meter.reading().state).toBe('partial');
    expect(reported(meter)).toEqual({ input_tokens: 5, output_tokens: 2, ...lines });
  });

  it.each([
    { cache_creation: null, server_tool_use: null, cache_read_input_tokens: null, speed: null },
    { server_tool_use: { web_search_requests: null } },
    { cache_creation: { ephemeral_5m_input_tokens: null } },
    { iterations: [{ cache_creation: { ephemeral_1h_input_tokens: null }, model: null }] },
  ])('is final where %j is not said', (more) =>
    expect(whole({ usage: { input_tokens: 5, output_tokens: 2, ...more } }).reading().state).toBe('final'),
  );

  it('keeps a count of tools in a stream until another one is said, which makes it final again', () => {
    const meter = read(plain).meter();
    const say = (event: string, server_tool_use: object): void => {
      const usage = { input_tokens: 5, output_tokens: 2, server_tool_use };
      const data = { delta: { stop_reason: 'end_turn' }, usage, message: { usage } };
      meter.onEvent({ event, data: JSON.stringify(data) });
    };
    say('message_start', { web_search_requests: 2, web_fetch_requests: 1 });
    say('message_delta', { web_search_requests: 'x' });
    expect(reported(meter)).toMatchObject({ web_searches: 2, web_fetches: 1 });
    expect(meter.reading().state).toBe('partial');
    say('message_delta', { web_search_requests: 3 });
    expect(reported(meter)).toMatchObject({ web_searches: 3, web_fetches: 1 });
    expect(meter.reading().state).toBe('final');
  });

  it.each([
    [{ output_tokens: 'x' }, 'a count that is none'],
    [{ cache_creation: odd }, 'a split that is none'],
    [{ cache_creation: [] }, 'no split'],
    [{ model: 4 }, 'no model'],
    [5, 'no iteration'],
    ['none', 'no list'],
  ])('is not final where the iterations are or have %p: %s', (iteration, _) => {
    const iterations = typeof iteration === 'string' ? iteration : [iteration];
    const meter = whole({ usage: { input_tokens: 5, output_tokens: 2, iterations } });
    expect(meter.reading().state).toBe('partial');
    expect(reported(meter)).toEqual({ input_tokens: 5, output_tokens: 2 });
  });

  it('is not final in a stream whose last word of a count is none, nor before it has a reason to stop', () => {
    const after = (...deltas: object[]) => {
      const meter = read(plain).meter();
      const start = { message: { usage: { input_tokens: 5, output_tokens: 1 } } };
      meter.onEvent({ event: 'message_start', data: JSON.stringify(start) });
      for (const delta of deltas) meter.onEvent({ event: 'message_delta', data: JSON.stringify(delta) });
      return meter;
    };
    const stop = { delta: { stop_reason: 'end_turn' } };
    const odd = { ...stop, usage: { input_tokens: -7, output_tokens: 9 } };
    expect(after(odd).reading().state).toBe('partial');
    expect(after(odd, { usage: { input_tokens: 7 } }).reading().state).toBe('final');
    const goesOn = after({ delta: { stop_reason: null }, usage: { output_tokens: 9 } });
    goesOn.onEvent({ event: 'message_delta', data: '{"type":"message_del' });
    expect(goesOn.reading().state).toBe('partial');
    goesOn.onEvent({ event: 'message_stop', data: '{}' });
    expect(goesOn.reading().state).toBe('final');
    expect(after({ delta: { stop_reason: null }, usage: { output_tokens: 9 } }, stop).reading().state).toBe(
      'final',
    );
  });

  it('falls back on the speed and place of the request where the answer does not say', () => {
    const usage = { input_tokens: 1, output_tokens: 1 };
    const fast = { ...plain, speed: 'fast', inference_geo: 'us' };
    expect(whole({ usage }, fast).reading().tier).toBe('fast_us');
    expect(whole({ usage: { ...usage, speed: 'standard' } }, fast).reading().tier).toBe('us');
  });

  it.each([
    ['of a container', {}, 'c', 1],
    ['of none', {}, null, undefined],
    ['of a new one with skills', { container: { skills: [] } }, 'c', 1],
    ['of one that the request names', { container: 'c' }, 'c', undefined],
    ['of one that the request names in an object', { container: { id: 'c' } }, 'c', undefined],
    ['of another one than the request names', { container: 'b' }, 'c', 1],
    ['beside a search that runs no code', { tools: [{ type: 'web_search_20250305' }] }, 'c', 1],
    ['beside a search that filters by code', { tools: [{ type: 'web_search_20260209' }] }, 'c', undefined],
    ['beside a fetch of after it', { tools: [{ type: 'web_fetch_20260318' }] }, 'c', undefined],
    ['beside a tool of that name', { tools: [{ name: 'web_search_20260209' }] }, 'c', 1],
  ])('counts the session %s', (_, request, id, sessions) => {
    const usage = { input_tokens: 1, output_tokens: 1 };
    const container = id === null ? null : { id };
    expect(reported(whole({ container, usage }, { ...plain, ...request })).code_sessions).toBe(sessions);
  });

  it('counts a session once that a stream tells of at its end', () => {
    const meter = read(plain).meter();
    const usage = { input_tokens: 1, output_tokens: 1 };
    const start = { message: { container: null, usage } };
    meter.onEvent({ event: 'message_start', data: JSON.stringify(start) });
    const delta = { container: { id: 'c' }, stop_reason: 'end_turn' };
    for (const _ of [1, 2]) meter.onEvent({ event: 'message_delta', data: JSON.stringify({ delta, usage }) });
    expect(reported(meter).code_sessions).toBe(1);
  });

  it('never throws, whatever comes', () =>
    fc.assert(
      fc.property(
        fc.constantFrom('', 'error', 'ping', 'message_start', 'message_delta', 'message_stop'),
        fc.oneof(fc.jsonValue(), usageLike()),
        fc.string(),
        (event, json, junk) => {
          const meter = read(plain).meter();
          meter.onEvent({ event, data: junk });
          meter.onEvent({ event, data: JSON.stringify(json) });
          meter.onBody(json);
          for (const { quantity } of meter.reading().quantities) expect(quantity.isNegative()).toBe(false);
        },
      ),
    ));
});

function usageLike(): fc.Arbitrary<unknown> {
  const odd = fc.oneof(fc.jsonValue(), fc.integer(), fc.double());
  const counts = fc.record({
    input_tokens: odd,
    output_tokens: odd,
    cache_creation_input_tokens: odd,
    cache_creation: fc.oneof(odd, fc.record({ ephemeral_1h_input_tokens: odd })),
    model: odd,
  });
  const usage = fc
    .tuple(counts, fc.oneof(odd, fc.array(counts)), odd)
    .map(([top, iterations, server_tool_use]) => ({ ...top, iterations, server_tool_use }));
  return fc.record({ usage, message: fc.record({ usage, id: odd, content: odd }), delta: odd, error: odd });
}

describe('anthropic models', () => {
  it.each([
    ['claude-opus-5', ['claude-opus-5']],
    ['claude-sonnet-4-5-20250929', ['claude-sonnet-4-5-20250929', 'claude-sonnet-4-5']],
    [
      'claude-4-opus-20250514',
      ['claude-4-opus-20250514', 'claude-opus-4-20250514', 'claude-4-opus', 'claude-opus-4'],
    ],
    ['claude-sonnet-4-0', ['claude-sonnet-4-0', 'claude-sonnet-4-20250514']],
    ['claude-4-sonnet', ['claude-4-sonnet', 'claude-sonnet-4', 'claude-sonnet-4-20250514']],
    ['claude-opus-4-1', ['claude-opus-4-1']],
    ['claude-3-5-haiku-latest', ['claude-3-5-haiku-latest']],
    ['anthropic/claude-opus-5', ['anthropic/claude-opus-5', 'claude-opus-5']],
    ['constructor', ['constructor']],
  ])('%s is priced as one of %j', (model, keys) => expect(anthropic.rateKeys(model)).toEqual(keys));
});

describe('anthropic credentials', () => {
  it.each([
    ['0.x', ['x-api-key', 'vendo_sk_mine', 'anthropic-version', '2023-06-01'], '2023-06-01'],
    ['1.x', ['Authorization', 'Bearer vendo_sk_mine', 'anthropic-version', '2026-10-21'], '2026-10-21'],
  ])('are taken as the SDK %s sends them, and the secret stands once', (_, raw, version) => {
    expect(presentedKey(raw, '/v1/messages')).toBe('vendo_sk_mine');
    const headers = requestHeaders([...raw, 'anthropic-beta', 'a'], { metered: true, identity: false });
    anthropic.authorize({ path: '/v1/messages', headers }, 'sk-ant-api03-x');
    expect({ ...headers }).toEqual({
      'anthropic-version': version,
      'anthropic-beta': 'a',
      'x-api-key': 'sk-ant-api03-x',
    });
  });

  it.each([
    ['sk-ant-api03-x', { 'anthropic-beta': 'a' }, { 'x-api-key': 'sk-ant-api03-x', 'anthropic-beta': 'a' }],
    [
      'sk-ant-oat01-x',
      { 'anthropic-beta': 'a' },
      { authorization: 'Bearer sk-ant-oat01-x', 'anthropic-beta': 'a,oauth-2025-04-20' },
    ],
  ])('%s goes where its kind belongs', (secret, headers: Record<string, string>, expected) => {
    const sent = { ...headers };
    anthropic.authorize({ path: '/', headers: sent }, secret);
    expect(sent).toEqual(expected);
  });
});

it('pages that are fetched are free in every tier, also for a model that the catalogue lacks', async () => {
  const forAll = (await readCatalogue()).filter(
    ({ provider, model }) => provider === 'anthropic' && model === '*',
  );
  const fetched = forAll.filter(({ meter, free }) => meter === 'web_fetches' && free);
  expect(fetched.map(({ tier }) => tier).sort()).toEqual(['fast', 'fast_us', 'standard', 'us']);
});
