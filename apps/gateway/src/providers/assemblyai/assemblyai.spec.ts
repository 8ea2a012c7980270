import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { JobReport } from '../provider.js';
import { readRequest } from '../read-answer.contract.js';
import { matchRoute } from '../route-table.js';
import { assemblyai } from './assemblyai.provider.js';
import { readReport, SubmitMeter } from './assemblyai.usage.js';

const SUBMIT = '/v2/transcript';
const AUDIO = { audio_url: 'https://sounds.example/a.mp3' };
const DAY_MS = 86_400_000;

const fixture = (name: string): unknown =>
  JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures', name), 'utf8'));
const read = (body: unknown) => readRequest(assemblyai, SUBMIT, body);
const refused = expect.objectContaining({ code: 'invalid_body' });

describe('an assemblyai submit', () => {
  it.each([
    ['no audio', '{}'],
    ['audio that is no link', '{"audio_url":1}'],
    ['two links', '{"audio_url":"a","audio_url":"b"}'],
    ['a feature named twice', '{"audio_url":"a","speaker_labels":true,"speaker_labels":false}'],
    ['a webhook', { ...AUDIO, webhook_url: 'https://hooks.example' }],
    ['a webhook of another type', { ...AUDIO, webhook_url: { a: 1 } }],
    ['a model that looks like a feature', { ...AUDIO, speech_model: 'addon/domain' }],
    ['a fallback that looks like a feature', { ...AUDIO, speech_models: ['universal-2', 'addon/domain'] }],
    ['a field that is none', { ...AUDIO, 'Speaker Labels': true }],
    ['a list', '[]'],
  ])('with %s is refused', (_, body) => expect(() => read(body)).toThrow(refused));

  it.each([
    ['no model', {}, 'best', []],
    ['a model', { speech_model: 'nano' }, 'nano', []],
    [
      'models in their order',
      { speech_models: ['universal-3-pro', 'universal-2'] },
      'universal-3-pro',
      ['universal-2'],
    ],
    ['both', { speech_models: ['universal-2'], speech_model: 'best' }, 'universal-2', ['best']],
    ['no webhook', { webhook_url: null }, 'best', []],
  ])('of %s needs the price of each that may answer', (_, body, model, extras) =>
    expect(read({ ...AUDIO, ...body })).toMatchObject({
      model,
      extras,
      tier: 'standard',
      needs: ['audio_seconds'],
      bound: { kind: 'ceiling' },
      job: { ttlMs: DAY_MS, tier: 'standard' },
    }),
  );

  it.each<[string, object, string[]]>([
    [
      'none where all are off',
      { speaker_labels: false, redact_pii: null, keyterms_prompt: [], domain: '' },
      [],
    ],
    [
      'those that are on',
      { speaker_labels: true, entity_detection: true },
      ['entity_detection', 'speaker_labels'],
    ],
    ['what goes with another field', { multichannel: true, speakers_expected: 2, word_boost: ['a'] }, []],
    ['what nobody has heard of', { clairvoyance: 1 }, ['clairvoyance']],
    ['terms', { keyterms_prompt: ['Vendo'] }, ['keyterms_prompt']],
    [
      'what is done with the text',
      {
        speech_understanding: {
          request: { translation: { target_languages: ['de'], effort: 'low' }, custom_formatting: {} },
        },
      },
      ['translation'],
    ],
    [
      'more effort than the least',
      { speech_understanding: { request: { translation: { effort: 'medium' } } } },
      ['translation.medium'],
    ],
    ['an understanding of another kind', { speech_understanding: { prompt: 'x' } }, ['speech_understanding']],
  ])('has features: %s', (_, body, features) => {
    const { extras, job } = read({ ...AUDIO, ...body });
    expect(extras).toEqual(features.map((name) => `addon/${name}`));
    expect(job?.tier).toBe(features.join('+') || 'standard');
  });

  it('forwards the very bytes', () => {
    const body = Buffer.from('{ "audio_url" : "a", "audio_end_at":12345678901234567890 }');
    expect(read(body).body).toBe(body);
  });
});

describe('the answer to an assemblyai submit', () => {
  const answered = (body: unknown) => {
    const meter = new SubmitMeter();
    meter.onBody(body);
    return meter.reading();
  };

  it.each<[what: string, body: unknown, id: string | null, failed: boolean]>([
    ['taken', { id: 'tr-1', status: 'queued', audio_duration: null }, 'tr-1', false],
    ['refused in a 2xx', { id: 'tr-1', status: 'error' }, 'tr-1', true],
    ['without a name', { status: 'queued' }, null, false],
    ['of another kind', ['tr-1'], null, false],
    ...['tr/1', 'tr-1?a', 'tr%2f1', '..', 'tr 1', 'tr-1\n', '', 'x'.repeat(257)].map(
      (id): [string, object, null, boolean] => [`with a name that is no id (${id})`, { id }, null, false],
    ),
  ])('%s', (_, body, upstreamId, failed) =>
    expect(answered(body)).toMatchObject({ upstreamId, failed, quantities: [], state: 'none' }),
  );

  it.each([
    ['behind its name', '{"id": "tr-1", "language_mo', 'tr-1'],
    ['in its name', '{"id": "tr-', null],
    ['before its name', '{"', null],
    ['behind a name that is no id', '{"id": "..", "a', null],
    ['behind a text that looks like one', '{"text": "\\"id\\": \\"tr-2\\"", "id": "tr-1", ', 'tr-1'],
  ])('that broke off %s', (_, torn, upstreamId) => {
    const meter = new SubmitMeter();
    meter.onTornBody(torn);
    expect(meter.counted()).toMatchObject({ upstreamId, quantities: [] });
  });
});

describe('an assemblyai report', () => {
  const report = (body: unknown, upstream_id: string, tier = 'standard') =>
    readReport(body, { upstream_id, tier });
  const linesOf = (said: JobReport) =>
    said.state === 'done'
      ? said.reading.quantities.map(({ model, rateKeys, quantity }) => [
          model,
          rateKeys,
          quantity.toDecimal(),
        ])
      : said.state;

  it('bills each channel for its seconds, and each feature that was asked for beside it', () => {
    const said = report(
      fixture('completed-two-channels.json'),
      'tr-two-channels',
      'entity_detection+speaker_labels',
    );
    expect(said).toMatchObject({
      state: 'done',
      reading: { model: 'universal-2', tier: 'standard', state: 'final' },
    });
    const addOn = (name: string) => [`addon/${name}`, [`addon/${name}`], '122.5'];
    expect(linesOf(said)).toEqual([
      [undefined, undefined, '122.5'],
      addOn('entity_detection'),
      addOn('speaker_labels'),
    ]);
  });

  it('bills no feature that the answer repeats and nobody asked for', () =>
    expect(linesOf(report(fixture('completed-two-channels.json'), 'tr-two-channels'))).toHaveLength(1));

  it('estimates the seconds by the last word where it says none', () => {
    const said = report(fixture('completed-without-duration.json'), 'tr-silent');
    expect(linesOf(said)).toEqual([[undefined, undefined, '2.817']]);
    expect(said).toMatchObject({ reading: { state: 'partial', model: null } });
  });

  it.each<[unknown, string, string]>([
    [null, 'final', '10'],
    [0, 'final', '10'],
    [2, 'final', '20'],
    ['2', 'partial', '10'],
    [-2, 'partial', '10'],
    [1.5, 'partial', '10'],
  ])('of %j channels is %s', (audio_channels, state, seconds) => {
    const said = report({ id: 'a', status: 'completed', audio_duration: 10, audio_channels }, 'a');
    expect(said).toMatchObject({ reading: { state } });
    expect(linesOf(said)).toEqual([[undefined, undefined, seconds]]);
  });

  it('says nothing of seconds where there is no word either', () =>
    expect(report({ id: 'a', status: 'completed', words: [] }, 'a')).toMatchObject({
      state: 'done',
      reading: { state: 'none', quantities: [] },
    }));

  it.each([
    ['failed', 'failed.json', 'tr-failed', 'failed'],
    ['is still running, whatever it says of seconds', 'processing.json', 'tr-running', 'running'],
    ['is of another transcript', 'failed.json', 'tr-other', 'running'],
  ])('that %s', (_, name, id, state) => expect(report(fixture(name), id)).toEqual({ state }));

  it.each(['{}', '[]', 'null', '{"id":"a","status":"completd"}', '{"id":["a"],"status":"completed"}'])(
    'of %s says nothing',
    (body) => expect(report(JSON.parse(body), 'a')).toEqual({ state: 'running' }),
  );

  it('of silence costs nothing', () =>
    expect(linesOf(report({ id: 'a', status: 'completed', audio_duration: 0 }, 'a', 'domain'))).toEqual([]));

  it('never throws and is never negative, whatever comes', () => {
    const odd = fc.oneof(fc.jsonValue(), fc.double(), fc.array(fc.record({ end: fc.jsonValue() })));
    fc.assert(
      fc.property(
        fc.record({
          audio_duration: odd,
          audio_channels: odd,
          words: odd,
          utterances: odd,
          speech_model_used: odd,
        }),
        fc.string(),
        (body, junk) => {
          const said = report({ id: 'a', status: 'completed', ...body }, 'a');
          if (said.state !== 'done') throw new Error('a completed one is done');
          for (const { quantity } of said.reading.quantities) expect(quantity.isNegative()).toBe(false);
          const meter = new SubmitMeter();
          meter.onTornBody(junk);
          meter.onBody(body);
        },
      ),
    );
  });
});

describe('assemblyai routes', () => {
  const found = (method: string, target: string) => matchRoute(assemblyai, method, target)?.route;

  it('takes submits as jobs, and files for nothing', () => {
    expect(found('POST', SUBMIT)).toMatchObject({ class: 'metered', name: 'transcript' });
    expect(found('POST', '/v2/upload')).toMatchObject({ class: 'free', upload: true });
  });

  it.each([
    ['', true],
    ['/sentences', undefined],
    ['/paragraphs', undefined],
    ['/srt?chars_per_caption=32', undefined],
    ['/vtt', undefined],
    ['/word-search?words=a,b', undefined],
    ['/redacted-audio', undefined],
  ])('GET of a transcript%s is free, of the own ones, and a report only of the whole', (part, reports) =>
    expect(found('GET', `${SUBMIT}/tr-1${part}`)).toMatchObject({
      class: 'free',
      object: 'id',
      ...(reports && { reports }),
    }),
  );

  it('reads reports in the whole alone', () =>
    expect(
      assemblyai.routes.filter((route) => route.class === 'free' && route.reports).map(({ path }) => path),
    ).toEqual(['/v2/transcript/:id']));

  it.each([
    ['GET', SUBMIT],
    ['GET', `${SUBMIT}?limit=3`],
    ['GET', `${SUBMIT}/`],
    ['GET', `/${SUBMIT}/tr-1`],
    ['GET', '/v2//transcript/tr-1'],
    ['GET', '/V2/transcript/tr-1'],
    ['GET', '/v2/transcript%2Ftr-1'],
    ['GET', '/v2/transcript/tr-1%2fsentences'],
    ['GET', '/v2/transcript/%2e%2e'],
    ['DELETE', `${SUBMIT}/tr-1`],
    ['POST', `${SUBMIT}/`],
    ['POST', `${SUBMIT}/tr-1`],
    ['PUT', '/v2/upload'],
    ['GET', '/v2/realtime/ws'],
    ['POST', '/v2/realtime/token'],
    ['GET', '/v3/token?expires_in_seconds=60'],
    ['GET', '/v3/ws'],
    ['POST', '/lemur/v3/generate/task'],
    ['GET', '/lemur/v3/request-1'],
    ['POST', '/v1/transcribe'],
    ['POST', '/v1/chat/completions'],
    ['GET', '/v1/models'],
  ])('%s %s is blocked', (method, target) => expect(found(method, target)).toBeUndefined());
});

it('a transcript is asked for by its id, whatever that is', () =>
  expect(assemblyai.jobs?.pollPath?.('../tr-1?a')).toBe('/v2/transcript/..%2Ftr-1%3Fa'));

it('assemblyai takes the bare key', () => {
  const outgoing = { path: SUBMIT, headers: { 'content-type': 'application/json' } };
  assemblyai.authorize(outgoing, 'aai-1');
  expect(outgoing.headers).toEqual({ 'content-type': 'application/json', authorization: 'aai-1' });
});

it.each(['universal-2', 'best', 'addon/domain'])('%s is priced as itself only', (model) =>
  expect(assemblyai.rateKeys(model)).toEqual([model]),
);
