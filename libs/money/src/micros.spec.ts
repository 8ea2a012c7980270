import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { microsFromUsd, microsFromWire, microsToWire } from './micros.js';

describe('micros', () => {
  it.each([
    ['25', 25_000_000n],
    ['0.000001', 1n],
    ['-1.5', -1_500_000n],
    ['1e-6', 1n],
    ['0', 0n],
  ])('%s USD are %s micros', (usd, micros) => expect(microsFromUsd(usd)).toBe(micros));

  it.each(['0.0000001', '1.23456789', 'ten', ''])('refuses %p USD: no whole number of micros', (usd) =>
    expect(() => microsFromUsd(usd)).toThrow(RangeError),
  );

  it('crosses the wire unchanged up to 2^53 - 1, in both directions', () =>
    fc.assert(
      fc.property(fc.maxSafeInteger(), (wire) => {
        expect(microsToWire(microsFromWire(wire))).toBe(wire);
      }),
    ));

  it.each([2n ** 53n, -(2n ** 53n)])('refuses to write %s, which JSON would round', (micros) =>
    expect(() => microsToWire(micros)).toThrow(RangeError),
  );

  it.each([0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])('refuses to read %p', (wire) =>
    expect(() => microsFromWire(wire)).toThrow(RangeError),
  );
});
