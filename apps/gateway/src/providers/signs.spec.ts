import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { NO_SIGN, Signs } from './signs.js';

const TEXTS = ['[DONE]', '"usage"', '.completed'];
const SIGNS = new Signs(TEXTS.map((text) => (text === '"usage"' ? { text, unless: ':null' } : { text })));
const piece = fc.oneof(
  fc.constantFrom(...TEXTS, '"usage":null', '[DON', 'E]', '"usag', 'e"', '.complete', 'd', '[', '"', ':nul'),
  fc.string({ maxLength: 12 }),
  fc.constantFrom('é', '🌍'),
);

/** Where the first of them stands, searched for in the whole; -1: there is none. */
function placeIn(bytes: Buffer): number {
  const found = /\[DONE\]|"usage"(?!:null)|\.completed/.exec(bytes.toString('latin1'));
  return found?.index ?? NO_SIGN;
}

/** Looked for in each chunk when it comes, as a stream is read. */
function placeInChunks(bytes: Buffer, sizes: readonly number[]): number {
  let from = 0;
  for (const size of [...sizes, bytes.length]) {
    const to = Math.min(from + size, bytes.length);
    const place = SIGNS.find(bytes, from, to);
    if (place !== NO_SIGN) return place;
    from = to;
  }
  return NO_SIGN;
}

it('a sign is found, and nothing else, in bytes that come at once', () =>
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
      const bytes = Buffer.from(`${pieces.join('')} behind it`);
      expect(SIGNS.find(bytes, 0, bytes.length)).toBe(placeIn(bytes));
    }),
    { numRuns: 2_000 },
  ));

it('a sign is not missed, wherever the bytes are cut', () =>
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 60 }),
      (pieces, sizes) => {
        const bytes = Buffer.from(`${pieces.join('')} behind it`);
        const place = placeIn(bytes);
        const found = placeInChunks(bytes, sizes);
        // What may become a sign counts as one, so it may be found earlier.
        if (place !== NO_SIGN) expect(found).toBeGreaterThan(NO_SIGN);
        if (place !== NO_SIGN) expect(found).toBeLessThanOrEqual(place);
      },
    ),
    { numRuns: 2_000 },
  ));

it('what stands in a string of bulk is passed over', () => {
  const signs = new Signs([{ text: '[DONE]' }, { text: '"audio":"', opensBulk: true }]);
  const bytes = Buffer.from('{"audio":"AAAA[DONE]AAAA","x":1} [DONE]');
  expect(signs.find(bytes, 0, bytes.length)).toBe(bytes.lastIndexOf('[DONE]'));
});
