import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { measure } from '../../proxy/measure.js';
import type { UsageMeter } from '../provider.js';
import { countedAfter, feedStream, readFormRequest, reported } from '../read-answer.contract.js';
import { openai } from './openai.provider.js';

const TRANSCRIPTIONS = '/v1/audio/transcriptions';
const SOUND = new Blob(['RIFF']);
const fixture = (name: string): string => readFileSync(join(import.meta.dirname, 'fixtures', name), 'utf8');
const read = (fields: Record<string, string | string[]>, path = TRANSCRIPTIONS) =>
  readFormRequest(openai, path, { file: SOUND, ...fields });

let whisper: UsageMeter;
let tokens: UsageMeter;
beforeEach(async () => {
  whisper = (await read({ model: 'whisper-1' })).meter();
  tokens = (await read({ model: 'gpt-4o-transcribe' })).meter();
});

describe('forms of sound', () => {
  it.each([
    ['whisper-1', ['audio_seconds']],
    ['gpt-4o-mini-transcribe', ['input_tokens', 'audio_input_tokens', 'output_tokens']],
  ])('%s needs a price for %j', async (model, needs) =>
    expect(await read({ model, stream: 'True' })).toMatchObject({
      model,
      needs,
      stream: true,
      bound: { kind: 'ceiling' },
    }),
  );

  it.each<[string, Record<string, string | string[]>]>([
    ['no model', {}],
    ['an empty model', { model: '' }],
    ['two models', { model: ['whisper-1', 'gpt-4o-transcribe'] }],
    ['a flag that is none', { model: 'whisper-1', stream: '2' }],
  ])('are refused with %s', (_, fields) =>
    expect(read(fields)).rejects.toMatchObject({ code: 'invalid_body' }),
  );
});

describe('usage of transcripts', () => {
  it.each([
    ['seconds as OpenAI rounds them', { text: 'hi', usage: { type: 'duration', seconds: 4 } }, 4],
    ['a part of a second as one', { text: 'hi', usage: { type: 'duration', seconds: 3.2 } }, 4],
    ['usage before the duration', { duration: 3.7, usage: { type: 'duration', seconds: 5 } }, 5],
  ])('is in seconds: %s', (_, body, audio_seconds) => {
    whisper.onBody(body);
    expect(reported(whisper)).toEqual({ audio_seconds });
    expect(whisper.reading().state).toBe('final');
  });

  it('is in tokens, also where a duration is given', () => {
    tokens.onBody(JSON.parse(fixture('transcript-diarized.json')));
    expect(reported(tokens)).toEqual({ input_tokens: 16, audio_input_tokens: 274, output_tokens: 41 });
    expect(tokens.reading()).toMatchObject({ state: 'final', contextTokens: 290 });
  });

  it('is behind the text of a stream, before its end', () => {
    const verdicts = feedStream(tokens, fixture('transcript-crlf.sse.txt'));
    expect(verdicts.map(({ terminal }) => terminal)).toEqual([false, false, false, true]);
    expect(reported(tokens)).toEqual({ input_tokens: 8, audio_input_tokens: 22, output_tokens: 4 });
  });

  it.each([-1, 'x', null, {}, Number.NaN, 1e300])('leaves out seconds that are %p', (seconds) => {
    whisper.onBody({ usage: { type: 'duration', seconds } });
    expect(whisper.reading()).toMatchObject({ state: 'partial', quantities: [] });
  });
});

describe('where nothing is reported', () => {
  it.each([
    ['the last subtitle', 'subtitles.srt', 3_607],
    ['the last subtitle without hours', 'subtitles.vtt', 69],
  ])('%s says how long the sound was', (_, file, audio_seconds) => {
    whisper.onTornBody(fixture(file));
    expect(reported(whisper)).toEqual({ audio_seconds });
    expect(measure(whisper, 'completed', false).evidence).toBe('estimated');
  });

  it('of subtitles that overlap, the one that ends last counts', () => {
    whisper.onTornBody('00:00:01,000 --> 00:00:09,000\na\n\n00:00:02,000 --> 00:00:05,000\nb\n');
    expect(reported(whisper)).toEqual({ audio_seconds: 9 });
  });

  it('the duration does', async () => {
    const translation = (await read({ model: 'whisper-1' }, '/v1/audio/translations')).meter();
    translation.onBody({ task: 'translate', duration: 8.47, text: 'Hello.' });
    expect(reported(translation)).toEqual({ audio_seconds: 9 });
    expect(translation.reading().state).toBe('partial');
  });

  it.each([
    ['a translation', { text: 'x'.repeat(901) }, 61],
    ['nothing said', { text: '' }, undefined],
  ])('the time that it takes to say it counts for %s', (_, body, audio_seconds) => {
    whisper.onBody(body);
    expect(reported(whisper).audio_seconds).toBe(audio_seconds);
  });

  it('plain text counts as long as it takes to say, also where it looks like JSON', () => {
    whisper.onTornBody('y'.repeat(30));
    expect(reported(whisper)).toEqual({ audio_seconds: 2 });
    whisper.onBody(42);
    expect(reported(whisper)).toEqual({ audio_seconds: 1 });
  });

  it('tokens are those of so much sound, and of the text', () => {
    tokens.onTornBody('one two three four five six se');
    expect(reported(tokens)).toEqual({ audio_input_tokens: 20, output_tokens: 7 });
  });

  it('an answer that broke off is the sound that has been heard, and the text that has come', () => {
    whisper.onTornBody('1\n00:00:00,000 --> 00:00:02,100\nHello\n\n2\n00:00:02,100 --> 00');
    expect(countedAfter(whisper, [])).toEqual({ audio_seconds: 3 });
    const delta = (text: string) => `data: {"type":"transcript.text.delta","delta":"${text}"}\n\n`;
    expect(countedAfter(tokens, [delta('one'), delta(' two'), delta(' three')])).toEqual({
      output_tokens: 3,
    });
  });

  it('an error is told, and nothing estimated', () => {
    feedStream(tokens, 'data: {"type":"error","error":{"code":"server_error"}}\n\n');
    tokens.onTornBody('some text');
    expect(tokens.reading()).toMatchObject({ failed: true, quantities: [] });
  });
});

it('no transcript makes it throw, or a time negative', () =>
  fc.assert(
    fc.property(
      fc.oneof(
        fc.jsonValue(),
        fc.record({
          text: fc.oneof(fc.string(), fc.integer()),
          duration: fc.oneof(fc.double(), fc.string()),
          usage: fc.oneof(fc.jsonValue(), fc.record({ type: fc.constant('duration'), seconds: fc.double() })),
        }),
      ),
      fc.string(),
      (json, junk) => {
        whisper.onBody(json);
        whisper.onTornBody(junk);
        whisper.onEvent({ event: '', data: junk });
        for (const { quantity } of [...whisper.reading().quantities, ...whisper.counted().quantities])
          expect(quantity.isNegative()).toBe(false);
      },
    ),
  ));
