import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { countedAfter, feedStream, readRequest, reported } from '../read-answer.contract.js';
import { gemini } from './gemini.provider.js';

const GENERATE = '/v1beta/models/gemini-2.5-flash:generateContent';
const STREAM = '/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse';
const EMBED = '/v1beta/models/gemini-embedding-001:batchEmbedContents';
const INTERACTIONS = '/v1beta/interactions';
const CHAT = '/v1beta/openai/chat/completions';
const SAID = [{ role: 'user', parts: [{ text: 'one two' }] }];
const fixture = (name: string): string => readFileSync(join(import.meta.dirname, 'fixtures', name), 'utf8');
const read = (path: string, body: unknown) => readRequest(gemini, path, body);
const eventsOf = (stream: string) => stream.split(/(?<=\n\n|\r\n\r\n)/);

describe('gemini usage', () => {
  const report = (usageMetadata: object, more: object = {}) => {
    const meter = read(GENERATE, {}).meter();
    meter.onBody({ responseId: 'r', modelVersion: 'gemini-2.5-flash', usageMetadata, ...more });
    return meter;
  };

  it('has thoughts in the output, tools in the input, and takes only shares from the details', () => {
    const meter = report({
      promptTokenCount: 100,
      cachedContentTokenCount: 40,
      toolUsePromptTokenCount: 1_000,
      candidatesTokenCount: 50,
      thoughtsTokenCount: 7,
      promptTokensDetails: [
        { modality: 'TEXT', tokenCount: 3 },
        { modality: 'AUDIO', tokenCount: 30 },
      ],
      cacheTokensDetails: [{ modality: 'AUDIO', tokenCount: 10 }],
      candidatesTokensDetails: [
        { modality: 'IMAGE', tokenCount: 20 },
        { modality: 'AUDIO', tokenCount: 5 },
      ],
    });
    expect(reported(meter)).toEqual({
      input_tokens: 1_040,
      cache_read_tokens: 40,
      audio_input_tokens: 20,
      output_tokens: 32,
      image_tokens: 20,
      audio_output_tokens: 5,
    });
    expect(meter.reading()).toMatchObject({ state: 'final', contextTokens: 100, upstreamId: 'r' });
  });

  it('takes no more from the details than there is', () => {
    const details = [{ modality: 'AUDIO', tokenCount: 500 }];
    expect(
      reported(
        report({
          promptTokenCount: 10,
          cachedContentTokenCount: 4,
          candidatesTokenCount: 3,
          promptTokensDetails: details,
          candidatesTokensDetails: details,
        }),
      ),
    ).toEqual({
      input_tokens: 0,
      cache_read_tokens: 4,
      audio_input_tokens: 6,
      output_tokens: 0,
      audio_output_tokens: 3,
    });
  });

  it('without candidates has none; a blocked prompt costs its tokens', () => {
    const meter = report({ promptTokenCount: 15 }, { promptFeedback: { blockReason: 'SAFETY' } });
    expect(reported(meter)).toEqual({ input_tokens: 15, output_tokens: 0 });
    expect(meter.reading()).toMatchObject({ state: 'final', failed: false });
  });

  it.each([-1, 1.5, '12', 2 ** 53, {}])('of %p candidates is not complete', (candidatesTokenCount) => {
    const meter = report({ promptTokenCount: 10, candidatesTokenCount });
    expect(reported(meter)).toEqual({ input_tokens: 10 });
    expect(meter.reading().state).toBe('partial');
  });

  it('of a stream is what its last chunk says, whatever the chunks before it say of the end', () => {
    const meter = read(STREAM, {}).meter();
    const verdicts = feedStream(meter, fixture('grounded.sse.txt'));
    expect(verdicts).toEqual(Array(2).fill({ terminal: false, drop: false }));
    expect(reported(meter)).toEqual({ input_tokens: 109, output_tokens: 16, web_searches: 1 });
    // Only the end of the stream says that there is no third one.
    expect(meter.reading()).toMatchObject({ state: 'final', openEnded: true, model: 'gemini-2.5-flash' });
  });

  it('counts every query from Gemini 3 on, also behind the usage', () => {
    const meter = read(STREAM, {}).meter();
    const stream = fixture('grounded.sse.txt').replaceAll('gemini-2.5-flash', 'gemini-3-flash-preview');
    meter.onEvent({
      event: '',
      data: '{"modelVersion":"gemini-3-flash-preview","usageMetadata":{"promptTokenCount":1}}',
    });
    feedStream(meter, stream.replaceAll('usageMetadata', 'x'));
    expect(reported(meter).web_searches).toBe(2);
  });

  it('of a list is what its last element says', () => {
    const meter = read(STREAM, {}).meter();
    meter.onBody(JSON.parse(fixture('list.json')));
    expect(reported(meter)).toEqual({ input_tokens: 11, output_tokens: 44 });
    expect(meter.reading()).toMatchObject({ state: 'final', model: 'gemini-3.6-flash', tier: 'flex' });
  });

  it('of a list that broke off is what its last whole element says, and what has passed', () => {
    const list = fixture('list.json');
    const cut = (at: string) => {
      const meter = read(STREAM, { contents: SAID }).meter();
      meter.onTornBody(list.slice(0, list.lastIndexOf(at)));
      return { counted: countedAfter(meter, []), state: meter.reading().state };
    };
    expect(cut('{\n "candidates"')).toEqual({
      counted: { input_tokens: 11, output_tokens: 42 },
      state: 'partial',
    });
    const inText = read(STREAM, {}).meter();
    inText.onTornBody(
      '[{"usageMetadata":{"promptTokenCount":7}},{"candidates":[{"content":{"parts":[{"text":"a }]}}]} b',
    );
    expect(countedAfter(inText, [])).toEqual({ input_tokens: 7, output_tokens: 3 });
    const meter = read(STREAM, { contents: SAID }).meter();
    meter.onTornBody('[{"candidates":[{"content":{"parts":[{"text":"One two thr');
    expect(countedAfter(meter, [])).toEqual({ input_tokens: 2, output_tokens: 3 });
  });

  it('of a stream that broke off is the last report, and what has passed', () => {
    const [first = ''] = eventsOf(fixture('grounded.sse.txt').replaceAll(', "finishReason": "STOP"', ''));
    const meter = read(STREAM, { contents: SAID }).meter();
    const more = 'data: {"candidates":[{"content":{"parts":[{"text":"a b c d e"}]}}]}\r\n\r\n';
    expect(countedAfter(meter, [first, more])).toEqual({ input_tokens: 9, output_tokens: 7 });
    const goesOn = read(STREAM, { contents: SAID }).meter();
    const [stopped = ''] = eventsOf(fixture('grounded.sse.txt'));
    expect(countedAfter(goesOn, [stopped, more])).toEqual({ input_tokens: 9, output_tokens: 7 });
  });

  it('does not count what is said again where it is grounded', () => {
    const meter = read(STREAM, { contents: SAID }).meter();
    const again = '{"candidates":[{"groundingMetadata":{"groundingSupports":[{"segment":{"text":"a b"}}]}}]}';
    expect(countedAfter(meter, [`data: ${again}\r\n\r\n`])).toEqual({ input_tokens: 2, output_tokens: 0 });
  });

  it('of an error is none, in a stream as in a list', () => {
    for (const feed of ['event', 'list', 'body']) {
      const meter = read(STREAM, {}).meter();
      const error = { error: { code: 503, message: 'overloaded', status: 'UNAVAILABLE' } };
      if (feed === 'event') meter.onEvent({ event: '', data: JSON.stringify(error) });
      else meter.onBody(feed === 'list' ? [error] : error);
      expect(meter.reading()).toMatchObject({ failed: true, state: 'none', quantities: [] });
    }
  });

  it('has its tier in a header, unless the usage says it', () => {
    const meter = read(GENERATE, {}).meter();
    meter.onHead?.({ 'x-gemini-service-tier': 'priority' });
    meter.onBody({ usageMetadata: { promptTokenCount: 1 } });
    expect(meter.reading().tier).toBe('priority');
    meter.onBody({ usageMetadata: { promptTokenCount: 1, serviceTier: 'SERVICE_TIER_STANDARD' } });
    expect(meter.reading().tier).toBe('standard');
  });

  it('of an interaction stands in its last event', () => {
    const meter = read(INTERACTIONS, { model: 'm', stream: true }).meter();
    const verdicts = feedStream(meter, fixture('interaction.sse.txt'));
    expect(verdicts.map(({ terminal }) => terminal)).toEqual([false, false, false, false, false, true]);
    expect(reported(meter)).toEqual({
      input_tokens: 37,
      cache_read_tokens: 5,
      audio_input_tokens: 8,
      output_tokens: 30,
      web_searches: 2,
    });
    expect(meter.reading()).toMatchObject({ state: 'final', tier: 'priority', upstreamId: 'v1_1' });
  });

  it('of an interaction may come under the names that its events once had', () => {
    const stream = fixture('interaction.sse.txt')
      .replaceAll('interaction.completed', 'interaction.complete')
      .replaceAll('step.delta', 'content.delta');
    const meter = read(INTERACTIONS, { model: 'm', stream: true }).meter();
    expect(feedStream(meter, stream).at(-1)?.terminal).toBe(true);
    expect(meter.reading().state).toBe('final');
    const torn = read(INTERACTIONS, { model: 'm', input: 'one', system_instruction: 'two' }).meter();
    expect(countedAfter(torn, eventsOf(stream).slice(0, 4))).toEqual({ input_tokens: 2, output_tokens: 2 });
  });

  it('of an interaction that goes on is not the end', () => {
    const meter = read(INTERACTIONS, { model: 'm', stream: true }).meter();
    const stream = fixture('interaction.sse.txt').replace(
      '"completed","model"',
      '"requires_continuation","model"',
    );
    expect(feedStream(meter, stream).some(({ terminal }) => terminal)).toBe(false);
    expect(meter.reading().openEnded).toBe(true);
  });

  it('of an interaction that broke off leaves out what tools said', () => {
    const meter = read(INTERACTIONS, { model: 'm', input: 'one', system_instruction: 'two' }).meter();
    const events = eventsOf(fixture('interaction.sse.txt'));
    expect(countedAfter(meter, events.slice(0, 4))).toEqual({ input_tokens: 2, output_tokens: 2 });
  });

  it('of a chat in the shape of OpenAI’s has the thoughts that only the total has', () => {
    const meter = read(CHAT, { model: 'gemini-2.5-pro', stream: true }).meter();
    const verdicts = feedStream(meter, fixture('openai-chat.sse.txt'));
    expect(verdicts.map(({ drop }) => drop)).toEqual([false, true, false]);
    expect(verdicts.at(-1)?.terminal).toBe(true);
    expect(reported(meter)).toEqual({ input_tokens: 35, output_tokens: 74 });
    expect(meter.reading().state).toBe('final');
  });

  it('of a chat stays in the stream of a client that asked for it', () => {
    const options = { stream_options: { include_usage: true } };
    const request = read(CHAT, { model: 'm', stream: true, ...options });
    const verdicts = feedStream(request.meter(), fixture('openai-chat.sse.txt'));
    expect(verdicts.some(({ drop }) => drop)).toBe(false);
    expect(read(CHAT, '{"model":"m","stream":true}').body.toString()).toContain('"include_usage":true');
  });

  it.each([
    ['one embedding', { embedding: { values: [1] } }],
    ['a list of them', { embeddings: [{ values: [1] }] }],
    ['a zero', { data: [{ embedding: [1] }], usage: { prompt_tokens: 0, total_tokens: 0 } }],
  ])('that embeddings do not report is the fewest tokens of the request (%s)', (_, answer) => {
    const requests = [
      { content: { parts: [{ text: 'one two' }] } },
      { content: { parts: [{ text: 'three' }] } },
    ];
    const meter = read(EMBED, { requests }).meter();
    expect(meter.reading().state).toBe('none');
    meter.onBody(answer);
    expect(reported(meter)).toEqual({ input_tokens: 3 });
    expect(meter.reading().state).toBe('partial');
  });

  it.each([
    [{ embeddings: [], usageMetadata: { promptTokenCount: 261 } }, 261],
    [{ data: [], usage: { prompt_tokens: 8, total_tokens: 8 } }, 8],
  ])('that embeddings report is taken: %j', (answer, tokens) => {
    const meter = read(EMBED, { requests: [] }).meter();
    meter.onBody(answer);
    expect(reported(meter)).toEqual({ input_tokens: tokens });
    expect(meter.reading().state).toBe('final');
  });

  it('never throws and is never negative, whatever comes', () => {
    const odd = fc.oneof(fc.jsonValue(), fc.integer(), fc.double());
    const details = fc.array(
      fc.record({ modality: fc.constantFrom('AUDIO', 'IMAGE', 'TEXT', 'VIDEO'), tokenCount: odd }),
    );
    const usageMetadata = fc.record({
      promptTokenCount: odd,
      cachedContentTokenCount: odd,
      candidatesTokenCount: odd,
      thoughtsTokenCount: odd,
      promptTokensDetails: fc.oneof(odd, details),
      promptTokenDetails: fc.oneof(odd, details),
      candidatesTokensDetails: fc.oneof(odd, details),
    });
    const usage = fc.record({ prompt_tokens: odd, total_tokens: odd, total_input_tokens: odd });
    const body = fc.record({ usageMetadata, usage, candidates: odd, error: odd, interaction: odd });
    fc.assert(
      fc.property(
        fc.constantFrom(GENERATE, STREAM, EMBED, INTERACTIONS, CHAT),
        fc.oneof(fc.jsonValue(), body, fc.array(body)),
        fc.string(),
        (path, json, junk) => {
          const meter = read(path, { model: 'm' }).meter();
          meter.onEvent({ event: '', data: JSON.stringify(json) });
          meter.onTornBody(junk);
          meter.onTornBody(`[${JSON.stringify(json)},`);
          meter.onBody(json);
          for (const { quantity } of [...meter.reading().quantities, ...meter.counted().quantities])
            expect(quantity.isNegative()).toBe(false);
        },
      ),
    );
  });
});

it.each([
  ['gemini-2.5-flash', ['gemini-2.5-flash']],
  [
    'models/gemini-2.0-flash-001',
    ['models/gemini-2.0-flash-001', 'gemini-2.0-flash-001', 'gemini-2.0-flash'],
  ],
  ['gemini-2.5-flash-preview-09-2025', ['gemini-2.5-flash-preview-09-2025']],
  ['gemini-flash-latest', ['gemini-flash-latest', 'gemini-3.6-flash']],
  ['gemini-embedding-001', ['gemini-embedding-001']],
])('%s is priced as one of %j', (model, keys) => expect(gemini.rateKeys(model)).toEqual(keys));

describe('the credential of gemini', () => {
  it.each([
    [GENERATE, { 'x-goog-api-key': 'AIza1' }],
    [CHAT, { authorization: 'Bearer AIza1' }],
    [CHAT.replace('v1beta', 'v1'), { authorization: 'Bearer AIza1' }],
    [CHAT.replace('v1beta', 'v1alpha'), { authorization: 'Bearer AIza1' }],
  ])('of %s goes into a header', (path, expected) => {
    const headers = {
      'x-goog-fieldmask': 'candidates',
      'x-http-method-override': 'GET',
      'x-goog-user-project': 'p',
    };
    gemini.authorize({ path, headers }, 'AIza1');
    expect(headers).toEqual(expected);
  });
});
