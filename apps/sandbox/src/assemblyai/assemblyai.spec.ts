import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type SandboxUnderTest, sandboxUnderTest } from '../sandbox-under-test.js';

describe('the AssemblyAI of the sandbox', () => {
  let sandbox: SandboxUnderTest;
  beforeAll(async () => {
    sandbox = await sandboxUnderTest({ authorization: 'aai' });
  });
  afterAll(() => sandbox.close());

  const submit = async (body: object) =>
    (await sandbox.post('/v2/transcript', { audio_url: 'https://sounds.example/a.mp3', ...body })).json();
  const poll = async (id: string) => (await sandbox.get(`/v2/transcript/${id}`)).json();

  it('takes a file and hears it for as long as its size says', async () => {
    const upload = await fetch(`${sandbox.url}/v2/upload`, {
      method: 'POST',
      headers: { authorization: 'aai' },
      body: new Uint8Array(67_200),
    });
    const { upload_url } = (await upload.json()) as { upload_url: string };
    const { id, status, audio_duration } = await submit({ audio_url: upload_url, speaker_labels: true });
    expect([status, audio_duration]).toEqual(['queued', null]);
    expect(await poll(id)).toMatchObject({ status: 'processing', audio_duration: null, text: null });
    expect(await poll(id)).toMatchObject({
      status: 'completed',
      audio_duration: 5,
      speaker_labels: true,
      text: expect.any(String),
    });
    expect(await poll(id)).toMatchObject({ status: 'completed', audio_duration: 5 });
  });

  it('takes as many polls and seconds as the model name says, and names the model', async () => {
    const { id } = await submit({ speech_models: ['sandbox-polls1-seconds90'] });
    expect(await poll(id)).toMatchObject({
      status: 'completed',
      audio_duration: 90,
      speech_model_used: 'sandbox-polls1-seconds90',
    });
  });

  it('fails a job, with no length', async () => {
    const { id } = await submit({ speech_model: 'sandbox-polls1-failed' });
    expect(await poll(id)).toMatchObject({
      status: 'error',
      audio_duration: null,
      error: expect.any(String),
    });
  });

  it('tells sentences, paragraphs and subtitles of what is done only', async () => {
    const { id } = await submit({ speech_model: 'sandbox-polls1-seconds90' });
    const part = (name: string) => sandbox.get(`/v2/transcript/${id}/${name}`);
    expect((await part('sentences')).status).toBe(400);
    await poll(id);
    for (const name of ['sentences', 'paragraphs'])
      expect(await (await part(name)).json()).toMatchObject({
        id,
        audio_duration: 90,
        [name]: [{ end: 90_000 }],
      });
    expect(await (await part('srt')).text()).toContain('00:01:30,000');
    expect(await (await part('vtt')).text()).toContain('WEBVTT');
  });

  it.each([
    ['a link', '/v2/transcript', {}, 400],
    ['a free place', '/v2/transcript', { audio_url: 'a', speech_model: 'sandbox-status429' }, 429],
  ])('tells what is wrong without %s, in one text', async (_what, path, body, status) => {
    const answer = await sandbox.post(path, body);
    expect([answer.status, await answer.json()]).toEqual([status, { error: expect.any(String) }]);
  });

  it('does not know what it was never given', async () =>
    expect((await sandbox.get('/v2/transcript/none')).status).toBe(400));
});
