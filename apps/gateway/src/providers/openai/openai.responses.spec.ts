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

  const imageLines = (input: number, output: number, images: number) => ({
    'input_tokens@gpt-image-2': input,
    'output_tokens@gpt-image-2': output,
    ...(images > 0 && { 'image_tokens@gpt-image-2': images }),
  });
  it.each<[object, object]>([
    [{}, {}],
    [{ input_tokens: null, output_tokens: null, output_tokens_details: null }, {}],
    [{ output_tokens: 300 }, imageLines(0, 0, 300)],
    [{ input_tokens: 60 }, imageLines(60, 0, 0)],
  ])('an image tool that says %j says all of it', (said, lines) => {
    const meter = answered({ tool_usage: { image_gen: said } });
    expect(meter.reading().state).toBe('final');
    expect(reported(meter)).toEqual({ ...TOKENS, ...lines });
  });

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

  const memory = (memory_limit: unknown) => ({
    type: 'code_interpreter',
    container: { type: 'auto', memory_limit },
  });
  const shellMemory = (memory_limit: unknown) => ({
    type: 'shell',
    environment: { type: 'container_auto', memory_limit },
  });
  it.each<[string, object[], object[] | undefined, object[], object]>([
    ['nothing said', [memory(undefined)], undefined, [python('a')], { code_sessions: 1 }],
    ['null', [memory(null)], [memory('1g')], [python('a')], { code_sessions: 1 }],
    ['4g', [memory('4g')], undefined, [python('a'), python('a')], { 'code_sessions@container/4g': 1 }],
    ['64g, twice', [memory('64g')], [], [python('a'), python('b')], { 'code_sessions@container/64g': 2 }],
    ['16g of a shell', [shellMemory('16g')], [], [shell('a')], { 'code_sessions@container/16g': 1 }],
    ['only said in the answer', [], [memory('64g')], [python('a')], { 'code_sessions@container/64g': 1 }],
    ['unknown there', [], [memory(64)], [python('a')], { 'code_sessions@container/unknown': 1 }],
    [
      'each of its own kind of call',
      [memory('4g'), shellMemory('1g')],
      undefined,
      [python('a'), shell('b')],
      { code_sessions: 1, 'code_sessions@container/4g': 1 },
    ],
    [
      'the larger where both ran in it',
      [memory('4g'), shellMemory('16g')],
      undefined,
      [shell('a'), python('a')],
      { 'code_sessions@container/16g': 1 },
    ],
  ])('a session has the price of its memory: %s', (_, tools, answeredTools, output, sessions) => {
    const meter = answered({ output, tools: answeredTools }, { tools });
    expect(reported(meter)).toEqual({ ...TOKENS, ...sessions });
    for (const { meter: name, model, rateKeys, ownPrice } of meter.reading().quantities)
      if (name === 'code_sessions')
        expect([rateKeys, ownPrice]).toEqual(model ? [[model], true] : [undefined, undefined]);
  });

  it.each([
    ['the plain size', [memory('1g'), memory(null), { type: 'code_interpreter', container: 'cntr_1' }], []],
    ['each other size', [memory('4g'), memory('4g'), shellMemory('64g')], ['container/4g', 'container/64g']],
    ['a size that we do not know', [memory('128g')], ['container/128g']],
    ['what is no size', [shellMemory('vendo_sk_mine')], ['container/unknown']],
  ])('of containers need a price of their own before the call: %s', (_, tools, names) =>
    expect(readRequest(openai, '/v1/responses', { model: 'gpt-5', tools }).fees).toEqual(
      names.map((name) => ({ name, meter: 'code_sessions' })),
    ),
  );

  const auto = { type: 'code_interpreter', container: { type: 'auto' } };
  it.each([
    ['code interpreter', [python('a')], [python('a'), python('b')], 1],
    ['a shell', [shell('a')], [shell('a')], undefined],
    ['either, in turn', [shell('a')], [python('a')], undefined],
    ['nobody, for it is not said', [python()], [python()], 1],
  ])('a container that the input shows to be there is no new session: %s', (_, input, output, sessions) =>
    expect(reported(answered({ output }, { input, tools: [auto] })).code_sessions).toBe(sessions),
  );

  it('tools that an item of the input gives count as those of the request', () => {
    const tools = [{ type: 'code_interpreter', container: 'a' }, memory('4g')];
    const input = [{ type: 'additional_tools', role: 'developer', tools }];
    const output = [python('a'), python('b')];
    expect(reported(answered({ output }, { input }))).toEqual({
      ...TOKENS,
      'code_sessions@container/4g': 1,
    });
  });

  it.each([
    ['num_requests', { web_search: { num_requests: 'x' } }],
    ['the searches', { web_search: 5 }],
    ['a count of the image tool', { image_gen: { ...image_gen, input_tokens: -1 } }],
    [
      'a share of the image tool',
      { image_gen: { ...image_gen, input_tokens_details: { image_tokens: {} } } },
    ],
    ['a part of no whole', { image_gen: { input_tokens: null, input_tokens_details: { image_tokens: 40 } } }],
    ['cached ones of no whole', { image_gen: { cached_tokens: 40 } }],
    [
      'pictures of no whole',
      { image_gen: { input_tokens: 0, output_tokens_details: { image_tokens: 300 } } },
    ],
    ['the image tool', { image_gen: 'x' }],
    ['all of it', 'x'],
  ])('nonsense is no final report: %s', (_, tool_usage) => {
    const output = [{ type: 'web_search_call' }];
    const meter = answered({ output, tool_usage });
    expect(meter.reading().state).toBe('partial');
    expect(reported(meter)).toMatchObject({ ...TOKENS, web_searches: 1 });
    expect(answered({ output, tool_usage: null }).reading().state).toBe('final');
    expect(answered({ output, tool_usage: { web_search: null, image_gen: null } }).reading().state).toBe(
      'final',
    );
  });

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
    [
      {
        input: [{ type: 'computer_call_output', output: { type: 'computer_screenshot', file_id: 'file-1' } }],
      },
      'file_id',
    ],
    [{ input: [{ type: 'function_call_output', output: [{ file_id: 'file-1' }] }] }, 'file_id'],
    [{ input: [{ type: 'image_generation_call', id: 'ig_1' }] }, 'image_generation_call'],
    [{ input: [{ type: 'image_generation_call', id: 'ig_1', result: null }] }, 'image_generation_call'],
    [
      { input: [{ type: 'image_generation_call', id: 'ig_1', status: 'completed' }] },
      'image_generation_call',
    ],
    [
      { tools: [{ type: 'code_interpreter', container: { type: 'auto', file_ids: ['file-1'] } }] },
      'container',
    ],
    [
      {
        input: [{ type: 'additional_tools', tools: [{ type: 'file_search', vector_store_ids: ['vs_1'] }] }],
      },
      'vector_store_ids',
    ],
  ])('%j names one', (change, field) =>
    expect(readRequest(openai, '/v1/responses', { model: 'gpt-5', ...change }).accountObjects).toEqual([
      field,
    ]),
  );

  it('are not named by a conversation that is sent again whole', () => {
    const input = [
      { role: 'user', content: 'hi' },
      { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'x' },
      { type: 'function_call', id: 'fc_1', call_id: 'c', name: 'f', arguments: '{}' },
      { type: 'function_call_output', call_id: 'c', output: '1' },
      { type: 'web_search_call', id: 'ws_1', action: { type: 'search' } },
      { type: 'image_generation_call', id: 'ig_1', status: 'completed', result: 'iVBORw0KGgo=' },
      {
        type: 'computer_call_output',
        call_id: 'c',
        output: { type: 'computer_screenshot', image_url: 'data:' },
      },
      { type: 'shell_call', id: 'sh_1', call_id: 'c', environment: { type: 'local' } },
      { type: 'message', id: 'msg_1', role: 'assistant', content: [{ type: 'output_text', text: 'hi' }] },
    ];
    const tools = [{ type: 'code_interpreter', container: { type: 'auto' } }];
    expect(readRequest(openai, '/v1/responses', { model: 'gpt-5', input, tools }).accountObjects).toEqual([]);
  });

  const ran = [
    { type: 'code_interpreter_call', id: 'ci_1', container_id: 'cntr_1' },
    { type: 'shell_call', id: 'sh_1', environment: { type: 'container_reference', container_id: 'cntr_1' } },
  ];
  const python = { type: 'code_interpreter', container: { type: 'auto' } };
  it.each<[string, string, object, string[]]>([
    ['no tool', '/v1/responses', {}, []],
    ['tools of other kinds', '/v1/responses', { tools: [{ type: 'function' }, { type: 'web_search' }] }, []],
    ['code interpreter', '/v1/responses', { tools: [python] }, ['container']],
    ['a shell', '/v1/responses', { tools: [{ type: 'function' }, { type: 'shell' }] }, ['container']],
    [
      'code interpreter, by an item',
      '/v1/responses',
      { input: [...ran, { type: 'additional_tools', tools: [python] }] },
      ['container'],
    ],
    ['code interpreter, but only to be shortened', '/v1/responses/compact', { tools: [python] }, []],
  ])('are the containers of past calls where they may run again: %s', (_, path, change, fields) => {
    for (const call of ran)
      expect(readRequest(openai, path, { model: 'gpt-5', input: [call], ...change }).accountObjects).toEqual(
        fields,
      );
  });

  it.each([
    ['past sound', { messages: [{ role: 'assistant', audio: { id: 'audio_1' } }] }, ['audio']],
    ['a custom voice', { audio: { format: 'wav', voice: { id: 'voice_1' } } }, ['voice']],
    ['a voice of everybody', { audio: { format: 'wav', voice: 'alloy' } }, []],
    [
      'past sound as its transcript',
      { messages: [{ role: 'assistant', content: 'hi' }], modalities: ['text', 'audio'] },
      [],
    ],
    ['a message without sound', { messages: [{ role: 'assistant', content: 'hi', audio: null }] }, []],
  ])('of a chat: %s', (_, change, fields) =>
    expect(
      readRequest(openai, '/v1/chat/completions', { model: 'gpt-audio', ...change }).accountObjects,
    ).toEqual(fields),
  );

  it('are seen also where tokens are only counted, with a model or without', () => {
    const route = matchRoute(openai, 'POST', '/v1/responses/input_tokens')?.route;
    if (route?.class !== 'free') throw new Error('it is free');
    const named = (body: object) => route.accountObjectsIn?.(Buffer.from(JSON.stringify(body)));
    expect(named({ input: 'hi', conversation: 'conv_1' })).toEqual(['conversation']);
    expect(named({ model: 'gpt-5', input: 'hi' })).toEqual([]);
    expect(named({ input: ran, tools: [python] })).toEqual([]);
    expect(named({ input: ran, tools: [{ ...python, container: 'cntr_1' }] })).toEqual(['container']);
    const stored = route.storedObjectsIn?.(Buffer.from('{"previous_response_id":"resp_1"}'));
    expect(stored).toEqual([{ field: 'previous_response_id', id: 'resp_1' }]);
  });
});
