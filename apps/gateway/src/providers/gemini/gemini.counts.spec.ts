import { describe, expect, it } from '@jest/globals';
import { readCatalogue } from '@vendo/registry';
import { readRequest, reported } from '../read-answer.contract.js';
import { gemini } from './gemini.provider.js';

const GENERATE = '/v1beta/models/gemini-2.5-flash:generateContent';
const EMBED = '/v1beta/models/gemini-embedding-2:batchEmbedContents';
const INTERACTIONS = '/v1beta/interactions';
const CHAT = '/v1beta/openai/chat/completions';
const read = (path: string, body: unknown) => readRequest(gemini, path, body);

describe('a report of gemini', () => {
  const report = (usageMetadata: object) => {
    const meter = read(GENERATE, {}).meter();
    meter.onBody({ modelVersion: 'gemini-2.5-flash', usageMetadata });
    return meter;
  };

  const NO_COUNTS: [unknown][] = [['x'], [''], [-5], [1.5], [2 ** 60], [{}], [true]];
  const PARTS = {
    promptTokenCount: 74,
    cachedContentTokenCount: 4,
    toolUsePromptTokenCount: 4_642,
    candidatesTokenCount: 12,
    thoughtsTokenCount: 62,
    promptTokensDetails: [{ modality: 'AUDIO', tokenCount: 10 }],
    cacheTokensDetails: [{ modality: 'AUDIO', tokenCount: 2 }],
    candidatesTokensDetails: [{ modality: 'AUDIO', tokenCount: 3 }],
  };
  const sound = (tokenCount: unknown) => [{ modality: 'AUDIO', tokenCount }];

  it.each(NO_COUNTS)('of which a part is %j is not complete, and keeps the rest', (odd) => {
    expect(report(PARTS).reading().state).toBe('final');
    for (const [change, lost] of [
      [{ cachedContentTokenCount: odd }, { input_tokens: 4_708, cache_read_tokens: undefined }],
      [{ toolUsePromptTokenCount: odd }, { input_tokens: 62 }],
      [{ thoughtsTokenCount: odd }, { output_tokens: 9 }],
      [{ promptTokensDetails: sound(odd) }, { input_tokens: 4_712, audio_input_tokens: undefined }],
      [{ cacheTokensDetails: sound(odd) }, { input_tokens: 4_702, audio_input_tokens: 10 }],
      [{ candidatesTokensDetails: sound(odd) }, { output_tokens: 74, audio_output_tokens: undefined }],
    ]) {
      const meter = report({ ...PARTS, ...change });
      expect(meter.reading().state).toBe('partial');
      expect({ ...reported(report(PARTS)), ...lost }).toEqual(reported(meter));
    }
  });

  it('of which parts are null has none of them', () => {
    const meter = report({ ...PARTS, toolUsePromptTokenCount: null, promptTokensDetails: null });
    expect(reported(meter)).toMatchObject({ input_tokens: 70, output_tokens: 71 });
    expect(meter.reading().state).toBe('final');
  });

  it.each([
    [{ tokenCount: 10 }],
    [{}],
    [{ modality: null, tokenCount: 10 }],
    [{ modality: 0, tokenCount: 10 }],
  ])(
    'with details that leave out of what they are, as Google does where it is not specified, is complete: %j',
    (detail) => {
      const meter = report({ ...PARTS, promptTokensDetails: [detail, ...PARTS.promptTokensDetails] });
      expect(meter.reading()).toEqual(report(PARTS).reading());
      expect(meter.reading().state).toBe('final');
    },
  );

  it.each([
    [{ modality: {}, tokenCount: 10 }],
    [{ modality: '', tokenCount: 10 }],
    [{ modality: 99, tokenCount: 10 }],
    ...NO_COUNTS.filter(([odd]) => typeof odd !== 'object'),
  ])('with details that do not say of what they are is not complete, and keeps the rest: %j', (odd) => {
    for (const promptTokensDetails of [odd, [odd]]) {
      const meter = report({ ...PARTS, promptTokensDetails });
      expect(meter.reading().state).toBe('partial');
      const { audio_input_tokens: _lost, ...rest } = reported(report(PARTS));
      expect(reported(meter)).toEqual({ ...rest, input_tokens: 4_712 });
    }
  });

  it('knows modalities by their numbers, for which a client can ask', () => {
    const meter = report({ promptTokenCount: 9, promptTokensDetails: [{ modality: 4, tokenCount: 7 }] });
    expect(reported(meter)).toEqual({ input_tokens: 2, audio_input_tokens: 7, output_tokens: 0 });
  });

  it.each(NO_COUNTS)('of a chat whose total, or cached part, is %j is not complete', (odd) => {
    const usage = { prompt_tokens: 35, completion_tokens: 12, total_tokens: 109 };
    const details = { prompt_tokens_details: { cached_tokens: 5, audio_tokens: 0 } };
    for (const [change, state, output] of [
      [{}, 'final', 74],
      [details, 'final', 74],
      [{ total_tokens: odd }, 'partial', 12],
      [{ prompt_tokens_details: { cached_tokens: odd } }, 'partial', 74],
      [{ prompt_tokens_details: { audio_tokens: odd } }, 'partial', 74],
      [{ prompt_tokens_details: [odd] }, 'partial', 74],
    ] as const) {
      const meter = read(CHAT, { model: 'm' }).meter();
      meter.onBody({ usage: { ...usage, ...change } });
      expect([meter.reading().state, reported(meter).output_tokens]).toEqual([state, output]);
    }
  });

  it.each(NO_COUNTS)('of an interaction of which a part is %j is not complete', (odd) => {
    const usage = { total_input_tokens: 9, total_output_tokens: 3, total_tool_use_tokens: 5 };
    for (const [change, state] of [
      [{}, 'final'],
      [{ total_tool_use_tokens: odd }, 'partial'],
      [{ total_cached_tokens: odd }, 'partial'],
      [{ grounding_tool_count: [{ type: 'google_search', count: odd }] }, 'partial'],
      [{ grounding_tool_count: [{ count: 1 }] }, 'partial'],
      [{ input_tokens_by_modality: [{ modality: 'audio', tokens: odd }] }, 'partial'],
    ] as const) {
      const meter = read(INTERACTIONS, { model: 'm' }).meter();
      meter.onBody({ usage: { ...usage, ...change } });
      expect(meter.reading().state).toBe(state);
    }
  });

  const FILM = 'input_tokens@gemini-embedding-2/video';
  it.each([['promptTokenDetails'], ['promptTokensDetails']])(
    'of embeddings has sound, film and pictures at prices of their own (%s)',
    (name) => {
      const said = (modality: string, tokenCount: number) => ({ modality, tokenCount });
      const details = [said('AUDIO', 1_000), said('VIDEO', 200), said('IMAGE', 258), said('TEXT', 3)];
      const embedded = (tokens: number, parts: object[]) => {
        const meter = read(EMBED, { requests: [] }).meter();
        meter.onBody({ embeddings: [], usageMetadata: { promptTokenCount: tokens, [name]: parts } });
        return meter;
      };
      const meter = embedded(1_461, details);
      expect(reported(meter)).toEqual({
        ...{ input_tokens: 3, image_input_tokens: 258 },
        ...{ audio_input_tokens: 1_000, [FILM]: 200 },
      });
      expect(meter.reading()).toMatchObject({ state: 'final', contextTokens: 1_461 });
      expect(meter.counted()).toEqual(meter.reading());
      const film = meter.reading().quantities.at(-1);
      expect(film?.rateKeys).toEqual(['gemini-embedding-2/video']);
      expect(reported(embedded(1_100, details))).toEqual({
        input_tokens: 0,
        audio_input_tokens: 1_000,
        [FILM]: 100,
      });
      expect(reported(embedded(1_300, details))).toEqual({
        ...{ input_tokens: 0, image_input_tokens: 100 },
        ...{ audio_input_tokens: 1_000, [FILM]: 200 },
      });
      for (const modality of ['AUDIO', 'VIDEO', 'IMAGE'])
        expect(embedded(9, [{ modality, tokenCount: 'x' }]).reading().state).toBe('partial');
    },
  );
});

it.each(['gemini-embedding-2', 'gemini-embedding-2-preview'])(
  'sound, film and pictures of %s have prices, above that of text',
  async (model) => {
    const meter = read(EMBED.replace('gemini-embedding-2', model), { requests: [] }).meter();
    const details = ['AUDIO', 'VIDEO', 'IMAGE'].map((modality) => ({ modality, tokenCount: 1 }));
    meter.onBody({ embeddings: [], usageMetadata: { promptTokenCount: 4, promptTokenDetails: details } });
    const prices = await readCatalogue();
    const costs = meter.reading().quantities.map(({ meter: billed, rateKeys }) => {
      const keys = rateKeys ?? gemini.rateKeys(model);
      const price = prices.find((row) => keys.includes(row.model) && row.meter === billed);
      return [billed, price?.unit_cost_usd, price?.per];
    });
    expect(costs).toEqual([
      ['input_tokens', '0.2', '1000000'],
      ['audio_input_tokens', '6.5', '1000000'],
      ['image_input_tokens', '0.45', '1000000'],
      ['input_tokens', '12', '1000000'],
    ]);
  },
);
