import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { isKnownAtHead, measure, readHead } from '../../proxy/measure.js';
import { feedStream, readRequest, reported } from '../read-answer.contract.js';
import { openai } from './openai.provider.js';

const fixture = (name: string): string => readFileSync(join(import.meta.dirname, 'fixtures', name), 'utf8');
const say = (body: object) => readRequest(openai, '/v1/audio/speech', { voice: 'ash', input: 'x', ...body });

describe('speech by the character', () => {
  it.each([
    ['tts-1', 'This is a speech test!', 22],
    ['tts-1-hd-1106', '日本', 2],
    ['openai/tts-1', 'a👍🏽', 3],
    ['tts-1', '', 0],
  ])('%s: %s is held and billed as %d characters', (model, input, characters) => {
    const request = say({ model, input });
    expect(request).toMatchObject({
      bound: { kind: 'units', units: { characters } },
      needs: ['characters'],
      stream: false,
      tier: 'standard',
    });
  });

  it('is known once OpenAI has accepted it, and not before', () => {
    const meter = say({ model: 'tts-1', input: 'hello' }).meter();
    expect([isKnownAtHead(meter), meter.reading().state]).toEqual([false, 'none']);
    readHead(meter, { 'content-type': 'audio/mpeg' });
    expect(isKnownAtHead(meter)).toBe(true);
    expect(reported(meter)).toEqual({ characters: 5 });
    for (const ended of ['completed', 'upstream_died', 'client_aborted'] as const)
      expect(measure(meter, ended, false).evidence).toBe('header');
  });
});

describe('speech by the token', () => {
  const mini = (body: object = {}) => say({ model: 'gpt-4o-mini-tts', input: 'Well, hello there.', ...body });

  it('holds the ceiling', () =>
    expect(mini({ stream_format: 'sse' })).toMatchObject({
      bound: { kind: 'ceiling' },
      needs: ['input_tokens', 'audio_output_tokens'],
      stream: true,
    }));

  it('has its usage in the last event of a stream', () => {
    const meter = mini({ stream_format: 'sse' }).meter();
    expect(feedStream(meter, fixture('speech.sse.txt')).map(({ terminal }) => terminal)).toEqual([
      false,
      false,
      true,
    ]);
    expect(reported(meter)).toEqual({ input_tokens: 14, audio_output_tokens: 101 });
    expect(meter.reading().state).toBe('final');
  });

  it('is sound, whatever its details say', () => {
    const meter = mini().meter();
    meter.onBody({
      usage: { input_tokens: 14, output_tokens: 101, output_tokens_details: { audio_tokens: 90 } },
    });
    expect(reported(meter)).toEqual({ input_tokens: 14, audio_output_tokens: 101 });
  });

  it('is estimated by its text where sound is all that comes', () => {
    const meter = mini({ instructions: 'Be kind.' }).meter();
    readHead(meter, { 'content-type': 'audio/mpeg' });
    // 18 bytes at 900 a minute are 1.2 s, of 1,250 tokens a minute.
    const { reading, evidence } = measure(meter, 'completed', false);
    expect([evidence, reading.state]).toEqual(['estimated', 'partial']);
    expect(reported(meter)).toEqual({ input_tokens: 8, audio_output_tokens: 25 });
  });

  it.each([
    ['scripts by their bytes, as they take as long to say', '日'.repeat(300), 1_250],
    ['a part of a token as one', 'x', 2],
  ])('counts %s', (_, input, tokens) =>
    expect(reported(mini({ input }).meter()).audio_output_tokens).toBe(tokens),
  );

  it('that broke off is its text alone, and one that failed is nothing', () => {
    const meter = mini().meter();
    expect(measure(meter, 'upstream_died', false)).toMatchObject({ evidence: 'counted' });
    expect(meter.counted().quantities.map((line) => line.meter)).toEqual(['input_tokens']);
    feedStream(meter, 'event: error\ndata: {"type":"error","error":{"code":"server_error"}}\n\n');
    expect(meter.reading()).toMatchObject({ failed: true, quantities: [] });
  });
});

it.each([
  ['no text', { input: undefined }],
  ['a text that is none', { input: 5 }],
  ['no model', {}],
])('refuses speech with %s', (_, body) =>
  expect(() => say(body)).toThrow(expect.objectContaining({ code: 'invalid_body' })),
);

it("names a voice of one's own as an object of the account", () => {
  expect(say({ model: 'tts-1', voice: { id: 'voice_1' } }).accountObjects).toEqual(['voice']);
  expect(say({ model: 'tts-1' }).accountObjects).toEqual([]);
});
