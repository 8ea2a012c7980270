import { z } from 'zod';
import { MicrosWire } from './gateway-events.js';

const Amount = MicrosWire.min(0);

export const CapPeriod = z.enum(['daily', 'monthly']);
export type CapPeriod = z.infer<typeof CapPeriod>;

/** The UTC windows that a hold counts in: `2026-11-21` and `2026-11`. */
export const Windows = z.strictObject({ daily: z.string(), monthly: z.string() });
export type Windows = z.infer<typeof Windows>;

/** One window of one cap subject after an event: what is spent and held in it, and its cap if there is one. */
export const WindowTotals = z.strictObject({
  subject: z.uuid(),
  period: CapPeriod,
  window: z.string(),
  spent_micros: Amount,
  held_micros: Amount,
  cap_micros: Amount.nullable(),
});
export type WindowTotals = z.infer<typeof WindowTotals>;

/** The tenant after an event. `balance` is settled credit (may be negative); `held` the sum of its open holds. */
export const Totals = z.strictObject({
  balance_micros: MicrosWire,
  held_micros: Amount,
  /** Only the windows that the event touched. */
  windows: z.array(WindowTotals),
});
export type Totals = z.infer<typeof Totals>;

const CapCrossed = z.strictObject({
  subject: z.uuid(),
  period: CapPeriod,
  window: z.string(),
  cap_micros: Amount,
  /** Spent plus held in the window when it was crossed. */
  used_micros: Amount,
  after: Totals,
});

/** What the ledger decides. Each is one row of the journal, with the shard's position and the tenant's seq. */
export const LEDGER_EVENTS = {
  /** Signed: a negative amount is a correction (`source` says which kind). */
  'CreditGranted.v1': z.strictObject({
    entry_id: z.uuid(),
    amount_micros: MicrosWire,
    source: z.string(),
    note: z.string().nullable(),
    idempotency_key: z.string(),
    after: Totals,
  }),
  'HoldOpened.v1': z.strictObject({
    hold_id: z.uuid(),
    subject: z.uuid(),
    amount_micros: Amount,
    windows: Windows,
    spool_id: z.uuid(),
    rate_version: z.int(),
    reserved_at: z.iso.datetime({ precision: 3 }),
    after: Totals,
  }),
  /**
   * `settled`: charged; `released`: cost 0 reported; `expired`: nobody reported in time; `late`: charged after it had
   * ended, or never seen before. `amount_micros` is what the hold held when it ended (0 when it was not open).
   * Exactly one of settled, released, expired per hold; at most one late.
   */
  'HoldEnded.v1': z.strictObject({
    hold_id: z.uuid(),
    how: z.enum(['settled', 'released', 'expired', 'late']),
    subject: z.uuid(),
    amount_micros: Amount,
    cost_micros: Amount,
    windows: Windows,
    reason: z.string().nullable(),
    after: Totals,
  }),
  /** A charge was corrected, once per hold and `n`; `cost_micros` is signed, negative gives back. */
  'Adjusted.v1': z.strictObject({
    hold_id: z.uuid(),
    n: z.int().min(1),
    subject: z.uuid(),
    cost_micros: MicrosWire,
    /** Those of the hold. */
    windows: Windows,
    reason: z.string(),
    after: Totals,
  }),
  'CapSet.v1': z.strictObject({
    subject: z.uuid(),
    daily_micros: Amount.nullable(),
    monthly_micros: Amount.nullable(),
    after: Totals,
  }),
  /** At 80 % of a cap, once per subject and window. */
  'CapWarned.v1': CapCrossed,
  /** When a reserve is refused by a cap, once per subject and window. */
  'CapTripped.v1': CapCrossed,
};
