import type { Totals, Windows, WindowTotals } from '@vendo/events';
import { type Micros, microsToWire } from '@vendo/money';
import {
  available,
  type CapLimits,
  type Correct,
  capsOf,
  type Expire,
  type Grant,
  type Hold,
  isCharged,
  isOpen,
  maxAgeMs,
  NO_CAPS,
  type Reserve,
  type SetCap,
  type Settle,
  type Wallet,
  type WalletCommand,
  type WalletEvent,
  type WindowUse,
  windowUse,
} from './wallet.js';
import { PERIODS, secondsToEnd, windowsAt } from './windows.js';

export interface Refusal {
  code:
    | 'spend_cap_daily'
    | 'spend_cap_monthly'
    | 'balance_exhausted'
    | 'hold_conflict'
    | 'hold_ended'
    | 'idempotency_conflict';
  /** Seconds to the end of the capped window. */
  retryAfter?: number;
}

/** What a command leads to. No events and no refusal: it had been done before. A refusal may have something to tell (CapTripped). */
export interface Decision {
  events: WalletEvent[];
  refusal?: Refusal;
}

/** A report that contradicts what the ledger knows: it is parked, never applied. */
export class MisdirectedError extends Error {
  override name = 'MisdirectedError';
}

/** A correction of what is not charged yet: it comes again when it is. */
export class UnchargedError extends Error {
  override name = 'UnchargedError';
}

/** The reason under which such a correction waits in the park. */
export const UNCHARGED = 'its hold is not charged yet';

const NOTHING: Decision = { events: [] };

/**
 * Decides one command on one wallet. Pure: reads the draft, changes nothing.
 * @param nowMs the batch's clock, milliseconds since the epoch.
 * Throws MisdirectedError for a report on another tenant's hold or a correction that gives back more than was charged,
 * UnchargedError for one of a hold that is not charged, RangeError where micros leave the wire's range.
 */
export function decide(wallet: Wallet, command: WalletCommand, nowMs: number): Decision {
  switch (command.type) {
    case 'reserve':
      return decideReserve(wallet, command, nowMs);
    case 'settle':
      return decideSettle(wallet, command, nowMs);
    case 'expire':
      return decideExpire(wallet, command, nowMs);
    case 'correct':
      return decideCorrect(wallet, command);
    case 'grant':
      return decideGrant(wallet, command);
    case 'set-caps':
      return decideSetCaps(wallet, command, nowMs);
  }
}

function decideReserve(wallet: Wallet, reserve: Reserve, nowMs: number): Decision {
  const known = wallet.holds.get(reserve.holdId);
  if (known) return answerKnown(wallet, known, reserve);
  const windows = windowsAt(nowMs);
  const uses = usesOf(wallet, reserve.subject, windows);
  const caps = capsOf(wallet, reserve.subject);
  for (const use of uses) {
    const cap = caps[use.period];
    if (cap !== null && use.spent + use.held + reserve.amount > cap)
      return refuseByCap(wallet, use, cap, nowMs);
  }
  if (wallet.balance <= 0n || available(wallet) < reserve.amount) return refuse('balance_exhausted');
  const after = moved(uses, 0n, reserve.amount);
  return { events: open(wallet, reserve, windows, after, caps, nowMs) };
}

function answerKnown(wallet: Wallet, known: Hold, reserve: Reserve): Decision {
  if (known.tenantId !== wallet.tenantId) return refuse('hold_conflict');
  if (!isOpen(known)) return refuse('hold_ended');
  const same =
    known.amount === reserve.amount &&
    known.subject === reserve.subject &&
    known.spoolId === reserve.spoolId &&
    known.rateVersion === reserve.rateVersion;
  return same ? NOTHING : refuse('hold_conflict');
}

function refuse(code: Refusal['code']): Decision {
  return { events: [], refusal: { code } };
}

function refuseByCap(wallet: Wallet, use: WindowUse, cap: Micros, nowMs: number): Decision {
  const caps = capsOf(wallet, use.subject);
  const told: WalletEvent[] = use.tripped
    ? []
    : [{ type: 'CapTripped.v1', data: capCrossed(use, cap, totals(wallet, 0n, 0n, [use], caps)) }];
  return {
    events: told,
    refusal: { code: `spend_cap_${use.period}`, retryAfter: secondsToEnd(use.period, nowMs) },
  };
}

/** @param uses of the windows with this hold in them. */
function open(
  wallet: Wallet,
  { holdId, subject, amount, spoolId, rateVersion }: Reserve,
  windows: Windows,
  uses: WindowUse[],
  caps: CapLimits,
  nowMs: number,
): WalletEvent[] {
  const after = totals(wallet, 0n, amount, uses, caps);
  const opened: WalletEvent = {
    type: 'HoldOpened.v1',
    data: {
      hold_id: holdId,
      subject,
      amount_micros: microsToWire(amount),
      windows,
      spool_id: spoolId,
      rate_version: rateVersion,
      reserved_at: new Date(nowMs).toISOString(),
      after,
    },
  };
  return [opened, ...warnings(uses, caps, after)];
}

function decideSettle(wallet: Wallet, settle: Settle, nowMs: number): Decision {
  if (settle.cost < 0n) throw new MisdirectedError('negative cost');
  const hold = wallet.holds.get(settle.holdId);
  if (!hold) {
    const windows = windowsAt(nowMs);
    // Never seen: money that was spent is charged; a release is recorded, so that a reserve still on its way is refused.
    return settle.cost > 0n
      ? { events: end(wallet, settle, 'late', 0n, windows, 'never_seen') }
      : { events: end(wallet, settle, 'released', 0n, windows, settle.outcome) };
  }
  if (hold.tenantId !== wallet.tenantId) throw new MisdirectedError('the hold is of another tenant');
  const charge = { ...settle, subject: hold.subject };
  if (isOpen(hold)) {
    const how = settle.cost > 0n ? 'settled' : 'released';
    return { events: end(wallet, charge, how, hold.amount, hold.windows, settle.outcome) };
  }
  if (settle.cost === 0n || hold.ended === 'settled' || hold.late) return NOTHING;
  return { events: end(wallet, charge, 'late', 0n, hold.windows, `after_${hold.ended}`) };
}

function decideExpire(wallet: Wallet, { holdId, reason }: Expire, nowMs: number): Decision {
  const hold = wallet.holds.get(holdId);
  if (!hold || !isOpen(hold)) return NOTHING;
  if (reason === 'spool_silent' && hold.job) return NOTHING;
  if (reason === 'max_age' && nowMs - hold.reservedAtMs < maxAgeMs(hold)) return NOTHING;
  const expiry = { holdId, subject: hold.subject, cost: 0n };
  return { events: end(wallet, expiry, 'expired', hold.amount, hold.windows, reason) };
}

/** Counted in the windows of the hold, whenever it comes. */
function decideCorrect(wallet: Wallet, { holdId, n, cost, reason }: Correct): Decision {
  const hold = wallet.holds.get(holdId);
  if (!hold) throw new UnchargedError(UNCHARGED);
  if (hold.tenantId !== wallet.tenantId) throw new MisdirectedError('the hold is of another tenant');
  if (hold.corrections.includes(n)) return NOTHING;
  if (!isCharged(hold)) throw new UnchargedError(UNCHARGED);
  if (hold.charged + cost < 0n) throw new MisdirectedError('more is given back than was charged');
  const { subject, windows } = hold;
  const uses = moved(usesOf(wallet, subject, windows), cost, 0n);
  const caps = capsOf(wallet, subject);
  const after = totals(wallet, -cost, 0n, uses, caps);
  const data = { hold_id: holdId, n, subject, cost_micros: microsToWire(cost), windows, reason, after };
  return { events: [{ type: 'Adjusted.v1', data }, ...warnings(uses, caps, after)] };
}

function end(
  wallet: Wallet,
  { holdId, subject, cost }: Pick<Settle, 'holdId' | 'subject' | 'cost'>,
  how: 'settled' | 'released' | 'expired' | 'late',
  amount: Micros,
  windows: Windows,
  reason: string,
): WalletEvent[] {
  const uses = moved(usesOf(wallet, subject, windows), cost, -amount);
  const caps = capsOf(wallet, subject);
  const after = totals(wallet, -cost, -amount, uses, caps);
  const ended: WalletEvent = {
    type: 'HoldEnded.v1',
    data: {
      hold_id: holdId,
      how,
      subject,
      amount_micros: microsToWire(amount),
      cost_micros: microsToWire(cost),
      windows,
      reason,
      after,
    },
  };
  return [ended, ...warnings(uses, caps, after)];
}

function decideGrant(wallet: Wallet, grant: Grant): Decision {
  const before = wallet.credits.get(grant.idempotencyKey);
  if (before) {
    const same =
      before.amount === grant.amount && before.source === grant.source && before.note === grant.note;
    return same ? NOTHING : refuse('idempotency_conflict');
  }
  const granted: WalletEvent = {
    type: 'CreditGranted.v1',
    data: {
      entry_id: grant.entryId,
      amount_micros: microsToWire(grant.amount),
      source: grant.source,
      note: grant.note,
      idempotency_key: grant.idempotencyKey,
      after: totals(wallet, grant.amount, 0n, [], NO_CAPS),
    },
  };
  return { events: [granted] };
}

function decideSetCaps(wallet: Wallet, { subject, daily, monthly }: SetCap, nowMs: number): Decision {
  const now = capsOf(wallet, subject);
  const next: CapLimits = {
    daily: daily === undefined ? now.daily : daily,
    monthly: monthly === undefined ? now.monthly : monthly,
  };
  if (next.daily === now.daily && next.monthly === now.monthly) return NOTHING;
  const uses = usesOf(wallet, subject, windowsAt(nowMs));
  const after = totals(wallet, 0n, 0n, uses, next);
  const set: WalletEvent = {
    type: 'CapSet.v1',
    data: {
      subject,
      daily_micros: wireOrNull(next.daily),
      monthly_micros: wireOrNull(next.monthly),
      after,
    },
  };
  return { events: [set, ...warnings(uses, next, after)] };
}

/** CapWarned for each window that now stands at 80 % of its cap or above and was not warned of before. */
function warnings(uses: WindowUse[], caps: CapLimits, after: Totals): WalletEvent[] {
  return uses.flatMap((use): WalletEvent[] => {
    const cap = caps[use.period];
    const used = use.spent + use.held;
    if (cap === null || use.warned || used === 0n || used * 100n < cap * 80n) return [];
    return [{ type: 'CapWarned.v1', data: capCrossed(use, cap, after) }];
  });
}

function capCrossed(use: WindowUse, cap: Micros, after: Totals) {
  return {
    subject: use.subject,
    period: use.period,
    window: use.window,
    cap_micros: microsToWire(cap),
    used_micros: microsToWire(use.spent + use.held),
    after,
  };
}

/** The subject's use of both windows, daily first. */
function usesOf(wallet: Wallet, subject: string, windows: Windows): WindowUse[] {
  return PERIODS.map((period) => windowUse(wallet, subject, period, windows[period]));
}

function moved(uses: readonly WindowUse[], spent: Micros, held: Micros): WindowUse[] {
  return uses.map((use) => ({ ...use, spent: use.spent + spent, held: use.held + held }));
}

/** @param caps of the subject whose windows are given. */
function totals(
  wallet: Wallet,
  balance: Micros,
  held: Micros,
  uses: readonly WindowUse[],
  caps: CapLimits,
): Totals {
  return {
    balance_micros: microsToWire(wallet.balance + balance),
    held_micros: microsToWire(wallet.held + held),
    windows: uses.map(
      ({ subject, period, window, spent, held: heldInWindow }): WindowTotals => ({
        subject,
        period,
        window,
        spent_micros: microsToWire(spent),
        held_micros: microsToWire(heldInWindow),
        cap_micros: wireOrNull(caps[period]),
      }),
    ),
  };
}

function wireOrNull(micros: Micros | null): number | null {
  return micros === null ? null : microsToWire(micros);
}
