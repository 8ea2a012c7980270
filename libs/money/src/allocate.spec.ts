import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { allocate } from './allocate.js';
import { Rational } from './rational.js';

const part = fc
  .tuple(fc.bigInt({ min: 0n, max: 10n ** 15n }), fc.bigInt({ min: 1n, max: 10n ** 6n }))
  .map(([n, d]) => Rational.of(n, d));

const third = Rational.of(1n, 3n);
const half = Rational.of(1n, 2n);

describe('allocate', () => {
  it.each([
    ['ties go to the first', 1n, [third, third, third], [1n, 0n, 0n]],
    ['the largest fraction comes first', 3n, [Rational.of(7n, 5n), Rational.of(8n, 5n)], [1n, 2n]],
    ['whole parts keep what they are', 5n, [Rational.of(2n), Rational.of(3n)], [2n, 3n]],
    ['half to even down gives nobody the half', 0n, [half], [0n]],
    ['nothing is split over nothing', 0n, [], []],
  ])('%s', (_, total, parts, shares) => expect(allocate(total, parts)).toEqual(shares));

  it.each([
    ['too much', 3n, [Rational.ONE]],
    ['too little', 0n, [Rational.ONE]],
    ['something over nothing', 1n, []],
  ])('refuses a total that is not the rounding of its parts: %s', (_, total, parts) =>
    expect(() => allocate(total, parts)).toThrow(RangeError),
  );

  it('sums to the rounded total, and no share is a micro or more off its part', () =>
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 12 }), (parts) => {
        const total = parts.reduce((sum, one) => sum.plus(one), Rational.ZERO).roundHalfEven();
        const shares = allocate(total, parts);
        expect(shares.reduce((sum, share) => sum + share, 0n)).toBe(total);
        shares.forEach((share, index) => {
          const off = Rational.of(share).minus(parts[index] ?? Rational.ZERO);
          expect(off.compare(Rational.ONE)).toBe(-1);
          expect(off.compare(Rational.of(-1n))).toBe(1);
        });
      }),
    ));
});
