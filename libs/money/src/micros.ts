import { Rational } from './rational.js';

/** An amount of money in micro-USD: 1,000,000 micros are one dollar. Always a bigint. */
export type Micros = bigint;

export const MICROS_PER_USD = Rational.of(1_000_000n);

/**
 * Micros as the JSON integer of our wire formats.
 * Throws RangeError beyond ±2^53-1 (about nine billion dollars), where a JSON integer stops being exact.
 */
export function microsToWire(micros: Micros): number {
  const wire = Number(micros);
  if (!Number.isSafeInteger(wire)) throw new RangeError(`${micros} micros do not fit a JSON integer`);
  return wire;
}

/** Micros from the JSON integer of our wire formats. Throws RangeError for anything that is not a safe integer. */
export function microsFromWire(wire: number): Micros {
  if (!Number.isSafeInteger(wire)) throw new RangeError(`${wire} is not a whole number of micros`);
  return BigInt(wire);
}

/** USD as a decimal string to micros; throws RangeError when the text is no decimal or finer than one micro. */
export function microsFromUsd(usd: string): Micros {
  const micros = Rational.parse(usd).times(MICROS_PER_USD);
  if (micros.denominator !== 1n) throw new RangeError(`${usd} USD is finer than one micro`);
  return micros.numerator;
}
