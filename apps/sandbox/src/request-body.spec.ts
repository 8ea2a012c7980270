import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type SandboxUnderTest, sandboxUnderTest } from './sandbox-under-test.js';

const PHOTO = '/telegram/bot1:secret/sendPhoto';
const NAMED = 'content-disposition:form-data;name=';

describe('a form', () => {
  let sandbox: SandboxUnderTest;
  beforeAll(async () => {
    sandbox = await sandboxUnderTest({});
  });
  afterAll(() => sandbox.close());

  const send = async (body: string, type = 'multipart/form-data; boundary=----edge') =>
    (await fetch(sandbox.url + PHOTO, { method: 'POST', headers: { 'content-type': type }, body })).json();
  const form = (...parts: string[]): string =>
    `${parts.map((part) => `------edge\r\n${part}\r\n`).join('')}------edge--\r\n`;
  const sent = { ok: true, result: { chat: { id: 7 }, photo: [{ file_size: 5 }], caption: 'a\r\n--b' } };
  const file = `\r\ncontent-type:image/png\r\n\r\n12345`;

  it.each([
    ['quotes', `${NAMED}"photo"; filename="a b.png"${file}`],
    ['no quotes around the name of a file', `${NAMED}"photo";filename=a.png${file}`],
    ['no quotes at all', `${NAMED}photo;filename=a.png${file}`],
  ])('is read with %s', async (_how, photo) =>
    expect(
      await send(form(`${NAMED}"chat_id"\r\n\r\n7`, photo, `${NAMED}"caption"\r\n\r\na\r\n--b`)),
    ).toMatchObject(sent),
  );

  it('may be url-encoded', async () =>
    expect(
      await send('chat_id=7&photo=https%3A%2F%2Fa.example&caption=a', 'application/x-www-form-urlencoded'),
    ).toMatchObject({ ok: true, result: { caption: 'a' } }));

  it.each([
    ['is torn', form(`${NAMED}"chat_id"\r\n\r\n7`).slice(0, -12)],
    ['has no parts', 'nothing'],
    ['is empty', ''],
  ])('that %s is refused', async (_how, body) =>
    expect(await send(body)).toMatchObject({ ok: false, error_code: 400 }),
  );
});
