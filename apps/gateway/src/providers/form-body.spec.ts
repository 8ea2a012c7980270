import { expect, it } from '@jest/globals';
import { readForm } from './form-body.js';

const TYPE = 'multipart/form-data; boundary=x';

function form(...parts: readonly [head: string, value: string][]): Buffer {
  const bytes = parts.map(
    ([head, value]) => `--x\r\ncontent-disposition: form-data; ${head}\r\n\r\n${value}\r\n`,
  );
  return Buffer.from(`${bytes.join('')}--x--\r\n`);
}

it('reads fields that stand before or behind the file', async () => {
  const read = await readForm(
    form(['name="model"', 'whisper-1'], ['name="file"; filename="a.mp3"', 'abc'], ['name="language"', 'en']),
    TYPE,
  );
  expect([read.text('model'), read.text('language'), read.text('prompt')]).toEqual(['whisper-1', 'en', null]);
  expect([read.bytesOf('file'), read.bytesOf('model'), read.has('file'), read.has('other')]).toEqual([
    3,
    0,
    true,
    false,
  ]);
});

it('refuses a field that is named twice, and a file where text is due', async () => {
  const twice = await readForm(form(['name="model"', 'a'], ['name="model"', 'b']), TYPE);
  expect(() => twice.text('model')).toThrow('"model" more than once');
  const file = await readForm(form(['name="model"; filename="m"', 'a']), TYPE);
  expect(() => file.text('model')).toThrow('"model" is a file');
});

it.each([
  ['no form', form(['name="model"', 'a']), 'application/json'],
  ['no boundary', form(['name="model"', 'a']), 'multipart/form-data'],
  ['another boundary', form(['name="model"', 'a']), 'multipart/form-data; boundary=y'],
  ['an end that is missing', form(['name="model"', 'a']).subarray(0, -8), TYPE],
])('refuses a body with %s', async (_, body, type) => {
  await expect(readForm(body, type)).rejects.toMatchObject({ code: 'invalid_body' });
});
