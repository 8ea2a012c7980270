import type { CapPeriod } from '@vendo/events';
import type pg from 'pg';
import type { ReadModelTable } from './generations.js';

// Tables are named bare: `beginIn` says which generation's they are.

// Rows are named as their columns: each is one element of the JSON that Postgres spreads into the table's own types.
// 64-bit numbers travel as text, money as the events carry it.

export const WALLET_TABLES: readonly ReadModelTable[] = [
  { name: 'wallet_balances', time: null, sums: ['balance_micros', 'held_micros', 'seq', 'position'] },
  { name: 'wallet_entries', time: 'at', sums: ['amount_micros', 'balance_after_micros'] },
  { name: 'spend_windows', time: null, sums: ['spent_micros', 'held_micros', 'cap_micros', 'position'] },
];

export interface BalanceRow {
  tenant_id: string;
  shard: number;
  balance_micros: number;
  held_micros: number;
  seq: string;
  position: string;
  at: string;
}

export interface EntryRow {
  tenant_id: string;
  seq: string;
  kind: 'credit' | 'settlement' | 'correction';
  /** Signed: a settlement is negative. */
  amount_micros: number;
  balance_after_micros: number;
  entry_id: string | null;
  hold_id: string | null;
  source: string | null;
  note: string | null;
  late: boolean;
  at: string;
}

export interface WindowRow {
  subject: string;
  period: CapPeriod;
  cap_window: string;
  tenant_id: string;
  spent_micros: number;
  held_micros: number;
  cap_micros: number | null;
  position: string;
}

/** Replaces what is older; at most one row per tenant. */
export async function storeBalances(tx: pg.PoolClient, rows: readonly BalanceRow[]): Promise<void> {
  await tx.query(
    `insert into wallet_balances as stored (tenant_id, shard, balance_micros, held_micros, seq, position, at)
     select tenant_id, shard, balance_micros, held_micros, seq, position, at
     from json_populate_recordset(null::wallet_balances, $1::json) order by tenant_id
     on conflict (tenant_id) do update set
       balance_micros = excluded.balance_micros, held_micros = excluded.held_micros,
       seq = excluded.seq, position = excluded.position, at = excluded.at
     where stored.position < excluded.position`,
    [JSON.stringify(rows)],
  );
}

/** Postings are facts: a second row with the same tenant and seq is an error (SQLSTATE 23505), never an overwrite. */
export async function insertEntries(tx: pg.PoolClient, rows: readonly EntryRow[]): Promise<void> {
  await tx.query(
    `insert into wallet_entries
       (tenant_id, seq, kind, amount_micros, balance_after_micros, entry_id, hold_id, source, note, late, at)
     select tenant_id, seq, kind, amount_micros, balance_after_micros, entry_id, hold_id, source, note, late, at
     from json_populate_recordset(null::wallet_entries, $1::json) order by tenant_id, seq`,
    [JSON.stringify(rows)],
  );
}

/** Replaces what is older; at most one row per subject, period and window. */
export async function storeWindows(tx: pg.PoolClient, rows: readonly WindowRow[]): Promise<void> {
  await tx.query(
    `insert into spend_windows as stored
       (subject, period, cap_window, tenant_id, spent_micros, held_micros, cap_micros, position)
     select subject, period, cap_window, tenant_id, spent_micros, held_micros, cap_micros, position
     from json_populate_recordset(null::spend_windows, $1::json) order by subject, period, cap_window
     on conflict (subject, period, cap_window) do update set
       spent_micros = excluded.spent_micros, held_micros = excluded.held_micros,
       cap_micros = excluded.cap_micros, position = excluded.position
     where stored.position < excluded.position`,
    [JSON.stringify(rows)],
  );
}
