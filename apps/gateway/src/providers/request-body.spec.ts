import { expect, it } from '@jest/globals';
import { z } from 'zod';
import { readRequestBody } from './request-body.js';

const Schema = z.object({ model: z.string(), input: z.unknown().optional() });

function read(body: string | Buffer): unknown {
  return readRequestBody(Buffer.from(body), Schema);
}

it.each([
  ['names the model twice', '{"model":"a","model":"b"}', '"model" more than once'],
  ['names it twice, once escaped', '{"model":"a","mod\\u0065l":"b"}', '"model" more than once'],
  ['is no JSON', '{"model":"a"', 'not valid JSON'],
  ['has a key that is no string', '{"mod\\x":"a"}', 'not valid JSON'],
  ['is a list', '["model"]', 'not a JSON object'],
  ['is no text', Buffer.from([...Buffer.from('{"model":"a'), 0xff, ...Buffer.from('"}')]), 'not UTF-8'],
  ['has no model', '{}', '"model" is missing'],
  ['is nested 101 deep', `{"model":"a","input":${'['.repeat(100)}${']'.repeat(100)}}`, 'too deeply'],
  ['has over a million values', `{"model":"a","input":[${'0,'.repeat(1_000_000)}0]}`, 'too many values'],
])('a body that %s is refused', (_, body, message) =>
  expect(() => read(body)).toThrow(expect.objectContaining({ message: expect.stringContaining(message) })),
);

it('a body of 32 MiB that is all brackets stops nobody else for long', () => {
  const half = 16_000_000;
  const body = Buffer.from(`{"model":"a","input":${'['.repeat(half)}${']'.repeat(half)}}`);
  const beganAt = performance.now();
  expect(() => read(body)).toThrow('too deeply');
  // Parsed, it would take eight seconds.
  expect(performance.now() - beganAt).toBeLessThan(3_000);
});

it('brackets and commas in text are not counted', () => {
  const model = '[,'.repeat(600_000);
  expect(read(JSON.stringify({ model }))).toEqual({ model });
});

it('other keys may stand twice', () => {
  expect(read('{"a":1,"model":"m","a":2}')).toEqual({ model: 'm' });
});
