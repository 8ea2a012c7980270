/**
 * An exact fraction of two bigints, always in lowest terms with a positive denominator.
 * Rates, margins and costs are rationals until the one rounding in `roundHalfEven`: no float touches money.
 */
export class Rational {
  static readonly ZERO = new Rational(0n, 1n);
  static readonly ONE = new Rational(1n, 1n);

  private constructor(
    readonly numerator: bigint,
    readonly denominator: bigint,
  ) {}

  /** `numerator / denominator` in lowest terms. Throws RangeError for a zero denominator. */
  static of(numerator: bigint, denominator = 1n): Rational {
    if (denominator === 1n) return new Rational(numerator, 1n);
    if (denominator === 0n) throw new RangeError('denominator is zero');
    if (denominator < 0n) return Rational.of(-numerator, -denominator);
    const divisor = gcd(numerator < 0n ? -numerator : numerator, denominator);
    return new Rational(numerator / divisor, denominator / divisor);
  }

  /**
   * Reads a decimal string such as `-1.25` or `2.5e-06`. Throws RangeError for anything else:
   * prices arrive as text, and a number that JavaScript has parsed already may have lost digits.
   */
  static parse(text: string): Rational {
    const match = /^([+-]?)(\d{1,40})(?:\.(\d{1,40}))?(?:[eE]([+-]?\d{1,3}))?$/.exec(text);
    if (!match) throw new RangeError(`not a decimal: ${JSON.stringify(text.slice(0, 60))}`);
    const [, sign, whole = '', fraction = '', exponent = '0'] = match;
    const digits = BigInt(whole + fraction);
    const scale = Number(exponent) - fraction.length;
    const value =
      scale >= 0 ? Rational.of(digits * 10n ** BigInt(scale)) : Rational.of(digits, 10n ** BigInt(-scale));
    return sign === '-' ? Rational.of(-value.numerator, value.denominator) : value;
  }

  /** Reads the `n/d` that `toString` writes. Throws RangeError for anything else. */
  static parseFraction(text: string): Rational {
    const match = /^(-?\d+)\/(\d+)$/.exec(text);
    if (!match?.[1] || !match[2])
      throw new RangeError(`not a fraction: ${JSON.stringify(text.slice(0, 60))}`);
    return Rational.of(BigInt(match[1]), BigInt(match[2]));
  }

  plus(other: Rational): Rational {
    if (this.denominator === other.denominator)
      return Rational.of(this.numerator + other.numerator, this.denominator);
    return Rational.of(
      this.numerator * other.denominator + other.numerator * this.denominator,
      this.denominator * other.denominator,
    );
  }

  minus(other: Rational): Rational {
    return this.plus(Rational.of(-other.numerator, other.denominator));
  }

  times(other: Rational): Rational {
    return Rational.of(this.numerator * other.numerator, this.denominator * other.denominator);
  }

  dividedBy(other: Rational): Rational {
    return Rational.of(this.numerator * other.denominator, this.denominator * other.numerator);
  }

  compare(other: Rational): -1 | 0 | 1 {
    const difference = this.numerator * other.denominator - other.numerator * this.denominator;
    return difference < 0n ? -1 : difference > 0n ? 1 : 0;
  }

  isNegative(): boolean {
    return this.numerator < 0n;
  }

  isZero(): boolean {
    return this.numerator === 0n;
  }

  /** The nearest integer; a tie goes to the even one, so that no bias builds up over many roundings. */
  roundHalfEven(): bigint {
    const floor = this.floor();
    const twiceRest = 2n * (this.numerator - floor * this.denominator);
    if (twiceRest < this.denominator) return floor;
    if (twiceRest > this.denominator) return floor + 1n;
    return floor % 2n === 0n ? floor : floor + 1n;
  }

  /** The largest integer that is not above this. */
  floor(): bigint {
    const quotient = this.numerator / this.denominator;
    return this.numerator < 0n && quotient * this.denominator !== this.numerator ? quotient - 1n : quotient;
  }

  /** The smallest integer that is not below this. */
  ceil(): bigint {
    return -Rational.of(-this.numerator, this.denominator).floor();
  }

  /** `n/d` in lowest terms; `parseFraction` reads it back. */
  toString(): string {
    return `${this.numerator}/${this.denominator}`;
  }

  /**
   * A plain decimal, exact when the denominator has no prime factor but 2 and 5.
   * Throws RangeError otherwise: write such a value as `toString` does.
   */
  toDecimal(): string {
    let places = 0;
    let scaled = this.denominator;
    let twos = 0;
    let fives = 0;
    for (; scaled % 2n === 0n; scaled /= 2n) twos += 1;
    for (; scaled % 5n === 0n; scaled /= 5n) fives += 1;
    if (scaled !== 1n) throw new RangeError(`${this} has no finite decimal form`);
    places = Math.max(twos, fives);
    const value = (this.numerator * 10n ** BigInt(places)) / this.denominator;
    const digits = (value < 0n ? -value : value).toString().padStart(places + 1, '0');
    const sign = value < 0n ? '-' : '';
    return places === 0 ? sign + digits : `${sign}${digits.slice(0, -places)}.${digits.slice(-places)}`;
  }
}

function gcd(a: bigint, b: bigint): bigint {
  let [high, low] = [a, b];
  while (low !== 0n) [high, low] = [low, high % low];
  return high === 0n ? 1n : high;
}
