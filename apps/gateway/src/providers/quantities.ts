import type { Meter } from '@vendo/events';
import { Rational } from '@vendo/money';
import type { Quantity } from '@vendo/pricing';

/** Counts by meter; undefined: not reported. */
export type Counts = Partial<Record<Meter, number | undefined>>;

/** Counts of one report by meter; null: reported as nonsense. */
export type ReportedCounts = Readonly<Record<string, number | null>>;

/** Those that were reported as counts. */
export function soundOnes(counts: ReportedCounts): Counts {
  const sound: Record<string, number> = {};
  for (const meter in counts) {
    const count = counts[meter];
    if (count !== null && count !== undefined) sound[meter] = count;
  }
  return sound;
}

/** Whether nothing in a report is nonsense. */
export function isSound(counts: ReportedCounts): boolean {
  for (const meter in counts) if (counts[meter] === null) return false;
  return true;
}

/**
 * An amount as providers report it, a number or a decimal in a string, exact: the shortest decimal that reads as the
 * number is the one that was written, up to 15 digits. Null for anything else, negative ones included.
 */
export function decimalOf(value: unknown): Rational | null {
  if (typeof value !== 'number' && typeof value !== 'string') return null;
  try {
    const amount = Rational.parse(String(value));
    return amount.isNegative() ? null : amount;
  } catch {
    return null;
  }
}

/** A zero of these is still said: the basic lines of a call. Any other meter at zero would only ask for a price in vain. */
const SAID_AT_ZERO: ReadonlySet<string> = new Set<Meter>(['input_tokens', 'output_tokens']);

/** Counts as quantities, in the order given. `of`: what all of them say besides, such as the model where it is not the event's. */
export function quantitiesOf(
  counts: Counts,
  of: Pick<Quantity, 'model' | 'rateKeys' | 'ownPrice' | 'included'> = {},
): Quantity[] {
  const quantities: Quantity[] = [];
  for (const meter in counts) {
    const count = counts[meter as Meter];
    if (count !== undefined && (count !== 0 || SAID_AT_ZERO.has(meter)))
      quantities.push({ meter: meter as Meter, quantity: Rational.of(BigInt(count)), ...of });
  }
  return quantities;
}

/** Unicode code points: what speech is billed by. Two units of UTF-16 that belong together are one, one alone is one too. */
export function codePointsOf(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
