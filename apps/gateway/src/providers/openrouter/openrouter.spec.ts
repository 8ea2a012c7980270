import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { MeteredRequest, UsageMeter } from '../provider.js';
import { countedAfter, feedStream, readRequest, reported } from '../read-answer.contract.js';
import { matchRoute } from '../route-table.js';
import { openrouter } from './openrouter.provider.js';

const CHAT = '/api/v1/chat/completions';
const COMPLETIONS = '/api/v1/completions';
const RESPONSES = '/api/v1/responses';
const EMBEDDINGS = '/api/v1/embeddings';
const TRANSCRIPTIONS = '/api/v1/audio/transcriptions';
const TALK = [{ role: 'user', content: 'hi' }];
const fixture = (name: string): string => readFileSync(join(import.meta.dirname, 'fixtures', name), 'utf8');
const read = (path: string, body: unknown) => readRequest(openrouter, path, body);
const bodyInto = (meter: UsageMeter, text: string) => meter.onBody(JSON.parse(text), Buffer.from(text));
const costOf = (meter: UsageMeter) =>
  meter
    .reading()
    .quantities.find(({ meter: name }) => name === 'usd')
    ?.quantity.toDecimal();

describe('openrouter routes', () => {
  const classOf = (method: string, raw: string): string =>
    matchRoute(openrouter, method, openrouter.target?.(raw) ?? raw)?.route.class ?? 'blocked';

  it.each([
    ['POST', '/v1/chat/completions', 'metered'],
    ['POST', '/api/v1/chat/completions', 'metered'],
    ['POST', '/v1/completions', 'metered'],
    ['POST', '/v1/responses?x=1', 'metered'],
    ['POST', '/v1/embeddings', 'metered'],
    ['POST', '/v1/rerank', 'metered'],
    ['POST', '/v1/audio/transcriptions', 'metered'],
    ['GET', '/v1/models', 'free'],
    ['GET', '/api/v1/models?category=programming', 'free'],
    ['GET', '/v1/models/count', 'free'],
    ['GET', '/v1/models/acme/writer-2:free/endpoints', 'free'],
    ['GET', '/v1/providers', 'free'],
    ['GET', '/v1/generation?id=gen-1', 'blocked'],
    ['GET', '/v1/generation/content?id=gen-1', 'blocked'],
    ['GET', '/v1/key', 'blocked'],
    ['GET', '/v1/keys', 'blocked'],
    ['POST', '/v1/keys', 'blocked'],
    ['GET', '/v1/credits', 'blocked'],
    ['POST', '/v1/auth/keys', 'blocked'],
    ['GET', '/v1/models/user', 'blocked'],
    ['POST', '/v1/presets/mine/chat/completions', 'blocked'],
    ['POST', '/v1/messages', 'blocked'],
    ['POST', '/v1/audio/speech', 'blocked'],
    ['POST', '/v1/videos', 'blocked'],
    ['POST', '/api/alpha/decisions', 'blocked'],
    ['GET', '/v1/chat/completions', 'blocked'],
    ['POST', '/v1/chat/completions/', 'blocked'],
    ['POST', '//v1/chat/completions', 'blocked'],
    ['POST', '/v1//chat/completions', 'blocked'],
    ['POST', '/v1/chat%2fcompletions', 'blocked'],
    ['POST', '/v1/chat%2Fcompletions', 'blocked'],
    ['POST', '/V1/chat/completions', 'blocked'],
    ['POST', '/api/api/v1/chat/completions', 'blocked'],
    ['POST', '/apiv1/chat/completions', 'blocked'],
    ['POST', '/%61pi/v1/chat/completions', 'blocked'],
  ])('%s %s is %s', (method, raw, expected) => expect(classOf(method, raw)).toBe(expected));

  it.each([
    ['/v1/models?a=/api/', '/api/v1/models?a=/api/'],
    ['/api/v1/models', '/api/v1/models'],
    ['/apis/v1', '/api/apis/v1'],
  ])('%s goes to %s', (raw, target) => expect(openrouter.target?.(raw)).toBe(target));
});

describe('openrouter requests', () => {
  it.each([
    ['no model', CHAT, '{"messages":[]}'],
    ['no model among the fallbacks', CHAT, '{"models":[]}'],
    ['two models', CHAT, '{"model":"a/b","model":"c/d"}'],
    ['a stream that is no flag', COMPLETIONS, '{"model":"a/b","stream":1}'],
    ['options that are no object', CHAT, '{"model":"a/b","stream_options":7}'],
    ['a call in the background', RESPONSES, '{"model":"a/b","background":true}'],
    ['embeddings without a model', EMBEDDINGS, '{"input":"x"}'],
    ['a transcription as text', TRANSCRIPTIONS, '{"model":"a/b","response_format":"text"}'],
  ])('refuses %s', (_, path, body) =>
    expect(() => read(path, body)).toThrow(expect.objectContaining({ code: 'invalid_body' })),
  );

  it('takes the first fallback where no model is named', () =>
    expect(read(CHAT, { models: ['a/b', 'c/d'] }).model).toBe('a/b'));

  it('needs no price but that of a dollar', () => {
    for (const path of [CHAT, COMPLETIONS, RESPONSES, EMBEDDINGS, TRANSCRIPTIONS])
      expect(read(path, { model: 'a/b' })).toMatchObject({ needs: ['usd'], tier: 'standard' });
  });

  const plain = { model: 'a/b', messages: TALK, max_tokens: 50 };
  it.each([
    ['plain text', {}, 0, 50],
    ['choices', { n: 2 }, 0, 100],
    ['functions', { tools: [{ type: 'function' }] }, 1_000, 50],
  ])('bounds %s by bytes and limit', (_, change, more, output) => {
    const body = JSON.stringify({ ...plain, ...change });
    expect(read(CHAT, body).bound).toEqual({ kind: 'tokens', input: body.length + more, output });
  });

  it.each<[string, object]>([
    ['no limit', { max_tokens: undefined }],
    ['fallbacks', { models: ['c/d'] }],
    ['plugins', { plugins: [{ id: 'web' }] }],
    ['a preset', { preset: 'mine' }],
    ['a searching variant', { model: 'a/b:online' }],
    ['a router', { model: 'openrouter/auto' }],
    ['a tool of the provider', { tools: [{ type: 'openrouter:web_search' }] }],
    ['an image', { messages: [{ role: 'user', content: [{ type: 'image_url' }] }] }],
  ])('holds the ceiling for %s', (_, change) =>
    expect(read(CHAT, { ...plain, ...change }).bound).toEqual({ kind: 'ceiling' }),
  );

  it.each<[string, object, string]>([
    [CHAT, { preset: 'mine' }, 'preset'],
    [CHAT, { model: '@preset/mine' }, 'preset'],
    [CHAT, { models: ['a/b@preset/mine'] }, 'preset'],
    [CHAT, { messages: [{ content: [{ type: 'file', file: { file_id: 'f' } }] }] }, 'file_id'],
    [RESPONSES, { previous_response_id: 'r' }, 'previous_response_id'],
  ])('%s with %j reads what is stored in the account', (path, change, field) =>
    expect(read(path, { model: 'a/b', ...change }).accountObjects).toEqual([field]),
  );

  it('reads the form of a transcription as its JSON', async () => {
    const form = new FormData();
    form.append('model', 'a/stt');
    form.append('file', new Blob(['x']), 'x.wav');
    const request = await formRequest(form);
    expect(request).toMatchObject({ model: 'a/stt', stream: false, bound: { kind: 'ceiling' } });
    form.append('response_format', 'srt');
    await expect(formRequest(form)).rejects.toMatchObject({ code: 'invalid_body' });
  });
});

async function formRequest(form: FormData): Promise<MeteredRequest> {
  const encoded = new Response(form);
  const { route } = matchRoute(openrouter, 'POST', TRANSCRIPTIONS) ?? {};
  if (route?.class !== 'metered') throw new Error('not metered');
  return route.read({
    body: Buffer.from(await encoded.arrayBuffer()),
    params: {},
    query: new URLSearchParams(),
    contentType: encoded.headers.get('content-type') ?? '',
  });
}

describe('a stream of openrouter', () => {
  it.each([
    [
      CHAT,
      '{"model":"a/b","stream":true}',
      '{"stream_options":{"include_usage":true},"model":"a/b","stream":true}',
    ],
    [
      COMPLETIONS,
      '{"model":"a/b","stream":true,"stream_options":{"include_usage":false,"x":1}}',
      '{"model":"a/b","stream":true,"stream_options":{"include_usage":true,"x":1}}',
    ],
    [CHAT, '{"model":"a/b"}', '{"model":"a/b"}'],
    [RESPONSES, '{"model":"a/b","stream":true}', '{"model":"a/b","stream":true}'],
  ])('%s with %s is asked for its usage', (path, body, forwarded) =>
    expect(read(path, body).body.toString()).toBe(forwarded),
  );

  it('keeps every event, the usage among them', () => {
    const request = read(CHAT, { model: 'a/b', stream: true });
    expect(request.dropsNothing).toBe(true);
    const verdicts = feedStream(request.meter(), fixture('error-then-usage.sse.txt'));
    expect(verdicts.map(({ drop }) => drop)).not.toContain(true);
  });
});

describe('openrouter usage', () => {
  const chat = () => read(CHAT, { model: 'a/b' }).meter();

  it('is what was paid, digit for digit, also behind an error in the stream', () => {
    const meter = chat();
    const verdicts = feedStream(meter, fixture('error-then-usage.sse.txt'));
    expect(verdicts.map(({ terminal }) => terminal)).toEqual([false, false, false, false, true]);
    expect(costOf(meter)).toBe('0.00049701333333333333333');
    expect(meter.reading()).toMatchObject({
      failed: true,
      state: 'final',
      upstreamId: 'gen-1',
      model: 'acme/writer-2-20260301',
      tier: null,
    });
  });

  it('tells tokens beside the cost, disjoint, without charging them', () => {
    const meter = chat();
    feedStream(meter, fixture('error-then-usage.sse.txt'));
    const { usd, ...tokens } = reported(meter);
    expect(tokens).toEqual({ input_tokens: 10, cache_read_tokens: 30, output_tokens: 3 });
    expect(usd).toBeGreaterThan(0);
    expect(meter.reading().quantities.map(({ included }) => included === true)).toEqual([
      true,
      true,
      true,
      false,
    ]);
  });

  it('of a response stands in its last event, and [DONE] ends the stream', () => {
    const meter = read(RESPONSES, { model: 'a/b', stream: true }).meter();
    const verdicts = feedStream(meter, fixture('responses.sse.txt'));
    expect(verdicts.map(({ terminal }) => terminal)).toEqual([false, false, false, false, true]);
    expect(reported(meter)).toEqual({
      input_tokens: 15,
      cache_read_tokens: 5,
      output_tokens: 19,
      usd: 8.6e-6,
    });
    expect(costOf(meter)).toBe('0.0000086');
  });

  it('behind white space is read; a key of one’s own costs nothing, and that is final', () => {
    const meter = chat();
    bodyInto(meter, fixture('keep-alive-own-key.json'));
    expect(reported(meter)).toEqual({ input_tokens: 14, output_tokens: 7, usd: 0 });
    expect(meter.reading()).toMatchObject({ state: 'final', failed: false });
  });

  it('without a cost is priced by tokens, of the model that answered or of the one that was asked', () => {
    const meter = chat();
    bodyInto(meter, '{"model":"x/y:nitro","usage":{"prompt_tokens":5,"completion_tokens":2}}');
    expect(reported(meter)).toEqual({ input_tokens: 5, output_tokens: 2 });
    for (const { included, rateKeys } of meter.reading().quantities) {
      expect(included).toBeUndefined();
      expect(rateKeys).toEqual(['x/y:nitro', 'x/y', 'a/b']);
    }
    expect(meter.reading().state).toBe('final');
  });

  it.each(['-1', '"1"', 'null', '{}', '1e999'])('takes %s for no cost', (cost) => {
    const meter = chat();
    bodyInto(meter, `{"usage":{"prompt_tokens":5,"completion_tokens":2,"cost":${cost}}}`);
    expect(reported(meter)).toEqual({ input_tokens: 5, output_tokens: 2 });
    // One that was said, whatever it was, is not known.
    expect(meter.reading().state).toBe(cost === 'null' ? 'final' : 'partial');
  });

  it.each([
    ['', '0.002', 'final'],
    [',"cost":null', '0.002', 'final'],
    [',"cost":0.003', '0.003', 'final'],
    [',"cost":"0.003"', undefined, 'partial'],
  ])('keeps a cost unless another is said after it (%s)', (later, cost, state) => {
    const meter = chat();
    for (const said of [',"cost":0.002', later])
      meter.onEvent({
        event: '',
        data: `{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2${said}}}`,
      });
    expect(costOf(meter)).toBe(cost);
    expect(meter.reading().state).toBe(state);
  });

  it.each<[object, object]>([
    [{ prompt_tokens_details: { cached_tokens: '3' } }, { input_tokens: 5, output_tokens: 2 }],
    [{ prompt_tokens_details: { cache_write_tokens: -3 } }, { input_tokens: 5, output_tokens: 2 }],
    [{ prompt_tokens_details: { audio_tokens: {} } }, { input_tokens: 5, output_tokens: 2 }],
    [{ completion_tokens_details: { image_tokens: 0.5 } }, { input_tokens: 5, output_tokens: 2 }],
  ])('whose shares are no counts (%j) is final only where the cost is said', (odd, tokens) => {
    const usage = { prompt_tokens: 5, completion_tokens: 2, ...odd };
    const meter = chat();
    bodyInto(meter, JSON.stringify({ usage }));
    expect(reported(meter)).toEqual(tokens);
    expect(meter.reading().state).toBe('partial');
    bodyInto(meter, JSON.stringify({ usage: { ...usage, cost: 0.002 } }));
    expect(meter.reading().state).toBe('final');
  });

  it('of a cost without tokens is final, of tokens that are none partial', () => {
    const rerank = read('/api/v1/rerank', { model: 'a/b' }).meter();
    bodyInto(rerank, '{"usage":{"search_units":1,"cost":0.002}}');
    expect(rerank.reading().state).toBe('final');
    expect(costOf(rerank)).toBe('0.002');
    const odd = chat();
    bodyInto(odd, '{"usage":{"prompt_tokens":"5","completion_tokens":2}}');
    expect(odd.reading().state).toBe('partial');
  });

  it.each([
    '{"error":{"code":502,"message":"gone"}}',
    '{"choices":[{"error":{"code":502}}]}',
    '{"choices":[{"finish_reason":"error"}]}',
    '{"status":"failed"}',
  ])('%s in a 200 is an error without a report', (body) => {
    const meter = chat();
    bodyInto(meter, body);
    expect(meter.reading()).toMatchObject({ failed: true, state: 'none', quantities: [] });
  });

  it('of an answer that broke off is what has passed, to be priced by tokens', () => {
    const meter = read(CHAT, {
      model: 'a/b',
      messages: [{ role: 'user', content: 'one two three' }],
    }).meter();
    const [comment = '', , first = '', , second = ''] =
      fixture('error-then-usage.sse.txt').split(/(?<=\n\n)/);
    expect(countedAfter(meter, [comment, first, second])).toEqual({ input_tokens: 3, output_tokens: 5 });
    expect(meter.counted().quantities.every(({ included }) => !included)).toBe(true);
  });

  it.each([
    [
      RESPONSES,
      { input: 'one two' },
      ['data: {"type":"response.output_text.delta","delta":"a b c"}\n\n'],
      2,
      3,
    ],
    [
      RESPONSES,
      { input: 'one two' },
      ['data: {"type":"response.output_text.done","text":"a b c"}\n\n'],
      2,
      0,
    ],
    [COMPLETIONS, { prompt: ['one', 'two'] }, ['data: {"choices":[{"text":"a b"}]}\n\n'], 2, 2],
    [EMBEDDINGS, { input: [[1, 2, 3]] }, [], 3, 0],
    [CHAT, { messages: TALK, transforms: ['middle-out'] }, [], 0, 0],
  ])('%s with %j and %j counts %d in, %d out', (path, change, events, input, output) => {
    const meter = read(path, { model: 'a/b', ...change }).meter();
    expect(countedAfter(meter, events)).toEqual({ input_tokens: input, output_tokens: output });
  });

  it('of a body that broke off is counted too', () => {
    const meter = chat();
    meter.onTornBody('{"choices":[{"message":{"content":"One two thr');
    expect(countedAfter(meter, [])).toMatchObject({ output_tokens: 3 });
  });

  it('never throws and is never negative, whatever comes', () => {
    const odd = fc.oneof(fc.jsonValue(), fc.integer(), fc.double());
    const usage = fc.record({
      prompt_tokens: odd,
      completion_tokens: odd,
      input_tokens: odd,
      cost: odd,
      prompt_tokens_details: fc.oneof(odd, fc.record({ cached_tokens: odd, cache_write_tokens: odd })),
    });
    const body = fc.record({ usage, model: odd, id: odd, choices: odd, response: fc.record({ usage }) });
    fc.assert(
      fc.property(
        fc.constantFrom(CHAT, RESPONSES, EMBEDDINGS),
        fc.oneof(fc.jsonValue(), body),
        (path, json) => {
          const meter = read(path, { model: 'm' }).meter();
          const text = JSON.stringify(json);
          meter.onEvent({ event: '', data: text });
          bodyInto(meter, text);
          for (const { quantity } of [...meter.reading().quantities, ...meter.counted().quantities])
            expect(quantity.isNegative()).toBe(false);
        },
      ),
    );
  });
});

it.each([
  ['acme/writer-2', ['acme/writer-2']],
  ['acme/writer-2:nitro', ['acme/writer-2:nitro', 'acme/writer-2']],
  ['acme/writer-2:free', ['acme/writer-2:free']],
])('%s is priced as one of %j', (model, keys) => expect(openrouter.rateKeys(model)).toEqual(keys));

it('openrouter takes the credential as a bearer', () => {
  const headers = {};
  openrouter.authorize({ path: '/', headers }, 'sk-or-1');
  expect(headers).toEqual({ authorization: 'Bearer sk-or-1' });
});
