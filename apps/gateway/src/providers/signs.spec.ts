import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { IN_BULK, NO_SIGN, paired, Signs } from './signs.js';

/** Of six bytes at least, of seven and of nine: the shortest says how many pairs are passed over. */
const SETS = [
  ['[DONE]', '"usage"', '.completed'],
  [' [DONE]', '"usage"', '.completed'],
  ['"usage":{', 'data: [DONE]', 'se.completed'],
];

function signsOf(texts: readonly string[]): Signs {
  return new Signs(texts.map((text) => (text === '"usage"' ? { text, unless: ':null' } : { text })));
}

/** Signs, what may become one or has been one, and anything else. */
function piecesOf(texts: readonly string[]): fc.Arbitrary<string[]> {
  const torn = texts.flatMap((text) =>
    Array.from({ length: text.length - 1 }, (_, at) => [text.slice(0, at + 1), text.slice(at + 1)]).flat(),
  );
  const piece = fc.oneof(
    fc.constantFrom(...texts),
    fc.constantFrom(...torn),
    fc.constantFrom('"usage":null', ':nul', 'é', '🌍'),
    fc.string({ maxLength: 12 }),
  );
  return fc.array(piece, { maxLength: 20 });
}

/** Where the first of them stands, searched for in the whole; -1: there is none. */
function placeIn(bytes: Buffer, texts: readonly string[]): number {
  const text = bytes.toString('latin1');
  const counts = (place: number): boolean =>
    texts.some(
      (sign) =>
        text.startsWith(sign, place) &&
        !(sign === '"usage"' && text.startsWith(':null', place + sign.length)),
    );
  return Array.from(text, (_, place) => place).find(counts) ?? NO_SIGN;
}

/** Looked for in each chunk when it comes, as a stream is read: behind a chunk stands what was there before. */
function placeInChunks(signs: Signs, bytes: Buffer, sizes: readonly number[]): number {
  const room = paired(Buffer.alloc(bytes.length + 64, 'se."DOme'));
  let from = 0;
  for (const size of [...sizes, bytes.length]) {
    const to = Math.min(from + size, bytes.length);
    bytes.copy(room.bytes, from, from, to);
    const place = signs.find(room, from, to);
    if (place !== NO_SIGN) return place;
    from = to;
  }
  return NO_SIGN;
}

describe.each(SETS.map((texts) => ({ texts, signs: signsOf(texts) })))('$texts', ({ texts, signs }) => {
  it('a sign is found, and nothing else, in bytes that come at once, wherever they lie in memory', () =>
    fc.assert(
      fc.property(piecesOf(texts), fc.integer({ min: 0, max: 3 }), (pieces, offset) => {
        const bytes = Buffer.from(`${' '.repeat(offset)}${pieces.join('')} behind it`).subarray(offset);
        expect(signs.find(paired(bytes), 0, bytes.length)).toBe(placeIn(bytes, texts));
      }),
      { numRuns: 2_000 },
    ));

  it('a sign is found where the bytes lie, at an odd place as well', () =>
    fc.assert(
      fc.property(piecesOf(texts), fc.integer({ min: 0, max: 3 }), fc.nat(9), (pieces, offset, from) => {
        const text = `${pieces.join('')} behind it\n\n`;
        const bytes = Buffer.from(`${'x'.repeat(offset)}${text}`).subarray(offset);
        const place = placeIn(bytes, texts);
        const found = signs.findInPlace(bytes, from, bytes.length);
        if (place === NO_SIGN || place > from) expect(found).toBe(place);
      }),
      { numRuns: 2_000 },
    ));

  it('a sign is not missed, wherever the bytes are cut', () =>
    fc.assert(
      fc.property(
        piecesOf(texts),
        fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 60 }),
        (pieces, sizes) => {
          const bytes = Buffer.from(`${pieces.join('')} behind it`);
          const place = placeIn(bytes, texts);
          const found = placeInChunks(signs, bytes, sizes);
          // What may become a sign can count as one, so it may be found earlier.
          if (place !== NO_SIGN) expect(found).toBeGreaterThan(NO_SIGN);
          if (place !== NO_SIGN) expect(found).toBeLessThanOrEqual(place);
        },
      ),
      { numRuns: 2_000 },
    ));
});

it.each([{ text: 'data' }, { text: 'x'.repeat(49) }, { text: '"usage"', unless: 'x'.repeat(42) }])(
  'refuses a sign that is too short or too long to be found: %j',
  (sign) => {
    expect(() => new Signs([sign])).toThrow(RangeError);
  },
);

describe('a string of bulk', () => {
  const signs = new Signs([{ text: '[DONE]' }, { text: '"audio":"', opensBulk: true }]);

  it('what stands in it is passed over', () => {
    const bytes = Buffer.from('{"audio":"AAAA[DONE]AAAA","x":1} [DONE]');
    expect(signs.find(paired(bytes), 0, bytes.length)).toBe(bytes.lastIndexOf('[DONE]'));
  });

  const events = ['{"audio":"AAAA"}', '{"audio":"BBBBBB","x":1}', '{"x":1,"audio":"[DONE]"}'];
  const piece = fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(...events) },
    fc.constantFrom(
      '[DONE]',
      '{"x":"[DONE]","audio":"A"}',
      '{"audio":"A","x":"[DONE]"}',
      '{"audio":7,[DONE]"}',
    ),
  );

  it('a sign is found behind any row of them, like ones and others', () =>
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.integer({ min: 1, max: 6 }), (pieces, times) => {
        const text = pieces.flatMap((each) => Array(times).fill(each)).join('\n\n');
        // Strings of bulk are as long as they were.
        const seen = text.replaceAll(/"audio":"[^"]*("|$)/g, (all) => 'x'.repeat(all.length));
        const bytes = Buffer.from(text);
        const found = signs.find(paired(bytes), 0, bytes.length);
        expect(found === IN_BULK ? NO_SIGN : found).toBe(seen.indexOf('[DONE]'));
      }),
      { numRuns: 5_000 },
    ));

  it('what stood there before is not taken for what comes', () => {
    const room = paired(Buffer.from('{"audio":"A"}\n\n{"audio":"B"}\n\n{"audio":"C"} [DONE]'));
    const cut = room.bytes.lastIndexOf('dio":"C');
    expect(signs.find(room, 0, cut)).toBe(NO_SIGN);
  });

  it.each([40, 200_000])('its end is not looked for in what stands behind, %i bytes of it', (behind) => {
    const bytes = Buffer.from(`{"audio":"AAAA${'"[DONE]'.repeat(behind / 7)}`);
    expect(signs.find(paired(bytes), 0, 14)).toBe(IN_BULK);
  });
});
