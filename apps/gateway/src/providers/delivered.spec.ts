import { describe, expect, it } from '@jest/globals';
import { BodyReader } from '../proxy/body-reader.js';
import { type Measured, measure } from '../proxy/measure.js';
import { anthropic } from './anthropic/anthropic.provider.js';
import { gemini } from './gemini/gemini.provider.js';
import { openai } from './openai/openai.provider.js';
import { openrouter } from './openrouter/openrouter.provider.js';
import type { Provider } from './provider.js';
import { countedAfter, readFormRequest, readRequest } from './read-answer.contract.js';

const event = (name: string, data: object) =>
  `event: ${name}\ndata: ${JSON.stringify({ type: name, ...data })}\n\n`;
const chunk = (data: object) => `data: ${JSON.stringify(data)}\n\n`;
const said = (content: string) => chunk({ choices: [{ delta: { content } }] });
const ERROR = { error: { code: 'server_error', message: 'no' } };

const MESSAGES = '/v1/messages';
const START = event('message_start', { message: { usage: { input_tokens: 100, output_tokens: 1 } } });
const text = (delta: string) => event('content_block_delta', { delta: { text: delta } });
const RESPONSES = '/v1/responses';
const SPOKEN = ['a', ' b', ' c'].map((delta) => event('response.output_text.delta', { delta }));
const FAILED = event('response.failed', { response: { status: 'failed', usage: null, ...ERROR } });
const GENERATE = '/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse';
const usageMetadata = { promptTokenCount: 7, candidatesTokenCount: 1 };
const parts = (words: string, more: object) =>
  chunk({ candidates: [{ content: { parts: [{ text: words }] } }], ...more });

const REQUEST = {
  ...{ model: 'm', max_tokens: 9, stream: true, input: 'one two' },
  messages: [{ role: 'user', content: 'one two' }],
};

function after(
  provider: Provider,
  path: string,
  events: readonly string[],
  ended: Parameters<typeof measure>[1] = 'completed',
): { lines: Record<string, number>; evidence: Measured['evidence'] } {
  const meter = readRequest(provider, path, REQUEST).meter();
  countedAfter(meter, events);
  const { reading, evidence } = measure(meter, ended, false);
  return { evidence, lines: linesOf(reading) };
}

function linesOf({ quantities }: Measured['reading']): Record<string, number> {
  return Object.fromEntries(quantities.map(({ meter, quantity }) => [meter, Number(quantity.toDecimal())]));
}

describe('what was delivered', () => {
  const TWO_OF_THREE = { input_tokens: 2, output_tokens: 3 };
  it.each<[string, Provider, string, readonly string[], Record<string, number>]>([
    [
      'a message',
      anthropic,
      MESSAGES,
      [START, text('a b'), text(' c')],
      { input_tokens: 100, output_tokens: 3 },
    ],
    ['a chat', openai, '/v1/chat/completions', [said('a b'), said(' c')], TWO_OF_THREE],
    ['a response', openai, RESPONSES, SPOKEN, TWO_OF_THREE],
  ])(
    'of %s is counted alike where it breaks off, tells an error, or ends without a report',
    (_, provider, path, events, lines) => {
      const errors: Record<string, string> = { [MESSAGES]: event('error', ERROR), [RESPONSES]: FAILED };
      const error = errors[path] ?? chunk(ERROR);
      expect(after(provider, path, events, 'upstream_died')).toEqual({ lines, evidence: 'counted' });
      expect(after(provider, path, events)).toEqual({ lines, evidence: 'estimated' });
      expect(after(provider, path, [...events, error])).toEqual({ lines, evidence: 'estimated' });
      expect(after(provider, path, [...events, error], 'upstream_died')).toEqual({
        lines,
        evidence: 'estimated',
      });
    },
  );

  it.each<[string, Provider, string, readonly string[], Record<string, number>]>([
    ['a chat', openai, '/v1/chat/completions', [chunk(ERROR)], {}],
    ['a response', openai, RESPONSES, [event('response.created', {}), event('error', ERROR), FAILED], {}],
    [
      'a message that has said its input',
      anthropic,
      MESSAGES,
      [START, event('error', ERROR)],
      { input_tokens: 100, output_tokens: 1 },
    ],
    ['a message', anthropic, MESSAGES, [event('error', ERROR)], {}],
  ])(
    'is nothing before an error of %s without output: what was reported stands',
    (_, provider, path, events, lines) =>
      expect(after(provider, path, events)).toEqual({ lines, evidence: 'estimated' }),
  );

  it.each<[string, Provider, string, readonly string[], Record<string, number>]>([
    ['OpenRouter', openrouter, '/api/v1/chat/completions', [said('a b'), said(' c'), chunk(ERROR)], {}],
    [
      'Gemini',
      gemini,
      GENERATE,
      [parts('a b', {}), parts(' c', { usageMetadata }), chunk(ERROR)],
      { input_tokens: 7, output_tokens: 1 },
    ],
  ])('before an error is free at %s, but for what it reported', (_, provider, path, events, lines) =>
    expect(after(provider, path, events)).toEqual({ lines, evidence: 'estimated' }),
  );

  it.each<[string, Provider, string, object]>([
    ['a message', anthropic, MESSAGES, { content: [{ type: 'text', text: 'a b c' }] }],
    ['a chat', openai, '/v1/chat/completions', { choices: [{ message: { content: 'a b c' } }] }],
    ['a response', openai, RESPONSES, { output: [{ content: [{ type: 'output_text', text: 'a b c' }] }] }],
    ['a chat', openrouter, '/api/v1/chat/completions', { choices: [{ message: { content: 'a b c' } }] }],
    ['a chat', gemini, '/v1beta/openai/chat/completions', { choices: [{ message: { content: 'a b c' } }] }],
  ])('in the body of %s without a report is counted', (_, provider, path, body) => {
    const meter = readRequest(provider, path, { ...REQUEST, stream: false }).meter();
    const reader = new BodyReader(meter);
    reader.feed(Buffer.from(JSON.stringify(body)));
    reader.end();
    const { reading, evidence } = measure(meter, 'completed', false);
    expect({ evidence, lines: linesOf(reading) }).toEqual({ evidence: 'estimated', lines: TWO_OF_THREE });
  });

  it('is no matter of a meter that fails at a body: nothing is thrown', () => {
    const meter = readRequest(openai, RESPONSES, { ...REQUEST, stream: false }).meter();
    meter.reading = () => {
      throw new Error('broken');
    };
    const reader = new BodyReader(meter);
    reader.feed(Buffer.from('{}'));
    expect(() => reader.end()).not.toThrow();
    expect(measure(meter, 'completed', false)).toMatchObject({ evidence: 'estimated' });
  });

  it('counts where a report says less, and a stream ends without saying that it is whole', () => {
    const events = [parts('a b', { usageMetadata }), parts(' c', { usageMetadata })];
    const lines = { input_tokens: 7, output_tokens: 3 };
    expect(after(gemini, GENERATE, events)).toEqual({ lines, evidence: 'estimated' });
  });

  const transcript = async () => {
    const fields = { model: 'gpt-4o-transcribe', stream: 'true', file: new Blob(['sound']) };
    const meter = (await readFormRequest(openai, '/v1/audio/transcriptions', fields)).meter();
    countedAfter(
      meter,
      ['he', 'llo'].map((delta) => event('transcript.text.delta', { delta })),
    );
    return meter;
  };

  it('of a transcript is counted before an error', async () => {
    const meter = await transcript();
    countedAfter(meter, [chunk(ERROR)]);
    expect(linesOf(measure(meter, 'completed', false).reading)).toEqual({ output_tokens: 2 });
  });

  it('takes nothing from an estimate that has more than can be counted', async () => {
    const meter = await transcript();
    meter.onBody({ text: 'hello' });
    const estimate = linesOf(meter.reading());
    expect(estimate.audio_input_tokens).toBeGreaterThan(0);
    expect(linesOf(measure(meter, 'completed', false).reading)).toEqual(estimate);
  });
});
