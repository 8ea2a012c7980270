import { LEDGER_EVENTS, LEDGER_TOPIC } from '@vendo/events';
import {
  type BalanceRow,
  type ChargeRow,
  type EntryRow,
  insertEntries,
  noteChargesWithoutUsage,
  storeBalances,
  storeWindows,
  WALLET_TABLES,
  type WindowRow,
} from '@vendo/read-models';
import type { Fact, Projection } from '../../projection.js';

type WalletEventType = keyof typeof LEDGER_EVENTS;
type WalletFact = Fact<WalletEventType>;

/** Balances, entries and spend windows, from the ledger's journal: every event carries the totals after it. */
export const wallet: Projection<WalletEventType> = {
  name: 'wallet',
  topic: LEDGER_TOPIC,
  tables: WALLET_TABLES,
  handles: Object.keys(LEDGER_EVENTS) as WalletEventType[],
  order: 'journal',
  refuse: () => null,
  async apply(tx, facts, partition) {
    await storeBalances(tx, lastBalances(facts, partition));
    const entries = facts.flatMap(entryOf);
    if (entries.length > 0) await insertEntries(tx, entries);
    const charges = entries.flatMap(chargeOf);
    if (charges.length > 0) await noteChargesWithoutUsage(tx, charges);
    const windows = lastWindows(facts);
    if (windows.length > 0) await storeWindows(tx, windows);
  },
};

function lastBalances(facts: readonly WalletFact[], shard: number): BalanceRow[] {
  const byTenant = new Map<string, BalanceRow>();
  for (const { event, position, seq } of facts)
    byTenant.set(event.tenantId, {
      tenant_id: event.tenantId,
      shard,
      balance_micros: event.data.after.balance_micros,
      held_micros: event.data.after.held_micros,
      seq: String(seq),
      position: String(position),
      at: event.at,
    });
  return [...byTenant.values()];
}

/** The posting of an event, if it has one: a credit, a charge, or its correction. Releases and expiries move no money. */
function entryOf({ event, seq }: WalletFact): EntryRow[] {
  const row = {
    tenant_id: event.tenantId,
    seq: String(seq),
    balance_after_micros: event.data.after.balance_micros,
    at: event.at,
  };
  if (event.type === 'CreditGranted.v1') {
    const { amount_micros, entry_id, source, note } = event.data;
    return [{ ...row, kind: 'credit', amount_micros, entry_id, hold_id: null, source, note, late: false }];
  }
  if (event.type === 'HoldEnded.v1' && event.data.cost_micros > 0) {
    const { cost_micros, hold_id, how } = event.data;
    const charge = { amount_micros: -cost_micros, hold_id, late: how === 'late' };
    return [{ ...row, ...charge, kind: 'settlement', entry_id: null, source: null, note: null }];
  }
  if (event.type === 'Adjusted.v1') {
    const { cost_micros, hold_id, reason } = event.data;
    const correction = { amount_micros: -cost_micros, hold_id, source: reason, late: false };
    return [{ ...row, ...correction, kind: 'correction', entry_id: null, note: null }];
  }
  return [];
}

function chargeOf({ kind, hold_id, tenant_id, at }: EntryRow): ChargeRow[] {
  return kind !== 'settlement' || hold_id === null ? [] : [{ hold_id, tenant_id, charged_at: at }];
}

function lastWindows(facts: readonly WalletFact[]): WindowRow[] {
  const byWindow = new Map<string, WindowRow>();
  for (const { event, position } of facts)
    for (const { subject, period, window, spent_micros, held_micros, cap_micros } of event.data.after.windows)
      byWindow.set(`${subject} ${period} ${window}`, {
        subject,
        period,
        cap_window: window,
        tenant_id: event.tenantId,
        spent_micros,
        held_micros,
        cap_micros,
        position: String(position),
      });
  return [...byWindow.values()];
}
