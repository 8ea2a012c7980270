import { MicrosWire } from '@vendo/events';
import { microsToWire, Rational } from '@vendo/money';
import type { WalletBalance } from '@vendo/read-models';
import { z } from 'zod';

export const BalanceView = z.strictObject({
  credits_remaining_micros: MicrosWire.min(0),
  currency: z.literal('USD'),
  top_up_url: z.string(),
  as_of_seq: z.int(),
  /** With `detail=1` only. */
  settled_micros: MicrosWire.optional(),
  held_micros: MicrosWire.min(0).optional(),
  as_of: z.iso.datetime({ precision: 3 }).optional(),
});

export const UsdBalanceView = z.strictObject({ balance_usd: z.number(), tenant_id: z.uuid() });

export const CliBalanceView = z.strictObject({ balance_usd: z.number() });

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
