import { encodeEvent, type VendoEvent } from '@vendo/events';
import type { WalletEvent } from '../wallet/wallet.js';
import type { BatchCommit, JournalRow, ParkedRow } from './journal.js';

type Kind = 'opened' | 'settled' | 'released' | 'expired' | 'late' | 'credit' | 'cap';

/** What the journal's columns say about an event beside its text. `walletMicros` is its posting to the wallet. */
interface RowFacts {
  kind: Kind;
  holdId: string | null;
  key: string | null;
  walletMicros: number;
}

function factsOf({ type, data }: WalletEvent): RowFacts {
  switch (type) {
    case 'CreditGranted.v1':
      return { kind: 'credit', holdId: null, key: data.idempotency_key, walletMicros: data.amount_micros };
    case 'HoldOpened.v1':
      return { kind: 'opened', holdId: data.hold_id, key: null, walletMicros: 0 };
    case 'HoldEnded.v1':
      return { kind: data.how, holdId: data.hold_id, key: null, walletMicros: -data.cost_micros };
    default:
      return { kind: 'cap', holdId: null, key: null, walletMicros: 0 };
  }
}

/** The arguments of `ledger.commit_batch`, in its order: one array per column. */
export function commitArguments(batch: BatchCommit, topic: string): unknown[] {
  const at = new Date(batch.clockMs).toISOString();
  const facts = batch.rows.map(({ event }) => factsOf(event));
  return [
    batch.clockMs,
    ...columns(batch.heads, ['shard', 'epoch', 'position', 'count']),
    ...columns(batch.rows, ['shard', 'position', 'tenantId', 'seq']),
    batch.rows.map(({ event }) => event.type),
    ...columns(facts, ['kind', 'holdId', 'key']),
    batch.rows.map(({ spoolId }) => spoolId),
    facts.map(({ walletMicros }) => walletMicros),
    batch.rows.map((row) => textOf(row, at)),
    ...columns(batch.wallets, ['tenantId', 'shard', 'balance']),
    ...columns(batch.caps, ['tenantId', 'subject']),
    ...columns(
      batch.caps.map(({ limits }) => limits),
      ['daily', 'monthly'],
    ),
    batch.windows.map(({ tenantId }) => tenantId),
    ...columns(
      batch.windows.map(({ use }) => use),
      ['subject', 'window', 'period', 'spent', 'warned', 'tripped'],
    ),
    ...columns(batch.opened, ['id', 'tenantId', 'subject', 'amount']),
    batch.opened.map(({ windows }) => windows.daily),
    batch.opened.map(({ windows }) => windows.monthly),
    ...columns(batch.opened, ['spoolId', 'rateVersion', 'reservedAtMs']),
    ...columns(batch.ended, ['tenantId', 'id']),
    ...columns(batch.marks, ['spoolId', 'partition', 'number']),
    topic,
    ...columns(batch.offsets, ['partition', 'expected', 'next', 'logId']),
    ...parkedColumns(batch.parked),
  ];
}

function columns<Row>(rows: readonly Row[], names: readonly (keyof Row)[]): unknown[][] {
  return names.map((name) => rows.map((row) => row[name]));
}

/** The exact JSON that the event log will carry. */
function textOf({ tenantId, seq, event }: JournalRow, at: string): string {
  const fact = { id: `${tenantId}/${seq}`, tenantId, at, ...event } as VendoEvent;
  return encodeEvent(fact, '/ledger').value.toString('utf8');
}

function parkedColumns(parked: readonly ParkedRow[]): unknown[][] {
  return [
    ...columns(parked, ['partition', 'offset', 'tenantId', 'holdId', 'reason']),
    parked.map(({ record }) => record.key),
    // Columns of the type json keep escapes that jsonb and text would refuse, so any header can be parked.
    parked.map(({ record }) => JSON.stringify(record.headers)),
    parked.map(({ record }) => record.value.toString('base64')),
  ];
}
