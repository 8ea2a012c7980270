import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { UsageMeter } from '../provider.js';
import { countedAfter, feedStream, readRequest, reported } from '../read-answer.contract.js';
import { openai } from './openai.provider.js';

const CHAT = '/v1/chat/completions';
const RESPONSES = '/v1/responses';
const TALK = [{ role: 'user', content: 'hi' }];
const fixture = (name: string): string => readFileSync(join(import.meta.dirname, 'fixtures', name), 'utf8');
const read = (path: string, body: unknown) => readRequest(openai, path, body);

describe('openai requests', () => {
  const plain = { model: 'gpt-5', messages: TALK, max_completion_tokens: 50 };

  it.each([
    ['no JSON', '{"model":'],
    ['a list', '[]'],
    ['no model', '{"messages":[]}'],
    ['a model that is no text', '{"model":5}'],
    ['two models', '{"model":"gpt-5-nano","model":"gpt-5"}'],
    ['a second model behind an escape', '{"model":"gpt-5-nano","mod\\u0065l":"gpt-5"}'],
    ['a fraction of a choice', '{"model":"gpt-5","n":1.5}'],
    ['a negative limit', '{"model":"gpt-5","max_tokens":-1}'],
    ['a stream that is no flag', '{"model":"gpt-5","stream":"true"}'],
  ])('refuses %s', (_, body) =>
    expect(() => read(CHAT, body)).toThrow(expect.objectContaining({ code: 'invalid_body' })),
  );

  it('names the field that it refuses and nothing of its content', () =>
    expect(() => read(CHAT, { model: 'gpt-5', n: 'secret' })).toThrow(
      '"n" is missing or not what this route takes.',
    ));

  it('refuses background responses, whose usage would never be seen', () =>
    expect(() => read(RESPONSES, { model: 'gpt-5', input: 'hi', background: true })).toThrow(/background/));

  it.each([
    ['plain text', {}, 50],
    ['the older limit', { max_completion_tokens: undefined, max_tokens: 70 }, 70],
    ['three choices', { n: 3 }, 150],
    ['the best of four', { best_of: 4 }, 200],
    ['text parts', { messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }] }, 50],
  ])('bounds %s by bytes and limit', (_, change, output) => {
    const body = JSON.stringify({ ...plain, ...change });
    expect(read(CHAT, body).bound).toEqual({ kind: 'tokens', input: body.length, output });
  });

  it('leaves room for the prompt around tools', () => {
    const body = JSON.stringify({ ...plain, tools: [{ type: 'function', function: { name: 'f' } }] });
    expect(read(CHAT, body).bound).toEqual({ kind: 'tokens', input: body.length + 1_000, output: 50 });
  });

  it.each([
    ['no limit', { max_completion_tokens: undefined }],
    ['an image', { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: {} }] }] }],
    ['a message that is none', { messages: ['hi'] }],
    ['past audio', { messages: [{ role: 'assistant', audio: { id: 'audio_1' } }] }],
    ['web search', { web_search_options: {} }],
    ['a model that searches', { model: 'gpt-5-search-api' }],
    ['a tool of the provider', { tools: [{ type: 'web_search' }] }],
    ['audio out', { modalities: ['text', 'audio'] }],
    ['a prediction', { prediction: { type: 'content', content: 'x' } }],
    ['a product that is no integer', { n: 2 ** 40, max_completion_tokens: 2 ** 40 }],
  ])('holds the ceiling for %s', (_, change) =>
    expect(read(CHAT, { ...plain, ...change }).bound).toEqual({ kind: 'ceiling' }),
  );

  it.each([
    ['text', { input: 'hi' }, 'tokens'],
    ['items', { input: [{ role: 'user', content: [{ type: 'input_text', text: 'hi' }] }] }, 'tokens'],
    ['a tool result', { input: [{ type: 'function_call_output', call_id: 'c', output: '1' }] }, 'tokens'],
    ['a file', { input: [{ role: 'user', content: [{ type: 'input_file', file_url: 'x' }] }] }, 'ceiling'],
    ['a tool of the provider', { input: 'hi', tools: [{ type: 'code_interpreter' }] }, 'ceiling'],
    ['a stored conversation', { input: 'hi', previous_response_id: 'resp_1' }, 'ceiling'],
    ['a stored prompt', { prompt: { id: 'pmpt_1' } }, 'ceiling'],
    ['a compaction', { input: 'hi', context_management: [{ type: 'compaction' }] }, 'ceiling'],
  ])('bounds responses with %s by %j: %s', (_, change, kind) =>
    expect(read(RESPONSES, { model: 'gpt-5', max_output_tokens: 9, ...change }).bound.kind).toBe(kind),
  );

  it.each([
    [{ previous_response_id: ['resp_1'] }, 'previous_response_id'],
    [{ conversation: 'conv_1' }, 'conversation'],
    [{ prompt: { id: 'pmpt_1' } }, 'prompt'],
    [{ input: [{ type: 'item_reference', id: 'msg_1' }] }, 'item_reference'],
    [{ input: [{ id: 'msg_1' }] }, 'item_reference'],
    [{ input: [{ role: 'user', content: [{ type: 'input_image', file_id: 'file-1' }] }] }, 'file_id'],
    [{ tools: [{ type: 'file_search', vector_store_ids: ['vs_1'] }] }, 'vector_store_ids'],
    [{ tools: [{ type: 'code_interpreter', container: 'cntr_1' }] }, 'container'],
  ])('%j reads what is stored in the account', (change, field) =>
    expect(read(RESPONSES, { model: 'gpt-5', ...change }).accountObjects).toEqual([field]),
  );

  it('bounds embeddings by their bytes, without output', () => {
    const body = '{"model":"text-embedding-3-small","input":[[1,2],[3]]}';
    expect(read('/v1/embeddings', body).bound).toEqual({ kind: 'tokens', input: body.length, output: 0 });
  });

  it.each([
    [undefined, 'standard'],
    ['auto', 'standard'],
    ['default', 'standard'],
    ['flex', 'flex'],
    ['priority', 'priority'],
    ['fast', 'priority'],
    ['brand_new', 'brand_new'],
  ])('service_tier %p asks for %s', (service_tier, tier) =>
    expect(read(CHAT, { ...plain, service_tier }).tier).toBe(tier),
  );
});

describe('a streamed chat without usage', () => {
  const ask = (body: string) => read(CHAT, body).body.toString();

  it.each([
    [
      'no options',
      '{"model":"gpt-5","stream":true,"seed":12345678901234567890}',
      '{"stream_options":{"include_usage":true},"model":"gpt-5","stream":true,"seed":12345678901234567890}',
    ],
    [
      'other options',
      '{ "stream_options" : {"include_obfuscation":false} , "model":"gpt-5","stream":true}',
      '{ "stream_options" :{"include_obfuscation":false,"include_usage":true}, "model":"gpt-5","stream":true}',
    ],
    [
      'null',
      '{"model":"gpt-5","stream":true,"user":"日本\\"stream_options\\":","stream_options":null}',
      '{"model":"gpt-5","stream":true,"user":"日本\\"stream_options\\":","stream_options":{"include_usage":true}}',
    ],
  ])('asks for it and touches nothing else (%s)', (_, body, expected) => expect(ask(body)).toBe(expected));

  it.each([
    '{"model":"gpt-5","stream":true,"stream_options":{"include_usage":true}}',
    '{"model":"gpt-5","stream":false}',
    '{"model":"gpt-5"}',
  ])('leaves %s as it is', (body) => expect(ask(body)).toBe(body));

  const usage = '{"id":"c","model":"gpt-5","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}';
  const filter = '{"id":"c","model":"gpt-5","choices":[],"prompt_filter_results":[{}]}';
  const both =
    '{"id":"c","model":"gpt-5","choices":[{"index":0,"delta":{}}],"usage":{"prompt_tokens":9,"completion_tokens":2}}';
  it.each([
    ['the extra chunk', usage, true],
    ['another chunk without choices', filter, false],
    ['a chunk with choices and usage', both, false],
  ])('takes out exactly the extra chunk: %s', (_, data, drop) => {
    const meter = read(CHAT, '{"model":"gpt-5","stream":true}').meter();
    meter.onEvent({ event: '', data: '{"id":"c","model":"gpt-5","choices":[{"index":0}]}' });
    expect(meter.onEvent({ event: '', data }).drop).toBe(drop);
  });

  it('lets a stream begin with a chunk without choices', () => {
    const meter = read(CHAT, '{"model":"gpt-5","stream":true}').meter();
    expect(meter.onEvent({ event: '', data: filter }).drop).toBe(false);
  });

  it('leaves the extra chunk to a client that asked for it', () => {
    const meter = read(CHAT, '{"model":"m","stream":true,"stream_options":{"include_usage":true}}').meter();
    expect(meter.onEvent({ event: '', data: usage }).drop).toBe(false);
    expect(reported(meter)).toEqual({ input_tokens: 9, output_tokens: 2 });
  });
});

describe('completions of before', () => {
  const COMPLETIONS = '/v1/completions';
  const asked = { model: 'gpt-3.5-turbo-instruct', max_tokens: 10 };

  it.each([
    ['a text', { prompt: 'hi' }, 10],
    ['token ids', { prompt: [1, 2, 3] }, 10],
    ['texts', { prompt: ['a', 'b'], n: 2 }, 40],
    ['lists of ids', { prompt: [[1], [2, 3]], best_of: 3 }, 60],
  ])('bounds %s by bytes, and the limit of each', (_, change, output) => {
    const body = JSON.stringify({ ...asked, ...change });
    expect(read(COMPLETIONS, body).bound).toEqual({ kind: 'tokens', input: body.length, output });
  });

  it('holds the ceiling without a limit', () =>
    expect(read(COMPLETIONS, { model: 'm', prompt: 'hi' }).bound).toEqual({ kind: 'ceiling' }));

  it('asks a stream for its usage, and takes the chunk of it out', () => {
    const request = read(COMPLETIONS, '{"model":"m","stream":true}');
    expect(request.body.toString()).toBe(
      '{"stream_options":{"include_usage":true},"model":"m","stream":true}',
    );
    const meter = request.meter();
    meter.onEvent({ event: '', data: '{"id":"c","choices":[{"text":"Ni"}]}' });
    const usage = '{"id":"c","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}';
    expect(meter.onEvent({ event: '', data: usage }).drop).toBe(true);
    expect(meter.onEvent({ event: '', data: '[DONE]' }).terminal).toBe(true);
    expect(reported(meter)).toEqual({ input_tokens: 9, output_tokens: 2 });
  });

  it('is counted by its texts where it broke off', () => {
    const meter = read(COMPLETIONS, { ...asked, prompt: ['one two', 'three'], stream: true }).meter();
    const chunk = (text: string) => `data: {"id":"c","choices":[{"text":"${text}"}]}\n\n`;
    expect(countedAfter(meter, [chunk('a'), chunk(' b')])).toEqual({ input_tokens: 3, output_tokens: 2 });
    expect(countedAfter(read(COMPLETIONS, { ...asked, prompt: [[1, 2], [3]] }).meter(), [])).toMatchObject({
      input_tokens: 3,
    });
  });
});

describe('openai usage', () => {
  const chat = () => read(CHAT, { model: 'm' }).meter();
  const report = (usage: unknown, more: object = {}) => {
    const meter = chat();
    meter.onBody({ id: 'c', model: 'gpt-5', usage, ...more });
    return meter;
  };

  it('is disjoint, and overlaps are billed once', () => {
    const usage = {
      prompt_tokens: 100,
      completion_tokens: 50,
      prompt_tokens_details: { cached_tokens: 40, cache_write_tokens: 30, audio_tokens: 60 },
      completion_tokens_details: { reasoning_tokens: 20, audio_tokens: 5, rejected_prediction_tokens: 3 },
    };
    expect(reported(report(usage))).toEqual({
      input_tokens: 0,
      cache_read_tokens: 40,
      cache_write_tokens: 30,
      output_tokens: 45,
      audio_input_tokens: 30,
      audio_output_tokens: 5,
    });
    expect(report(usage).reading().contextTokens).toBe(100);
  });

  it.each([-1, 1.5, '12', null, 2 ** 53, {}, []])('leaves out %p, which is no count', (completion_tokens) => {
    const meter = report({ prompt_tokens: 10, completion_tokens });
    expect(reported(meter)).toEqual({ input_tokens: 10 });
    expect(meter.reading().state).toBe('partial');
  });

  const details = { cached_tokens: 40, cache_write_tokens: 30, audio_tokens: 5 };
  const usageWith = (put: unknown, made: unknown = { audio_tokens: 2 }) => ({
    prompt_tokens: 100,
    completion_tokens: 50,
    prompt_tokens_details: put,
    completion_tokens_details: made,
  });
  const ofInput = (meter: UsageMeter) =>
    Object.entries(reported(meter)).flatMap(([name, count]) => (/output/.test(name) ? [] : [count]));
  it.each(['x', '12', -5, 1.5, true, {}, [], 2 ** 53])(
    'with a share of %p is not final, but whole',
    (odd) => {
      for (const name of Object.keys(details)) {
        const meter = report(usageWith({ ...details, [name]: odd }));
        expect([name, meter.reading().state]).toEqual([name, 'partial']);
        expect(ofInput(meter).reduce((sum, count) => sum + count)).toBe(100);
      }
      expect(report(usageWith(details, { audio_tokens: odd })).reading().state).toBe('partial');
      expect(reported(report(usageWith({ ...details, cached_tokens: odd })))).toMatchObject({
        input_tokens: 65,
        cache_write_tokens: 30,
      });
    },
  );

  it.each(['x', 5, true, []])('with details of %p is not final', (odd) => {
    expect(report(usageWith(odd)).reading().state).toBe('partial');
    expect(report(usageWith(details, odd)).reading().state).toBe('partial');
    expect(reported(report(usageWith(odd)))).toMatchObject({ input_tokens: 100 });
  });

  it('takes null for what was left out', () => {
    const nothing = { cached_tokens: null, cache_write_tokens: null, audio_tokens: null };
    for (const put of [null, undefined, nothing, {}])
      expect(report(usageWith(put, null)).reading()).toMatchObject({ state: 'final', contextTokens: 100 });
  });

  it('is still read after an error in the stream, which is told', () => {
    const meter = chat();
    const verdicts = feedStream(meter, fixture('chat-usage-after-error.sse.txt'));
    expect(verdicts.map(({ terminal }) => terminal)).toEqual([false, false, false, true]);
    expect(meter.reading()).toMatchObject({ failed: true, state: 'final', upstreamId: 'chatcmpl-1' });
    expect(reported(meter)).toEqual({ input_tokens: 10, output_tokens: 3 });
  });

  it('of a response has its searches, files and containers, and the tier that was billed', () => {
    const meter = read(RESPONSES, { model: 'm' }).meter();
    const verdicts = feedStream(meter, fixture('responses-tools.sse.txt'));
    expect(verdicts.map(({ terminal }) => terminal)).toEqual([false, false, true]);
    expect(reported(meter)).toEqual({
      input_tokens: 50,
      cache_read_tokens: 30,
      cache_write_tokens: 20,
      output_tokens: 7,
      web_searches: 1,
      file_searches: 1,
      code_sessions: 1,
    });
    expect(meter.reading()).toMatchObject({
      tier: 'flex',
      model: 'gpt-5.2-2025-12-11',
      upstreamId: 'resp_2',
    });
  });

  it('of a response that is incomplete is what it says, and all zeros are final', () => {
    const meter = read(RESPONSES, { model: 'm' }).meter();
    const verdicts = feedStream(meter, fixture('responses-incomplete.sse.txt'));
    expect(verdicts.at(-1)?.terminal).toBe(true);
    expect(reported(meter)).toEqual({ input_tokens: 0, output_tokens: 0 });
    expect(meter.reading()).toMatchObject({ state: 'final', upstreamId: 'resp_9' });
  });

  it("prefers OpenAI's own number of searches", () => {
    const meter = read(RESPONSES, { model: 'm' }).meter();
    const output = [{ type: 'web_search_call' }];
    const usage = { input_tokens: 1, output_tokens: 1 };
    meter.onBody({ output, usage, tool_usage: { web_search: { num_requests: 3 } } });
    expect(reported(meter).web_searches).toBe(3);
  });

  it.each([
    ['default', 'standard'],
    ['priority', 'priority'],
    ['auto', null],
    [undefined, null],
  ])('service_tier %p is billed as %p', (service_tier, tier) =>
    expect(report({ prompt_tokens: 1, completion_tokens: 1 }, { service_tier }).reading().tier).toBe(tier),
  );

  it('never throws, whatever comes', () =>
    fc.assert(
      fc.property(
        fc.constantFrom(CHAT, RESPONSES, '/v1/embeddings'),
        fc.constantFrom('', 'error', 'response.created', 'response.completed', 'response.failed'),
        fc.oneof(fc.jsonValue(), usageLike()),
        fc.string(),
        (path, event, json, junk) => {
          const meter = read(path, { model: 'm' }).meter();
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
  const usage = fc.record({
    prompt_tokens: odd,
    completion_tokens: odd,
    input_tokens: odd,
    output_tokens: odd,
    prompt_tokens_details: fc.oneof(odd, fc.record({ cached_tokens: odd, audio_tokens: odd })),
  });
  const response = fc.record({ usage, model: odd, id: odd, output: odd, tool_usage: odd });
  return fc.record({ usage, choices: odd, model: odd, error: odd, response });
}

describe('openai models', () => {
  it.each([
    ['gpt-5', ['gpt-5']],
    ['gpt-5-2025-08-07', ['gpt-5-2025-08-07', 'gpt-5']],
    ['gpt-3.5-turbo-0613', ['gpt-3.5-turbo-0613', 'gpt-3.5-turbo']],
    ['gpt-4-1106-preview', ['gpt-4-1106-preview']],
    ['gpt-4-9999', ['gpt-4-9999']],
    ['gpt-5-chat-latest', ['gpt-5-chat-latest']],
    ['openai/gpt-4o-2024-08-06', ['openai/gpt-4o-2024-08-06', 'gpt-4o-2024-08-06', 'gpt-4o']],
    ['ft:gpt-4o-2024-08-06:acme::a1', ['ft:gpt-4o-2024-08-06:acme::a1', 'ft:gpt-4o-2024-08-06']],
  ])('%s is priced as one of %j', (model, keys) => expect(openai.rateKeys(model)).toEqual(keys));

  it.each([
    ['eu.api.openai.com', 'standard', 'regional'],
    ['us.api.openai.com', 'flex', 'flex_regional'],
    ['jp.api.openai.com', 'priority', 'priority_regional'],
    ['api.openai.com', 'standard', null],
    ['eu.api.openai.com.example.com', 'standard', null],
    ['xeu.api.openai.com', 'standard', null],
    ['127.0.0.1', 'standard', null],
  ])('at %s the tier %s is that of %s', (host, tier, there) =>
    expect(openai.tierAt?.(host, tier)).toBe(there),
  );
});

it('openai takes the credential as a bearer', () => {
  const headers = {};
  openai.authorize({ path: '/', headers }, 'sk-1');
  expect(headers).toEqual({ authorization: 'Bearer sk-1' });
});
