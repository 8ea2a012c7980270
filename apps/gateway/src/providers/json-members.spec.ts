import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { topLevelMembers } from './json-members.js';

function values(body: Buffer): [string, unknown][] {
  return topLevelMembers(body, () => true).map(({ key, start, end }) => [
    key,
    JSON.parse(body.subarray(start, end).toString()),
  ]);
}

describe('topLevelMembers', () => {
  it('finds the members of any object, to the byte, however it is spaced', () =>
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue()),
        fc.constantFrom(undefined, 2, '\t'),
        (object, indent) => {
          const text = JSON.stringify(object, null, indent);
          const expected = Object.entries(JSON.parse(text) as object);
          const found = values(Buffer.from(text));
          expect(found).toEqual(expected);
        },
      ),
    ));

  it.each([
    ['a key twice', '{"a":1,"b":{"a":2},"a":3}', ['a', 'b', 'a']],
    ['an escaped key', '{"\\u0061":1,"x\\"y":2}', ['a', 'x"y']],
    ['strings that look like structure', '{"a":"},{\\"b\\":[","c":"\\\\"}', ['a', 'c']],
    ['letters beyond ASCII', '{"é":"日本","z":1}', ['é', 'z']],
    ['nothing', '{}', []],
  ])('sees %s', (_, text, keys) =>
    expect(topLevelMembers(Buffer.from(text), () => true).map(({ key }) => key)).toEqual(keys),
  );
});
