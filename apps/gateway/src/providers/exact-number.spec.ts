import { expect, it } from '@jest/globals';
import { exactNumber } from './exact-number.js';

const PATH = ['usage', 'cost'];

it.each([
  ['with all its digits', '{"usage":{"cost":0.0004970133333333333}}', '0.0004970133333333333'],
  [
    'with more digits than a float has',
    '{"usage":{"cost":0.12345678901234567891}}',
    '0.12345678901234567891',
  ],
  ['in powers of ten', '{"usage":{"cost": 1.4e-7 }}', '0.00000014'],
  ['behind white space', '\n  \n{"id":1, "usage" : {"a":2,"cost":3} }', '3'],
  ['that is zero', '{"usage":{"cost":0}}', '0'],
  [
    'not the one inside of something else',
    '{"x":{"usage":{"cost":1}},"usage":{"d":{"cost":2},"cost":3}}',
    '3',
  ],
  ['not the one in a text', '{"a":"\\"usage\\":{\\"cost\\":9}","usage":{"cost":3}}', '3'],
  ['the last of two', '{"usage":{"cost":1},"usage":{"cost":2}}', '2'],
])('a number is read %s', (_, json, expected) => expect(exactNumber(json, PATH)?.toDecimal()).toBe(expected));

it.each([
  ['{"usage":{"cost":0.12345678901234567891}}', '0.12345678901234567891'],
  ['{"a":"\\"cost\\":9","usage":{"cost" : 0.1e1\n}}', '1'],
  ['{"usage":{"cost":-1e-400}}', undefined],
  // Another one of that name, and one that reads otherwise.
  ['{"x":{"cost":9},"usage":{"cost":0.12345678901234567891}}', '0.12345678901234567891'],
  ['{"x":{"cost":9},"usage":{"co\\u0073t":0.12345678901234567891}}', '0.12345678901234567891'],
])('what was parsed helps to find it in %s', (json, expected) => {
  const said: number = JSON.parse(json).usage.cost;
  expect(exactNumber(json, PATH, said)?.toDecimal()).toBe(expected);
});

it.each([
  '{}',
  '{"usage":null}',
  '{"usage":{"cost":null}}',
  '{"usage":{"cost":"1"}}',
  '{"usage":{"cost":-1}}',
  '{"usage":{"cost":{}}}',
  '{"usage":[{"cost":1}]}',
  '[{"usage":{"cost":1}}]',
  'usage',
  `{"usage":{"cost":0.${'1'.repeat(60)}}}`,
  '['.repeat(200),
])('there is none in %s', (json) => expect(exactNumber(json, PATH)).toBeNull());
