import type { Meter } from '@vendo/events';
import type { Rational } from '@vendo/money';

/** A price of one entry, before it is a line of the catalogue. */
export interface Price {
  meter: Meter;
  tier: string;
  contextFrom: number;
  usd: Rational;
  per: Rational;
  free: boolean;
  /** What the tool has done to the source's price, for the line's `source`. */
  notes: readonly string[];
}

/** Collects what is in an entry and not in its rows, and why. */
export type Say = (text: string) => void;
