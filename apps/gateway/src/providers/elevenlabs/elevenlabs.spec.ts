import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { UsageMeter } from '../provider.js';
import { readFormRequest, readRequest, reported } from '../read-answer.contract.js';
import { matchRoute } from '../route-table.js';
import { elevenlabs } from './elevenlabs.provider.js';

const SPEECH = '/v1/text-to-speech/voice-1';
const DIALOGUE = '/v1/text-to-dialogue';
const SOUND = '/v1/sound-generation';
const CHANGE = '/v1/speech-to-speech/voice-1';
const ISOLATION = '/v1/audio-isolation';
const TRANSCRIPT = '/v1/speech-to-text';
const FILE = new Blob(['RIFF']);

const fixture = (name: string): string => readFileSync(join(import.meta.dirname, 'fixtures', name), 'utf8');
const read = (path: string, body: unknown) => readRequest(elevenlabs, path, body);
const readFields = (path: string, fields: Parameters<typeof readFormRequest>[2]) =>
  readFormRequest(elevenlabs, path, fields);
const refused = (code = 'invalid_body') => expect.objectContaining({ code });

function accepted(meter: UsageMeter, headers: Record<string, string> = {}): UsageMeter {
  meter.onHead?.(headers);
  return meter;
}

describe('elevenlabs speech', () => {
  it.each([
    ['no text', '{"model_id":"eleven_v3"}'],
    ['a text that is none', '{"text":["a"]}'],
    ['two texts', '{"text":"a","text":"much longer"}'],
    ['two models', '{"text":"a","model_id":"eleven_flash_v2","model_id":"eleven_v3"}'],
    ['a model without a name', '{"text":"a","model_id":""}'],
  ])('refuses %s', (_, body) => expect(() => read(SPEECH, body)).toThrow(refused()));

  it.each([
    ['ASCII', 'Hello world!', 12],
    ['nothing', '', 0],
    ['composed and combining characters', 'e\u0301é', 3],
    ['pairs of surrogates', 'a😀b👩‍👩‍👧', 8],
    ['halves of pairs', '\ud83dx\ude00\ud83d', 4],
    ['tags and line breaks', '<break time="1s"/>\r\n', 20],
  ])('counts %s by code points', (_, text, characters) => {
    const request = read(SPEECH, { text });
    expect(request.bound).toEqual({ kind: 'units', units: { characters } });
    const { quantities } = accepted(request.meter()).reading();
    expect(quantities.map(({ quantity }) => Number(quantity.toDecimal()))).toEqual(
      characters === 0 ? [] : [characters],
    );
  });

  it('counts all voices of a dialogue', () => {
    const request = read(DIALOGUE, {
      inputs: [
        { text: 'Hi!', voice_id: 'a' },
        { text: '😀', voice_id: 'b' },
      ],
    });
    expect([request.model, request.bound]).toEqual([
      'eleven_v3',
      { kind: 'units', units: { characters: 4 } },
    ]);
  });

  it.each([[[]], [{}], [[{ text: 1 }]], ['a'], [[null]]])('a dialogue of %j', (inputs) => {
    if (Array.isArray(inputs) && inputs.length === 0)
      expect(read(DIALOGUE, { inputs }).needs).toHaveLength(1);
    else expect(() => read(DIALOGUE, { inputs })).toThrow(refused());
  });

  it.each([
    [SPEECH, { text: 'a' }, 'eleven_multilingual_v2', ['characters']],
    [SPEECH, { text: 'a', model_id: null }, 'eleven_multilingual_v2', ['characters']],
    [`${SPEECH}/stream`, { text: 'a', model_id: 'eleven_flash_v2_5' }, 'eleven_flash_v2_5', ['characters']],
    [SOUND, { text: 'rain' }, 'eleven_text_to_sound_v2', ['requests']],
  ])('%s of %j is of %s and needs the price of %j', (path, body, model, needs) =>
    expect(read(path, body)).toMatchObject({ model, needs, tier: 'standard' }),
  );

  it.each([
    ['previous_request_ids', ['req_1']],
    ['next_request_ids', ['req_1']],
    ['pronunciation_dictionary_locators', [{ pronunciation_dictionary_id: 'd' }]],
  ])('names what is stored in the account: %s', (field, ids) => {
    expect(read(SPEECH, { text: 'a', [field]: ids }).accountObjects).toEqual([field]);
    expect(read(SPEECH, { text: 'a', [field]: [] }).accountObjects).toEqual([]);
  });

  it('forwards the very bytes', () => {
    const body = Buffer.from('{ "text" : "a", "seed":12345678901234567890 }');
    expect(read(SPEECH, body).body).toBe(body);
  });
});

describe('elevenlabs usage of speech', () => {
  const TEXT = { text: 'x'.repeat(79) };

  it('is none before the provider has accepted it, and whole at its head', () => {
    const meter = read(SPEECH, TEXT).meter();
    expect(meter.reading()).toMatchObject({ state: 'none', quantities: [] });
    meter.onHead?.({});
    expect(meter.reading()).toMatchObject({ state: 'final', evidence: 'header', providerUnits: null });
    meter.onBody({ audio_base64: 'AAAA', alignment: { characters: ['x'] } });
    meter.onTornBody('{"audio');
    expect(reported(meter)).toEqual({ characters: 79 });
    expect(meter.counted()).toEqual(meter.reading());
  });

  it.each([
    ['one credit each', 'eleven_multilingual_v2', '79', null],
    ['half a credit, rounded down', 'eleven_flash_v2_5', '39', null],
    ['half a credit, rounded up', 'eleven_turbo_v2', '40', null],
    ['half a credit, exact', 'eleven_flash_v2_5', '39.5', null],
    ['a discount', 'eleven_v3', '22', '79'],
    ['a whole credit where half is due', 'eleven_flash_v2_5', '79', '39.5'],
    ['one credit more', 'eleven_v3', '80', '79'],
    ['one credit less', 'eleven_v3', '78', '79'],
    ['a model whose factor nobody knows', 'eleven_next', '5', null],
  ])('keeps the credits: %s', (_, model_id, cost, shouldBe) => {
    const meter = accepted(read(SPEECH, { ...TEXT, model_id }).meter(), { 'character-cost': cost });
    const units = meter.reading().providerUnits;
    expect([units?.quantity.toDecimal(), units?.shouldBe?.toDecimal() ?? null]).toEqual([cost, shouldBe]);
    expect(reported(meter)).toEqual({ characters: 79 });
  });

  it.each(['', 'many', '-3', 'NaN', '1e9999', '12,5'])('takes no credits from %j', (cost) =>
    expect(
      accepted(read(SPEECH, TEXT).meter(), { 'character-cost': cost }).reading().providerUnits,
    ).toBeNull(),
  );
});

it('an elevenlabs sound is one, at the head, and its credits are compared with nothing', () => {
  const meter = accepted(read(SOUND, { text: 'rain', duration_seconds: 22 }).meter(), {
    'character-cost': '880',
  });
  expect(reported(meter)).toEqual({ requests: 1 });
  expect(meter.reading()).toMatchObject({ state: 'final', evidence: 'header' });
  const units = meter.reading().providerUnits;
  expect([units?.quantity.toDecimal(), units?.shouldBe]).toEqual(['880', null]);
});

describe('elevenlabs voice changes and isolation', () => {
  it.each([
    [CHANGE, { audio: FILE }, 'eleven_english_sts_v2'],
    [
      `${CHANGE}/stream`,
      { audio: FILE, model_id: 'eleven_multilingual_sts_v2' },
      'eleven_multilingual_sts_v2',
    ],
    [ISOLATION, { audio: FILE }, 'audio_isolation'],
    [`${ISOLATION}/stream`, { audio: FILE }, 'audio_isolation'],
  ])('%s costs the credits that its head says (%#)', async (path, fields, model) => {
    const request = await readFields(path, fields);
    expect(request).toMatchObject({ model, needs: ['credits'], bound: { kind: 'ceiling' } });
    const meter = accepted(request.meter(), { 'character-cost': '1333.5' });
    expect(reported(meter)).toEqual({ credits: 1333.5 });
    expect(meter.reading()).toMatchObject({ state: 'final', evidence: 'header' });
    expect(meter.reading().providerUnits?.quantity.toDecimal()).toBe('1333.5');
  });

  it('report nothing where the head says nothing', async () =>
    expect(accepted((await readFields(ISOLATION, { audio: FILE })).meter()).reading()).toMatchObject({
      state: 'none',
      quantities: [],
    }));

  it.each([
    ['a model named twice', CHANGE, { model_id: ['a', 'b'] }],
    ['a model that is a file', CHANGE, { model_id: FILE }],
    ['a model without a name', CHANGE, { model_id: '' }],
  ])('refuse %s', async (_, path, fields) =>
    expect(readFields(path, fields)).rejects.toMatchObject({ code: 'invalid_body' }),
  );

  it('refuse what is no form', () =>
    expect(
      elevenlabs.routes
        .flatMap((route) => (route.class === 'metered' ? [route] : []))
        .find(({ path }) => path === ISOLATION)
        ?.read({
          body: Buffer.from('{}'),
          params: {},
          query: new URLSearchParams(),
          contentType: 'application/json',
        }),
    ).rejects.toMatchObject({ code: 'invalid_body' }));
});

describe('elevenlabs transcripts', () => {
  const SCRIBE = { model_id: 'scribe_v1', file: FILE };
  const ENTITIES = { entity_redaction: 'pii', entity_detection: 'pii', keyterms: 'a' };

  it.each([
    ['no model', { file: FILE }],
    ['two models', { ...SCRIBE, model_id: ['scribe_v1', 'scribe_v2'] }],
    ['a webhook', { ...SCRIBE, webhook: 'true' }],
    ['a webhook in other words', { ...SCRIBE, webhook: 'Yes' }],
    ['two words on webhooks', { ...SCRIBE, webhook: ['false', 'true'] }],
  ])('refuse %s', async (_, fields) =>
    expect(readFields(TRANSCRIPT, fields)).rejects.toMatchObject({ code: 'invalid_body' }),
  );

  it.each([
    ['plain', {}, 'standard'],
    ['no webhook', { webhook: 'false' }, 'standard'],
    ['one key term', { keyterms: 'Vendo' }, 'keyterms'],
    ['several key terms', { keyterms: ['Vendo', 'micros'] }, 'keyterms'],
    ['entities', { entity_detection: 'all' }, 'entities'],
    ['both', { entity_detection: 'pii', keyterms: 'a' }, 'keyterms+entities'],
    ['all three', ENTITIES, 'keyterms+entities+redaction'],
    ['an edit', { transcript_edit: 'No names.' }, 'edit'],
    ['roles', { detect_speaker_roles: 'true', diarize: 'true' }, 'roles'],
    ['roles in other words', { detect_speaker_roles: '1' }, 'roles'],
    ['roles that are off', { detect_speaker_roles: 'false', diarize: 'true' }, 'standard'],
    [
      'all but entities',
      { detect_speaker_roles: 'True', transcript_edit: 'a', keyterms: 'a' },
      'keyterms+edit+roles',
    ],
    ['all but an edit', { ...ENTITIES, detect_speaker_roles: 'on' }, 'keyterms+entities+redaction+roles'],
  ])('%s: the tier says what raises the price', async (_, fields, tier) =>
    expect(await readFields(TRANSCRIPT, { ...SCRIBE, ...fields })).toMatchObject({
      model: 'scribe_v1',
      tier,
      needs: ['audio_seconds'],
      bound: { kind: 'ceiling' },
      accountObjects: [],
    }),
  );

  it("names the workspace's voices as the account's", async () =>
    expect((await readFields(TRANSCRIPT, { ...SCRIBE, use_speaker_library: 'true' })).accountObjects).toEqual(
      ['use_speaker_library'],
    ));

  const meterOf = async () =>
    accepted((await readFields(TRANSCRIPT, SCRIBE)).meter(), { 'character-cost': '7' });

  it.each([
    ['the length of each channel', fixture('transcript-two-channels.json'), 122.5, 'final'],
    [
      'the length of each channel in one transcript',
      fixture('transcript-channels-combined.json'),
      25,
      'final',
    ],
    ['the end of the last word', fixture('transcript-without-length.json'), 2.817, 'partial'],
    [
      'the lengths that channels say themselves',
      '{"transcripts":[{"audio_duration_secs":2},{"audio_duration_secs":3.5}]}',
      5.5,
      'final',
    ],
    [
      'an estimate where one channel says none',
      '{"transcripts":[{"audio_duration_secs":2},{"words":[{"end":1.5}]}]}',
      3.5,
      'partial',
    ],
    [
      'more digits than a float adds up',
      '{"transcripts":[{"audio_duration_secs":0.1},{"audio_duration_secs":0.2}]}',
      0.3,
      'final',
    ],
  ])('are billed by %s', async (_, body, seconds, state) => {
    const meter = await meterOf();
    meter.onBody(JSON.parse(body));
    expect(reported(meter)).toEqual({ audio_seconds: seconds });
    expect(meter.reading().state).toBe(state);
    expect(meter.reading().providerUnits?.quantity.toDecimal()).toBe('7');
  });

  it.each(['{}', '{"words":[]}', '[]', '{"audio_duration_secs":-1}', '{"words":[{"end":"2"}]}'])(
    'report nothing in %s',
    async (body) => {
      const meter = await meterOf();
      meter.onBody(JSON.parse(body));
      expect(meter.reading()).toMatchObject({ state: 'none', quantities: [] });
    },
  );

  it.each([
    ['in the middle of a word', fixture('transcript-without-length.json').slice(0, -150), 1.999],
    ['in the middle of a number', '{"words":[{"end":1.5},{"end":2.7', 1.5],
    ['behind the length', fixture('transcript-two-channels.json').slice(0, 80), 61.25],
    ['before anything', '{"language_code":"en', 0],
  ])('that break off %s are counted by what came', async (_, torn, seconds) => {
    const meter = await meterOf();
    meter.onTornBody(torn);
    const [line] = meter.counted().quantities;
    expect(Number(line?.quantity.toDecimal() ?? 0)).toBe(seconds);
  });
});

it('elevenlabs meters never throw, whatever comes', async () => {
  const meters = [() => read(SPEECH, { text: 'a' }).meter(), () => read(SOUND, { text: 'a' }).meter()];
  const transcript = await readFields(TRANSCRIPT, { model_id: 'scribe_v1' });
  const odd = fc.oneof(
    fc.jsonValue(),
    fc.double(),
    fc.array(fc.record({ end: fc.jsonValue(), channel_index: fc.jsonValue() })),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...meters, () => transcript.meter()),
      fc.record({
        words: odd,
        audio_duration_secs: odd,
        transcripts: fc.oneof(odd, fc.array(fc.record({ words: odd }))),
      }),
      fc.string(),
      (open, body, junk) => {
        const meter = open();
        meter.onHead?.({ 'character-cost': junk });
        meter.onTornBody(junk);
        meter.onBody(body);
        for (const { quantity } of meter.counted().quantities) expect(quantity.isNegative()).toBe(false);
      },
    ),
  );
});

describe('elevenlabs routes', () => {
  const classOf = (method: string, target: string) =>
    matchRoute(elevenlabs, method, target)?.route.class ?? 'blocked';

  it.each([
    ['POST', `${SPEECH}?output_format=mp3_44100_128`, 'metered', 'text-to-speech'],
    ['POST', `${SPEECH}/stream`, 'metered', 'text-to-speech.stream'],
    ['POST', `${SPEECH}/with-timestamps`, 'metered', 'text-to-speech.with-timestamps'],
    ['POST', `${SPEECH}/stream/with-timestamps`, 'metered', 'text-to-speech.stream.with-timestamps'],
    ['POST', `${DIALOGUE}/stream/with-timestamps`, 'metered', 'text-to-dialogue.stream.with-timestamps'],
    ['POST', `${ISOLATION}/stream`, 'metered', 'audio-isolation.stream'],
    ['POST', TRANSCRIPT, 'metered', 'speech-to-text'],
    ['GET', '/v1/voices/settings/default', 'free', 'voices.settings.default'],
    ['GET', '/v1/voices/abc/settings', 'free', 'voices.settings'],
    ['GET', '/v2/voices?page_size=2', 'free', 'voices.search'],
    ['GET', '/v1/shared-voices', 'free', 'shared-voices.list'],
  ])('%s %s is %s', (method, target, kind, name) => {
    expect(matchRoute(elevenlabs, method, target)?.route).toMatchObject({ class: kind, name });
  });

  it.each([
    ['GET', SPEECH],
    ['POST', `${SPEECH}/`],
    ['POST', `${SPEECH}/stream-input`],
    ['POST', `${SPEECH}/stream%2Fwith-timestamps`],
    ['POST', `${SPEECH}/stream%2fwith-timestamps`],
    ['POST', `/${SPEECH}`],
    ['POST', '/v1/text-to-speech//stream'],
    ['POST', '/V1/text-to-speech/voice-1'],
    ['POST', '/v1/text-to-speech/a%2e%2e'],
    ['POST', '/v1/text-to-speech'],
    ['POST', '/v1/speech-to-text/'],
    ['GET', '/v1/speech-to-text/transcripts/tr_1'],
    ['DELETE', '/v1/speech-to-text/transcripts/tr_1'],
    ['POST', '/v1/text-to-voice/design'],
    ['POST', '/v1/music'],
    ['POST', '/v1/forced-alignment'],
    ['POST', '/v1/voices/add'],
    ['POST', '/v1/voices/pvc'],
    ['DELETE', '/v1/voices/abc'],
    ['POST', '/v1/voices/abc/edit'],
    ['GET', '/v1/voices/abc/samples/s/audio'],
    ['GET', '/v1/user/subscription'],
    ['GET', '/v1/user'],
    ['GET', '/v1/usage/character-stats'],
    ['GET', '/v1/history'],
    ['GET', '/v1/history/h1/audio'],
    ['GET', '/v1/workspace/resources'],
    ['POST', '/v1/single-use-token/realtime_scribe'],
    ['POST', '/v1/convai/agents/create'],
    ['POST', '/v1/dubbing'],
    ['POST', '/v1/studio/projects'],
    ['POST', '/v1/pronunciation-dictionaries/add-from-file'],
    ['POST', '/v1/service-accounts'],
  ])('%s %s is blocked', (method, target) => expect(classOf(method, target)).toBe('blocked'));
});

it('elevenlabs takes the credential in its own header', () => {
  const outgoing = { path: SPEECH, headers: { 'content-type': 'application/json' } };
  elevenlabs.authorize(outgoing, 'xi-1');
  expect(outgoing).toEqual({
    path: SPEECH,
    headers: { 'content-type': 'application/json', 'xi-api-key': 'xi-1' },
  });
});

it.each(['eleven_flash_v2_5', 'scribe_v1_experimental', 'audio_isolation'])(
  '%s is priced as itself only',
  (model) => expect(elevenlabs.rateKeys(model)).toEqual([model]),
);
