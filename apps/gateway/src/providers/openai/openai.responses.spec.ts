import { describe, expect, it } from '@jest/globals';
import { readRequest, reported } from '../read-answer.contract.js';
import { matchRoute } from '../route-table.js';
import { openai } from './openai.provider.js';

const USAGE = { input_tokens: 5, output_tokens: 3 };
const TOKENS = { input_tokens: 5, output_tokens: 3 };
const answered = (response: object, request: object = {}, path = '/v1/responses') => {
  const meter = readRequest(openai, path, { model: 'gpt-5', input: 'hi', ...request }).meter();
  meter.onBody({ usage: USAGE, ...response });
  return meter;
};

describe('fees of tools at OpenAI', () => {
  const image_gen = {
    input_tokens: 60,
    output_tokens: 300,
    input_tokens_details: { text_tokens: 20, image_tokens: 40 },
  };

  it.each([
    ['the tool names its model', [{ type: 'image_generation', model: 'gpt-image-1.5' }], 'gpt-image-1.5'],
    ['it names none', [{ type: 'image_generation' }], 'gpt-image-2'],
    ['the tools are not said', undefined, 'gpt-image-2'],
  ])("tokens of the image tool are beside the usage, at that model's price, where %s", (_, tools, model) => {
    const meter = answered({ tool_usage: { image_gen }, tools });
    expect(reported(meter)).toEqual({
      ...TOKENS,
      [`input_tokens@${model}`]: 20,
      [`image_input_tokens@${model}`]: 40,
      [`output_tokens@${model}`]: 0,
      [`image_tokens@${model}`]: 300,
    });
    expect(meter.reading().quantities.at(-1)?.rateKeys).toEqual([model]);
  });

  it('an image tool that did nothing is no line', () =>
    expect(reported(answered({ tool_usage: { image_gen: { input_tokens: 0, output_tokens: 0 } } }))).toEqual(
      TOKENS,
    ));

  it.each([
    ['gpt-4o-2024-08-06', 'web_search_preview', ['web_search_preview', 'gpt-4o-2024-08-06', 'gpt-4o']],
    ['gpt-4.1-mini', 'web_search_preview_2025_03_11', ['web_search_preview', 'gpt-4.1-mini']],
    ['gpt-4o', 'web_search', undefined],
    ['gpt-5', 'web_search_preview', undefined],
    ['o4-mini', 'web_search_preview', undefined],
  ])('a search of %s by %s is priced as %j', (model, type, keys) => {
    const meter = answered({ model, tools: [{ type }], output: [{ type: 'web_search_call' }] });
    const search = meter.reading().quantities.find((line) => line.meter === 'web_searches');
    expect(search?.rateKeys).toEqual(keys);
    expect(reported(meter).web_searches).toBe(1);
  });

  it.each([
    ['search', 1],
    ['open_page', undefined],
    ['find_in_page', undefined],
    ['find', undefined],
  ])('the action %s is %p searches', (type, web_searches) => {
    const meter = answered({ output: [{ type: 'web_search_call', action: { type } }] });
    expect(reported(meter).web_searches).toBe(web_searches);
  });

  const python = (container_id?: string) => ({ type: 'code_interpreter_call', container_id });
  const shell = (container_id?: string) => ({
    type: 'shell_call',
    environment: container_id ? { type: 'container_reference', container_id } : { type: 'local' },
  });
  it.each([
    ['calls in one container', [python('a'), python('a'), shell('a')], [], 1],
    ['calls in two', [python('a'), shell('b')], [], 2],
    ['a shell at the client', [shell()], [], undefined],
    ['a call whose container is not said', [python()], [], 1],
    ['a container of before', [python('a')], [{ type: 'code_interpreter', container: 'a' }], undefined],
    [
      'a shell in one of before',
      [shell('a')],
      [{ type: 'shell', environment: { container_id: 'a' } }],
      undefined,
    ],
  ])('%s: sessions', (_, output, tools, sessions) =>
    expect(reported(answered({ output }, { tools })).code_sessions).toBe(sessions),
  );

  it.each([
    ['gpt-4o-search-preview', ['web_search_preview', 'gpt-4o-search-preview']],
    ['gpt-5-search-api', undefined],
  ])('a chat with %s is one search, which its usage does not tell', (model, keys) => {
    const meter = readRequest(openai, '/v1/chat/completions', { model }).meter();
    meter.onBody({ usage: { prompt_tokens: 5, completion_tokens: 3 } });
    expect(reported(meter)).toEqual({ ...TOKENS, web_searches: 1 });
    expect(meter.reading().quantities.at(-1)?.rateKeys).toEqual(keys);
  });
});

describe('a compaction', () => {
  const COMPACT = '/v1/responses/compact';

  it('costs its tokens, and not the tools of the conversation that it shortens', () => {
    const meter = answered(
      { object: 'response.compaction', output: [{ type: 'web_search_call' }, { type: 'file_search_call' }] },
      {},
      COMPACT,
    );
    expect(reported(meter)).toEqual(TOKENS);
    expect(meter.reading()).toMatchObject({ state: 'final', model: null });
  });

  it('holds the ceiling, and names what is stored', () =>
    expect(readRequest(openai, COMPACT, { model: 'gpt-5', previous_response_id: 'resp_1' })).toMatchObject({
      bound: { kind: 'ceiling' },
      accountObjects: [],
      storedObjects: [{ field: 'previous_response_id', id: 'resp_1' }],
    }));
});

describe('objects of the account', () => {
  it.each([
    [{ tools: [{ type: 'shell', environment: { skills: [{ skill_id: 'skill_1' }] } }] }, 'skill_id'],
    [{ tools: [{ type: 'shell', environment: { container_id: 'cntr_1' } }] }, 'container'],
    [{ tools: [{ type: 'image_generation', input_image_mask: { file_id: 'file-1' } }] }, 'file_id'],
  ])('%j names one', (change, field) =>
    expect(readRequest(openai, '/v1/responses', { model: 'gpt-5', ...change }).accountObjects).toEqual([
      field,
    ]),
  );

  it('are seen also where tokens are only counted, with a model or without', () => {
    const route = matchRoute(openai, 'POST', '/v1/responses/input_tokens')?.route;
    if (route?.class !== 'free') throw new Error('it is free');
    const named = (body: object) => route.accountObjectsIn?.(Buffer.from(JSON.stringify(body)));
    expect(named({ input: 'hi', conversation: 'conv_1' })).toEqual(['conversation']);
    expect(named({ model: 'gpt-5', input: 'hi' })).toEqual([]);
    const stored = route.storedObjectsIn?.(Buffer.from('{"previous_response_id":"resp_1"}'));
    expect(stored).toEqual([{ field: 'previous_response_id', id: 'resp_1' }]);
  });
});
