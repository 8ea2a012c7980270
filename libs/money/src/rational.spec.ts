import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Rational } from './rational.js';

const integer = fc.bigInt({ min: -(10n ** 24n), max: 10n ** 24n });
const positive = fc.bigInt({ min: 1n, max: 10n ** 12n });
const rational = fc.tuple(integer, positive).map(([n, d]) => Rational.of(n, d));

describe('Rational', () => {
  it.each([
    ['0', '0/1'],
    ['-1.25', '-5/4'],
    ['+3', '3/1'],
    ['2.5e-06', '1/400000'],
    ['1E3', '1000/1'],
    ['0.1', '1/10'],
    ['-0.0', '0/1'],
    ['123456789012345678901234567890.5', '246913578024691357802469135781/2'],
  ])('reads %s exactly', (text, fraction) => expect(Rational.parse(text).toString()).toBe(fraction));

  it.each(['', ' 1', '1.', '.5', '1,5', '0x10', 'NaN', 'Infinity', '1e', '--1', '1e9999', '1/2'])(
    'refuses %p, which is no decimal',
    (text) => expect(() => Rational.parse(text)).toThrow(RangeError),
  );

  it.each(['1', '1/0', '1/-2', 'a/b', '1.5/2', ''])('refuses %p, which is no fraction', (text) =>
    expect(() => Rational.parseFraction(text)).toThrow(RangeError),
  );

  it.each([
    [Rational.of(1n, 2n), 0n],
    [Rational.of(3n, 2n), 2n],
    [Rational.of(5n, 2n), 2n],
    [Rational.of(-1n, 2n), 0n],
    [Rational.of(-3n, 2n), -2n],
    [Rational.of(1n, 3n), 0n],
    [Rational.of(2n, 3n), 1n],
    [Rational.of(-2n, 3n), -1n],
    [Rational.of(7n), 7n],
  ])('rounds %s to %s, half to even', (value, rounded) => expect(value.roundHalfEven()).toBe(rounded));

  it.each([
    [Rational.of(7n, 2n), 3n, 4n],
    [Rational.of(-7n, 2n), -4n, -3n],
    [Rational.of(4n, 2n), 2n, 2n],
    [Rational.of(-4n, 2n), -2n, -2n],
  ])('%s lies between its floor %s and its ceiling %s', (value, floor, ceil) => {
    expect(value.floor()).toBe(floor);
    expect(value.ceil()).toBe(ceil);
  });

  it('has no denominator of zero, and no division by zero', () => {
    expect(() => Rational.of(1n, 0n)).toThrow(RangeError);
    expect(() => Rational.ONE.dividedBy(Rational.ZERO)).toThrow(RangeError);
  });

  it('is always in lowest terms over a positive denominator', () =>
    fc.assert(
      fc.property(
        integer,
        integer.filter((d) => d !== 0n),
        positive,
        (n, d, k) => {
          const value = Rational.of(n * k, d * k);
          expect(value.denominator > 0n).toBe(true);
          expect(value.toString()).toBe(Rational.of(n, d).toString());
          expect(value.numerator * d).toBe(n * value.denominator);
        },
      ),
    ));

  it('adds, subtracts, multiplies and divides as fractions do', () =>
    fc.assert(
      fc.property(rational, rational, (a, b) => {
        expect(a.plus(b).minus(b)).toEqual(a);
        expect(a.plus(b)).toEqual(b.plus(a));
        if (!b.isZero()) expect(a.times(b).dividedBy(b)).toEqual(a);
        expect(a.compare(b)).toBe(a.minus(b).isNegative() ? -1 : a.minus(b).isZero() ? 0 : 1);
      }),
    ));

  it('rounds to the nearest integer, never further off than a half', () =>
    fc.assert(
      fc.property(rational, (value) => {
        const twiceOff = value.minus(Rational.of(value.roundHalfEven())).times(Rational.of(2n));
        expect(twiceOff.compare(Rational.ONE)).not.toBe(1);
        expect(twiceOff.compare(Rational.of(-1n))).not.toBe(-1);
      }),
    ));

  it('reads back what it writes, as a fraction always, as a decimal where there is one', () =>
    fc.assert(
      fc.property(rational, integer, fc.integer({ min: 0, max: 20 }), (value, digits, places) => {
        expect(Rational.parseFraction(value.toString())).toEqual(value);
        const decimal = Rational.of(digits, 10n ** BigInt(places));
        expect(Rational.parse(decimal.toDecimal())).toEqual(decimal);
      }),
    ));

  it('has no decimal for a third', () => expect(() => Rational.of(1n, 3n).toDecimal()).toThrow(RangeError));
});
