import { type EventData, type Totals, type Windows } from '@vendo/events';
import { type Micros, microsFromWire } from '@vendo/money';
import { type Hold, type Wallet, type WalletEvent, type WindowUse, windowKey, windowUse } from './wallet.js';

/**
 * Applies a fact to a draft of its wallet, in place, and returns it. Total: a fact cannot be refused.
 * Balance, held and windows are taken from the totals that the fact carries, so memory, tables and journal agree.
 */
export function evolve(wallet: Wallet, event: WalletEvent): Wallet {
  wallet.seq += 1;
  takeTotals(wallet, event.data.after);
  switch (event.type) {
    case 'CreditGranted.v1':
      rememberCredit(wallet, event.data);
      break;
    case 'HoldOpened.v1':
      wallet.holds.set(event.data.hold_id, openedHold(wallet.tenantId, event.data));
      break;
    case 'HoldEnded.v1':
      wallet.holds.set(
        event.data.hold_id,
        endedHold(wallet.tenantId, wallet.holds.get(event.data.hold_id), event.data),
      );
      break;
    case 'Adjusted.v1':
      wallet.holds.set(
        event.data.hold_id,
        adjustedHold(wallet.tenantId, wallet.holds.get(event.data.hold_id), event.data),
      );
      break;
    case 'CapSet.v1':
      wallet.caps.set(event.data.subject, {
        daily: orNull(event.data.daily_micros),
        monthly: orNull(event.data.monthly_micros),
      });
      break;
    case 'CapWarned.v1':
      mark(wallet, event.data, { warned: true });
      break;
    case 'CapTripped.v1':
      mark(wallet, event.data, { tripped: true });
      break;
  }
  return wallet;
}

export function openedHold(tenantId: string, data: EventData<'HoldOpened.v1'>): Hold {
  return {
    id: data.hold_id,
    tenantId,
    subject: data.subject,
    amount: microsFromWire(data.amount_micros),
    windows: data.windows,
    spoolId: data.spool_id,
    rateVersion: data.rate_version,
    reservedAtMs: Date.parse(data.reserved_at),
    ended: null,
    late: false,
    charged: 0n,
    corrections: [],
    job: null,
  };
}

/** @param before the hold as known until then; undefined for one that was never seen. */
export function endedHold(tenantId: string, before: Hold | undefined, data: EventData<'HoldEnded.v1'>): Hold {
  const hold = before ?? unseenHold(tenantId, data);
  const charged = hold.charged + microsFromWire(data.cost_micros);
  return data.how === 'late' ? { ...hold, charged, late: true } : { ...hold, charged, ended: data.how };
}

/** @param before the hold as known until then. */
export function adjustedHold(
  tenantId: string,
  before: Hold | undefined,
  data: EventData<'Adjusted.v1'>,
): Hold {
  const hold = before ?? unseenHold(tenantId, data);
  return {
    ...hold,
    charged: hold.charged + microsFromWire(data.cost_micros),
    corrections: [...hold.corrections, data.n],
  };
}

function unseenHold(tenantId: string, data: { hold_id: string; subject: string; windows: Windows }): Hold {
  return {
    id: data.hold_id,
    tenantId,
    subject: data.subject,
    amount: 0n,
    windows: data.windows,
    spoolId: null,
    rateVersion: 0,
    reservedAtMs: 0,
    ended: null,
    late: false,
    charged: 0n,
    corrections: [],
    job: null,
  };
}

function rememberCredit(wallet: Wallet, data: EventData<'CreditGranted.v1'>): void {
  wallet.credits.set(data.idempotency_key, {
    entryId: data.entry_id,
    amount: microsFromWire(data.amount_micros),
    source: data.source,
    note: data.note,
    balance: microsFromWire(data.after.balance_micros),
    seq: wallet.seq,
  });
}

function takeTotals(wallet: Wallet, after: Totals): void {
  wallet.balance = microsFromWire(after.balance_micros);
  wallet.held = microsFromWire(after.held_micros);
  for (const { subject, period, window, spent_micros, held_micros } of after.windows)
    wallet.windows.set(windowKey(subject, window), {
      ...windowUse(wallet, subject, period, window),
      spent: microsFromWire(spent_micros),
      held: microsFromWire(held_micros),
    });
}

function mark(
  wallet: Wallet,
  { subject, period, window }: EventData<'CapWarned.v1'>,
  told: Partial<WindowUse>,
): void {
  wallet.windows.set(windowKey(subject, window), { ...windowUse(wallet, subject, period, window), ...told });
}

function orNull(micros: number | null): Micros | null {
  return micros === null ? null : microsFromWire(micros);
}
