import { microsToWire, Rational } from '@vendo/money';
import type { WalletBalance } from '@vendo/read-models';

const MICROS_PER_CENT = 10_000n;

/** What can still be spent, in micros: settled credit minus open holds, never below zero. */
export function creditsRemaining({ balance, held }: WalletBalance): number {
  const remaining = balance - held;
  return microsToWire(remaining < 0n ? 0n : remaining);
}

/** The same in USD, rounded to cents half to even, and below zero where it is: a number only because the contract wants one. */
export function usdBalance({ balance, held }: WalletBalance): number {
  const cents = Rational.of(balance - held, MICROS_PER_CENT).roundHalfEven();
  // Parsed from its decimal text, so that the number is the nearest one to the exact amount.
  return Number(Rational.of(cents, 100n).toDecimal());
}

/** What `creditsRemaining` is made of, each as it is: settled credit may be below zero. */
export function balanceDetail({ balance, held, asOf }: WalletBalance) {
  return {
    settled_micros: microsToWire(balance),
    held_micros: microsToWire(held),
    as_of: asOf.toISOString(),
  };
}
