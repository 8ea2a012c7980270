import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { formOf, type SandboxUnderTest, sandboxUnderTest } from '../sandbox-under-test.js';

const BOT = '/bot100000:secret';

describe('the Telegram of the sandbox', () => {
  let sandbox: SandboxUnderTest;
  beforeAll(async () => {
    sandbox = await sandboxUnderTest({});
  });
  afterAll(() => sandbox.close());

  const call = async (method: string, body: unknown) => (await sandbox.post(`${BOT}/${method}`, body)).json();

  it.each(['getMe', 'GETME', 'test/getMe'])('knows itself by %s, by GET and POST', async (method) => {
    const expected = { ok: true, result: { is_bot: true, username: 'sandbox_bot' } };
    expect(await call(method, {})).toMatchObject(expected);
    expect(await (await sandbox.get(`${BOT}/${method}`)).json()).toMatchObject(expected);
  });

  it('sends a message, from JSON, a form or the query', async () => {
    const expected = { ok: true, result: { text: 'hi', chat: { id: 7, type: 'private' } } };
    expect(await call('sendMessage', { chat_id: 7, text: 'hi' })).toMatchObject(expected);
    expect(await (await sandbox.get(`${BOT}/sendMessage?chat_id=7&text=hi`)).json()).toMatchObject(expected);
    const form = formOf({ chat_id: '7', text: 'hi' }, 1);
    expect(await call('sendMessage', form)).toMatchObject(expected);
  });

  it('sends a photo, and gives a file back', async () => {
    const sent = await call('sendPhoto', formOf({ chat_id: '@news', caption: 'a cat' }, 2_000, 'photo'));
    expect(sent.result).toMatchObject({
      caption: 'a cat',
      photo: [{ file_size: 2_000 }],
      chat: { type: 'channel' },
    });
    const { result } = await call('getFile', { file_id: sent.result.photo[0].file_id });
    const file = await sandbox.get(`/file${BOT}/${result.file_path}`);
    expect([file.status, (await file.arrayBuffer()).byteLength > 0]).toEqual([200, true]);
  });

  it.each([
    ['sendMessage', { text: 'hi' }, 400, 'Bad Request: chat_id is empty'],
    ['sendMessage', { chat_id: 7 }, 400, 'Bad Request: message text is empty'],
    ['sendPhoto', { chat_id: 7 }, 400, 'Bad Request: there is no photo in the request'],
    ['getFile', {}, 400, 'Bad Request: invalid file_id'],
    ['setWebhook', {}, 404, 'Not Found'],
    ['constructor', {}, 404, 'Not Found'],
    ['sendMessage', { chat_id: '@sandbox_status403' }, 403, 'Forbidden: bot was blocked by the user'],
  ])('%s with %j is %d', async (method, body, error_code, description) => {
    const answer = await sandbox.post(`${BOT}/${method}`, body);
    expect([answer.status, await answer.json()]).toEqual([
      error_code,
      { ok: false, error_code, description },
    ]);
  });

  it('says in the body how long to wait', async () =>
    expect(await call('sendMessage', { chat_id: '@sandbox_status429', text: 'hi' })).toMatchObject({
      parameters: { retry_after: 5 },
    }));
});
