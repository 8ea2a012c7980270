import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { UsageMeter } from '../provider.js';
import { countedAfter, feedStream, readRequest, reported } from '../read-answer.contract.js';
import { anthropic } from './anthropic.provider.js';

const FALLBACK = readFileSync(join(import.meta.dirname, 'fixtures', 'fallback-mid-stream.sse.txt'), 'utf8');
const meterOf = (asked: object = {}): UsageMeter =>
  readRequest(anthropic, '/v1/messages', {
    ...{ model: 'claude-fable-5', max_tokens: 50, messages: [{ role: 'user', content: 'one two' }] },
    ...asked,
  }).meter();

/** What is billed of a whole message. */
function billed(usage: object, model = 'claude-opus-5'): Record<string, number> {
  const meter = meterOf();
  meter.onBody({ model, content: [{ type: 'text' }], usage });
  return reported(meter);
}

describe('a fallback', () => {
  const DECLINED = { 'input_tokens@claude-fable-5': 412, 'cache_read_tokens@claude-fable-5': 9_000 };

  it('in the middle of a stream is billed once, as the model that served, beside what had declined', () => {
    const meter = meterOf();
    feedStream(meter, FALLBACK);
    expect(reported(meter)).toEqual({
      input_tokens: 9_501,
      output_tokens: 13_658,
      ...DECLINED,
      'output_tokens@claude-fable-5': 578,
    });
    expect(meter.reading()).toMatchObject({ model: 'claude-opus-4-8', state: 'final', contextTokens: 9_501 });
  });

  it('is what served also where only the iterations say so', () => {
    const meter = meterOf();
    feedStream(meter, FALLBACK.replace('"type":"fallback"', '"type":"unheard_of"'));
    expect(meter.reading().model).toBe('claude-opus-4-8');
    expect(reported(meter)).toMatchObject({ output_tokens: 13_658, 'output_tokens@claude-fable-5': 578 });
  });

  it('is billed no less than what was said of it behind its block', () => {
    const meter = meterOf();
    feedStream(meter, FALLBACK.replace('"usage":{"input_tokens":9501', '"usage":{"input_tokens":9600'));
    expect(reported(meter)).toMatchObject({ input_tokens: 9_600, ...DECLINED });
    expect(reported(meter).cache_read_tokens).toBeUndefined();
  });

  const CUT = FALLBACK.slice(0, FALLBACK.indexOf('event: message_delta'));
  it('of a stream that breaks off behind it is counted beside what was reported of the one that had begun', () => {
    const meter = meterOf();
    expect(countedAfter(meter, [CUT])).toEqual({
      ...{ input_tokens: 2, output_tokens: 2 },
      ...DECLINED,
      'output_tokens@claude-fable-5': 3,
    });
    expect(meter.counted().model).toBe('claude-opus-4-8');
  });

  it('of a stream that breaks off behind it is charged what was reported, where nothing had begun', () => {
    const [start = '', , , , fallback = '', ...rest] = CUT.split(/(?<=\n\n)/);
    expect(countedAfter(meterOf(), [[start, fallback, ...rest].join('')])).toEqual({
      ...{ input_tokens: 412, cache_read_tokens: 9_000, output_tokens: 5 },
    });
  });

  it('has cache writes of its own', () => {
    const written = FALLBACK.replace('"ephemeral_1h_input_tokens":0', '"ephemeral_1h_input_tokens":500')
      .replace('"cache_creation_input_tokens":0', '"cache_creation_input_tokens":500')
      .replace(
        '"usage":{"input_tokens":9501',
        '"usage":{"input_tokens":9501,"cache_creation_input_tokens":70',
      );
    const meter = meterOf();
    feedStream(meter, written);
    expect(reported(meter)).toMatchObject({ cache_write_tokens: 70 });
    expect(reported(meter).cache_write_1h_tokens).toBeUndefined();
  });

  const FAST = FALLBACK.replace('"service_tier":"standard"', '"speed":"fast"');
  const to = (speed?: unknown) => [{ model: 'claude-sonnet-5' }, { model: 'claude-opus-4-8', speed }];
  it.each<[string, object, string, string]>([
    ['of its own', { speed: 'fast', fallbacks: to(null) }, FAST, 'standard'],
    ['that was asked of it', { fallbacks: to('fast') }, FALLBACK, 'fast'],
    ['that was asked for, where it has none', { speed: 'fast', fallbacks: to() }, FAST, 'fast'],
    ['that was asked for, whatever was said of the one before', { fallbacks: to() }, FAST, 'standard'],
    [
      'that is told behind its block',
      { fallbacks: to() },
      FAST.replace('"usage":{"input_tokens":9501', '"usage":{"speed":"fast","input_tokens":9501'),
      'fast',
    ],
  ])('has the speed %s', (_, asked, stream, tier) => {
    const meter = meterOf(asked);
    feedStream(meter, stream);
    expect(meter.reading()).toMatchObject({ tier, state: 'final' });
  });

  const hop = (type: string, model: string, output_tokens: number) => ({
    ...{ type, model, input_tokens: 100, output_tokens },
  });
  const SERVED = hop('fallback_message', 'claude-sonnet-5', 50);
  it.each([
    ['without output is not billed', [hop('message', 'claude-opus-5', 0), SERVED], {}],
    [
      'with output is',
      [hop('message', 'claude-opus-5', 7), SERVED],
      { 'input_tokens@claude-opus-5': 100, 'output_tokens@claude-opus-5': 7 },
    ],
    [
      'counts by itself',
      [hop('message', 'claude-opus-5', 7), hop('message', 'claude-fable-5', 0), SERVED],
      { 'input_tokens@claude-opus-5': 100, 'output_tokens@claude-opus-5': 7 },
    ],
    ['without output or a name is not billed', [{ ...hop('message', '', 0), model: null }, SERVED], {}],
    [
      'is none that only advised',
      [hop('advisor_message', 'claude-opus-5', 0), SERVED],
      { 'input_tokens@claude-opus-5': 100, 'output_tokens@claude-opus-5': 0 },
    ],
  ])('before it, a model that declined %s', (_, iterations, others) => {
    const usage = { input_tokens: 100, output_tokens: 50, iterations };
    expect(billed(usage, 'claude-sonnet-5')).toEqual({ input_tokens: 100, output_tokens: 50, ...others });
  });

  it('that did not come leaves what is billed of other models', () => {
    const iterations = [hop('message', 'claude-fable-5', 0), hop('message', 'claude-opus-5', 50)];
    expect(billed({ input_tokens: 100, output_tokens: 50, iterations })).toMatchObject({
      'input_tokens@claude-fable-5': 100,
    });
  });

  it('names its serving model where the message names another, and its earlier inferences are its own', () => {
    const iterations = [hop('message', 'claude-sonnet-5', 3), SERVED];
    const meter = meterOf();
    meter.onBody({ model: 'claude-opus-5', usage: { input_tokens: 200, output_tokens: 53, iterations } });
    expect(reported(meter)).toEqual({ input_tokens: 200, output_tokens: 53 });
    expect(meter.reading().model).toBe('claude-sonnet-5');
  });
});

describe('cache writes', () => {
  const message = (total: number | null, split: object | null) => ({
    ...{ type: 'message', input_tokens: 1, output_tokens: 1 },
    ...{ cache_creation_input_tokens: total, cache_creation: split },
  });
  const fiveMinutes = (tokens: number) => ({ ephemeral_5m_input_tokens: tokens });
  const oneHour = (tokens: number) => ({ ephemeral_1h_input_tokens: tokens });
  const both = (short: number, long: number) => ({ ...fiveMinutes(short), ...oneHour(long) });

  it.each([
    [
      'the split of the whole where iterations have none',
      message(1_000, both(0, 1_000)),
      [message(1_000, null)],
      0,
      1_000,
    ],
    [
      'their own where they have one',
      message(3_000, fiveMinutes(1_000)),
      [message(1_000, fiveMinutes(1_000)), message(2_000, oneHour(2_000))],
      1_000,
      2_000,
    ],
    [
      'their own, and that of the whole for the rest',
      message(3_000, both(1_000, 2_000)),
      [message(500, oneHour(500)), message(2_500, null)],
      1_000,
      2_000,
    ],
    [
      'no more of an hour than there is',
      message(1_000, both(0, 1_000)),
      [message(1_000, fiveMinutes(1_000))],
      1_000,
      0,
    ],
    ['the whole, where that is more', message(900, both(300, 600)), [message(500, both(100, 400))], 300, 600],
    ['five minutes where nobody says it', message(900, null), [message(500, null)], 900, 0],
    ['the whole alone', message(900, both(300, 600)), [], 300, 600],
  ])('are billed once, by %s', (_, top, told, short, long) => {
    const iterations = told.map((iteration) => ({ ...iteration, input_tokens: 1 }));
    const lines = billed({ ...top, iterations });
    expect([lines.cache_write_tokens ?? 0, lines.cache_write_1h_tokens ?? 0]).toEqual([short, long]);
  });

  it('are billed once where a stream tells their split at its beginning, and other ones at its end', () => {
    const meter = meterOf();
    const start = { message: { model: 'claude-opus-5', usage: message(1_000, both(1_000, 0)) } };
    meter.onEvent({ event: 'message_start', data: JSON.stringify(start) });
    const iterations = [message(1_000, both(1_000, 0)), message(2_000, both(0, 2_000))];
    const usage = { output_tokens: 4, cache_creation_input_tokens: 3_000, iterations };
    meter.onEvent({ event: 'message_delta', data: JSON.stringify({ usage }) });
    expect(reported(meter)).toMatchObject({ cache_write_tokens: 1_000, cache_write_1h_tokens: 2_000 });
  });

  it('of iterations that a stream tells are billed by lifetime, each at its own model', () => {
    const meter = meterOf();
    const start = { message: { model: 'claude-opus-5', usage: { input_tokens: 9, output_tokens: 1 } } };
    const writes = { ephemeral_5m_input_tokens: 30, ephemeral_1h_input_tokens: 70 };
    const iterations = [
      { type: 'compaction', input_tokens: 500, output_tokens: 20 },
      { type: 'message', input_tokens: 9, output_tokens: 4 },
      {
        type: 'advisor_message',
        model: 'claude-fable-5',
        input_tokens: 7,
        output_tokens: 2,
        cache_read_input_tokens: 40,
        cache_creation_input_tokens: 100,
        cache_creation: writes,
      },
    ];
    meter.onEvent({ event: 'message_start', data: JSON.stringify(start) });
    const usage = { input_tokens: 9, output_tokens: 4, iterations };
    meter.onEvent({ event: 'message_delta', data: JSON.stringify({ usage }) });
    expect(reported(meter)).toEqual({
      input_tokens: 509,
      output_tokens: 24,
      'input_tokens@claude-fable-5': 7,
      'cache_read_tokens@claude-fable-5': 40,
      'cache_write_tokens@claude-fable-5': 30,
      'cache_write_1h_tokens@claude-fable-5': 70,
      'output_tokens@claude-fable-5': 2,
    });
  });

  it.each([
    [{ ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 70 }, { cache_write_1h_tokens: 100 }],
    [
      { ephemeral_5m_input_tokens: 10, ephemeral_1h_input_tokens: 60 },
      { cache_write_tokens: 40, cache_write_1h_tokens: 60 },
    ],
    [{ ephemeral_1h_input_tokens: 70 }, { cache_write_tokens: 30, cache_write_1h_tokens: 70 }],
  ])('that grew in a stream are billed by its first split: %j', (cache_creation, lines) => {
    const meter = meterOf();
    const first = { input_tokens: 9, cache_creation_input_tokens: 70, cache_creation };
    meter.onEvent({ event: 'message_start', data: JSON.stringify({ message: { usage: first } }) });
    const usage = { output_tokens: 4, cache_creation_input_tokens: 100 };
    meter.onEvent({ event: 'message_delta', data: JSON.stringify({ usage }) });
    expect(reported(meter)).toEqual({ input_tokens: 9, output_tokens: 4, ...lines });
  });

  it('of another model are five minutes where they have no split', () => {
    const usage = { ...message(0, null), iterations: [{ ...message(40, null), model: 'claude-fable-5' }] };
    expect(billed(usage)).toMatchObject({ 'cache_write_tokens@claude-fable-5': 40 });
  });
});

describe("an inference's model", () => {
  const iterationsOf = (model: string) => [{ type: 'message', model, input_tokens: 100, output_tokens: 50 }];

  it.each([
    ['claude-opus-5-20260901', 'claude-opus-5'],
    ['claude-opus-5', 'claude-opus-5-20260901'],
    ['claude-sonnet-4-20250514', 'claude-sonnet-4-0'],
    ['claude-opus-5', 'claude-opus-5'],
  ])("of an answer of %s is the answer's under the name %s", (answered, told) =>
    expect(
      billed({ input_tokens: 100, output_tokens: 50, iterations: iterationsOf(told) }, answered),
    ).toEqual({
      input_tokens: 100,
      output_tokens: 50,
    }),
  );

  it.each(['claude-opus-5-20260101', 'claude-opus-5-1', 'claude-fable-5'])(
    'of an answer of claude-opus-5-20260901 is not %s',
    (told) =>
      expect(billed({ iterations: iterationsOf(told) }, 'claude-opus-5-20260901')).toMatchObject({
        [`output_tokens@${told}`]: 50,
      }),
  );
});
