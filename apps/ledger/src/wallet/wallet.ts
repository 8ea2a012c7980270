import type { CapPeriod, EventData, Windows } from '@vendo/events';
import type { Micros } from '@vendo/money';
import { Layer } from './layer.js';

/** Null: no cap. */
export interface CapLimits {
  daily: Micros | null;
  monthly: Micros | null;
}

/** One UTC window of one cap subject. `warned` and `tripped`: already told, once per subject and window. */
export interface WindowUse {
  subject: string;
  period: CapPeriod;
  window: string;
  spent: Micros;
  held: Micros;
  warned: boolean;
  tripped: boolean;
}

/** What the ledger knows of one hold. Open while it has neither ended nor been charged late. */
export interface Hold {
  id: string;
  tenantId: string;
  subject: string;
  amount: Micros;
  windows: Windows;
  spoolId: string | null;
  rateVersion: number;
  reservedAtMs: number;
  ended: 'settled' | 'released' | 'expired' | null;
  late: boolean;
  /** What was charged for it, corrections included. */
  charged: Micros;
  /** The numbers of the corrections that were posted. */
  corrections: readonly number[];
  /** A job lives for its own time, and not with the spool that it was reserved from. */
  job: { ttlMs: number } | null;
}

/** A credit as it was granted, for the repeat of its idempotency key. */
export interface GrantedCredit {
  entryId: string;
  amount: Micros;
  source: string;
  note: string | null;
  balance: Micros;
  seq: number;
}

/**
 * One tenant's money, in micro-USD. `balance` is settled credit and may be negative; `held` is the sum of open holds.
 * Hold ids are global, so `holds` is the whole ledger's: the open ones and those that the batch names.
 * `credits` has the granted credits that the batch names.
 */
export interface Wallet {
  readonly tenantId: string;
  balance: Micros;
  held: Micros;
  seq: number;
  readonly caps: Layer<string, CapLimits>;
  readonly windows: Layer<string, WindowUse>;
  readonly holds: Layer<string, Hold>;
  readonly credits: Layer<string, GrantedCredit>;
}

export interface Reserve {
  type: 'reserve';
  holdId: string;
  tenantId: string;
  subject: string;
  amount: Micros;
  spoolId: string;
  rateVersion: number;
}

/** The reported end of a hold; cost 0 is a release. `outcome` is recorded as the reason. */
export interface Settle {
  type: 'settle';
  holdId: string;
  tenantId: string;
  subject: string;
  cost: Micros;
  outcome: string;
}

export interface Expire {
  type: 'expire';
  holdId: string;
  tenantId: string;
  reason: 'spool_silent' | 'max_age';
}

/** The n-th change of what a charged hold costs; a negative cost gives back. `reason` is recorded. */
export interface Correct {
  type: 'correct';
  holdId: string;
  tenantId: string;
  n: number;
  cost: Micros;
  reason: string;
}

export interface Grant {
  type: 'grant';
  tenantId: string;
  entryId: string;
  amount: Micros;
  source: string;
  note: string | null;
  idempotencyKey: string;
}

/** An undefined cap stays as it is, null clears it. */
export interface SetCap {
  type: 'set-caps';
  tenantId: string;
  subject: string;
  daily: Micros | null | undefined;
  monthly: Micros | null | undefined;
}

export type WalletCommand = Reserve | Settle | Expire | Correct | Grant | SetCap;

type WalletEventType =
  | 'CreditGranted.v1'
  | 'HoldOpened.v1'
  | 'HoldEnded.v1'
  | 'Adjusted.v1'
  | 'CapSet.v1'
  | 'CapWarned.v1'
  | 'CapTripped.v1';

/** A fact about one wallet, in its wire form; tenant, seq and time are added when it is journalled. */
export type WalletEvent = { [K in WalletEventType]: { type: K; data: EventData<K> } }[WalletEventType];

/** A hold that is no job expires at this age even while its spool's writer lives. */
export const MAX_HOLD_AGE_MS = 2 * 60 * 60 * 1_000;

export function emptyWallet(tenantId: string): Wallet {
  return {
    tenantId,
    balance: 0n,
    held: 0n,
    seq: 0,
    caps: new Layer(),
    windows: new Layer(),
    holds: new Layer(),
    credits: new Layer(),
  };
}

export function isOpen(hold: Hold): boolean {
  return hold.ended === null && !hold.late;
}

/** Whether money was posted for it: only then is there something to correct. */
export function isCharged(hold: Hold): boolean {
  return hold.ended === 'settled' || hold.late;
}

/** The age at which it expires whatever its spool does, milliseconds. */
export function maxAgeMs({ job }: Hold): number {
  return job?.ttlMs ?? MAX_HOLD_AGE_MS;
}

/** What may still be reserved; negative after late or over-hold settlements. */
export function available(wallet: Wallet): Micros {
  return wallet.balance - wallet.held;
}

export const NO_CAPS: CapLimits = Object.freeze({ daily: null, monthly: null });

export function capsOf(wallet: Wallet, subject: string): CapLimits {
  return wallet.caps.get(subject) ?? NO_CAPS;
}

export function windowKey(subject: string, window: string): string {
  return `${subject}|${window}`;
}

export function windowUse(wallet: Wallet, subject: string, period: CapPeriod, window: string): WindowUse {
  return (
    wallet.windows.get(windowKey(subject, window)) ?? {
      subject,
      period,
      window,
      spent: 0n,
      held: 0n,
      warned: false,
      tripped: false,
    }
  );
}
