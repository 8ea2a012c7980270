import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { formOf, type SandboxUnderTest, sandboxUnderTest } from '../sandbox-under-test.js';

const TTS = '/v1/text-to-speech/21m00Tcm4TlvDq8ikWAM';
const STT = '/v1/speech-to-text';

describe('the ElevenLabs of the sandbox', () => {
  let sandbox: SandboxUnderTest;
  beforeAll(async () => {
    sandbox = await sandboxUnderTest({ 'xi-api-key': 'el' });
  });
  afterAll(() => sandbox.close());

  it.each(['', '/stream'])('speaks at %p, and says what it cost before the first byte', async (end) => {
    const answer = await sandbox.post(TTS + end, { text: 'Olá mundo👋' });
    expect(answer.headers.get('content-type')).toBe('audio/mpeg');
    expect(answer.headers.get('character-cost')).toBe('10');
    expect(answer.headers.get('request-id')).not.toBeNull();
    expect((await answer.arrayBuffer()).byteLength).toBe(10 * 417);
  });

  it.each([
    ['eleven_multilingual_v2', 10],
    ['eleven_flash_v2_5', 5],
    ['sandbox-nousage', null],
  ])('with %s the header says %p', async (model_id, credits) => {
    const answer = await sandbox.post(TTS, { text: 'Olá mundo👋', model_id });
    expect(answer.headers.get('character-cost')).toBe(credits === null ? null : String(credits));
    await answer.arrayBuffer();
  });

  it('says when each character is heard, in one object or in lines', async () => {
    const whole = await (await sandbox.post(`${TTS}/with-timestamps`, { text: 'Say hello' })).json();
    expect(whole.alignment.characters.join('')).toBe('Say hello');
    const answer = await sandbox.post(`${TTS}/stream/with-timestamps`, { text: 'Say hello' });
    const lines = (await answer.text())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ alignment }) => alignment.characters.join(''))).toEqual(['Say ', 'hello']);
    expect(lines.at(-1)?.alignment.character_end_times_seconds.at(-1)).toBe(
      whole.alignment.character_end_times_seconds.at(-1),
    );
    expect(Buffer.from(lines[0]?.audio_base64, 'base64')).toHaveLength(4 * 417);
  });

  it('makes sounds, by length where one is asked for', async () => {
    const costOf = async (body: object) => {
      const answer = await sandbox.post('/v1/sound-generation', { text: 'a door', ...body });
      await answer.arrayBuffer();
      return answer.headers.get('character-cost');
    };
    expect([await costOf({}), await costOf({ duration_seconds: 2.5 })]).toEqual(['200', '100']);
  });

  describe('hears', () => {
    it('a file, for as long as its size says', async () => {
      const answer = await sandbox.post(STT, formOf({ model_id: 'scribe_v1' }, 67_200));
      expect(answer.headers.get('character-cost')).toBe('5');
      const { audio_duration_secs, words } = await answer.json();
      expect([audio_duration_secs, words.at(-1).end]).toEqual([4.2, 4.2]);
    });

    it('what no field tells the length of', async () => {
      const answer = await sandbox.post(STT, formOf({ model_id: 'sandbox-nousage' }, 67_200));
      expect(await answer.json()).not.toHaveProperty('audio_duration_secs');
    });

    it('each channel by itself', async () => {
      const form = formOf({ model_id: 'sandbox-seconds10', use_multi_channel: 'true' }, 100);
      const answer = await sandbox.post(STT, form);
      expect(answer.headers.get('character-cost')).toBe('20');
      expect((await answer.json()).transcripts).toMatchObject([{ channel_index: 0 }, { channel_index: 1 }]);
    });

    it('nothing without a file or a link', async () => {
      const form = new FormData();
      form.append('model_id', 'scribe_v1');
      expect((await sandbox.post(STT, form)).status).toBe(422);
      form.append('source_url', 'https://sounds.example/a.mp3');
      expect(await (await sandbox.post(STT, form)).json()).toMatchObject({ audio_duration_secs: 60 });
    });
  });

  it('lists models and voices', async () => {
    expect((await (await sandbox.get('/v1/models')).json())[0].model_id).toBe('eleven_multilingual_v2');
    for (const path of ['/v1/voices', '/v2/voices'])
      expect((await (await sandbox.get(path)).json()).voices).toHaveLength(2);
  });

  it.each([
    [{ text: '' }, 422, { detail: [{ type: 'missing' }] }],
    [{ text: 'a', model_id: 'sandbox-status402' }, 402, { detail: { code: 'paid_plan_required' } }],
    [{ text: 'a', model_id: 'sandbox-status429' }, 429, { detail: { code: 'too_many_concurrent_requests' } }],
  ])('tells what is wrong with %j', async (body, status, error) => {
    const answer = await sandbox.post(TTS, body);
    expect([answer.status, await answer.json()]).toMatchObject([status, error]);
  });

  it('stops in the middle of the sound', async () => {
    const answer = await sandbox.post(TTS, { text: 'a'.repeat(100), model_id: 'sandbox-chunks5-die2' });
    await expect(answer.arrayBuffer()).rejects.toThrow();
  });
});
