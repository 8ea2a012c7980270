import type { Micros } from './micros.js';
import { Rational } from './rational.js';

/**
 * Splits a rounded total over the exact parts it was rounded from, by largest remainder:
 * each part gets its floor, and what is left goes one micro at a time to the largest fractions, ties in order.
 * Units: parts in micros, exact; the result sums to `total`, in the order of the parts.
 * Throws RangeError when `total` is not within one micro per part of the parts' sum: then it is not their rounding.
 */
export function allocate(total: Micros, parts: readonly Rational[]): Micros[] {
  const shares = parts.map((part) => part.floor());
  let left = total - shares.reduce((sum, share) => sum + share, 0n);
  if (left < 0n || left > BigInt(parts.length))
    throw new RangeError(`${total} is not the rounded sum of its parts`);
  const byRemainder = parts
    .map((part, index) => ({ index, rest: part.minus(Rational.of(part.floor())) }))
    .sort((a, b) => b.rest.compare(a.rest) || a.index - b.index);
  for (const { index } of byRemainder) {
    if (left === 0n) break;
    shares[index] = (shares[index] ?? 0n) + 1n;
    left -= 1n;
  }
  return shares;
}
