import type { WalletEvent } from '../wallet/wallet.js';
import { bigints, booleans, ints, texts, uuids } from './binary-array.js';
import type { BatchCommit, JournalRow, ParkedRow } from './journal.js';

type Kind = 'opened' | 'settled' | 'released' | 'expired' | 'late' | 'adjusted' | 'credit' | 'cap';

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
    case 'Adjusted.v1':
      return {
        kind: 'adjusted',
        holdId: data.hold_id,
        key: String(data.n),
        walletMicros: -data.cost_micros,
      };
    default:
      return { kind: 'cap', holdId: null, key: null, walletMicros: 0 };
  }
}

/** The arguments of `ledger.commit_batch`, in its order: one array per column. Throws DataError for a value that no column takes. */
export function commitArguments(batch: BatchCommit, topic: string): unknown[] {
  const { heads, rows, wallets, caps, windows, opened, ended, marks, offsets } = batch;
  return [
    batch.clockMs,
    ints(heads.map(({ shard }) => shard)),
    bigints(heads.map(({ epoch }) => epoch)),
    bigints(heads.map(({ position }) => position)),
    ints(heads.map(({ count }) => count)),
    ...journalColumns(rows),
    uuids(wallets.map(({ tenantId }) => tenantId)),
    ints(wallets.map(({ shard }) => shard)),
    bigints(wallets.map(({ balance }) => balance)),
    uuids(caps.map(({ tenantId }) => tenantId)),
    uuids(caps.map(({ subject }) => subject)),
    bigints(caps.map(({ limits }) => limits.daily)),
    bigints(caps.map(({ limits }) => limits.monthly)),
    uuids(windows.map(({ tenantId }) => tenantId)),
    uuids(windows.map(({ use }) => use.subject)),
    texts(windows.map(({ use }) => use.window)),
    texts(windows.map(({ use }) => use.period)),
    bigints(windows.map(({ use }) => use.spent)),
    booleans(windows.map(({ use }) => use.warned)),
    booleans(windows.map(({ use }) => use.tripped)),
    uuids(opened.map(({ id }) => id)),
    uuids(opened.map(({ tenantId }) => tenantId)),
    uuids(opened.map(({ subject }) => subject)),
    bigints(opened.map(({ amount }) => amount)),
    texts(opened.map((hold) => hold.windows.daily)),
    texts(opened.map((hold) => hold.windows.monthly)),
    uuids(opened.map(({ spoolId }) => spoolId)),
    bigints(opened.map(({ rateVersion }) => rateVersion)),
    bigints(opened.map(({ reservedAtMs }) => reservedAtMs)),
    uuids(ended.map(({ tenantId }) => tenantId)),
    uuids(ended.map(({ id }) => id)),
    uuids(marks.map(({ spoolId }) => spoolId)),
    ints(marks.map(({ partition }) => partition)),
    bigints(marks.map(({ number }) => number)),
    topic,
    ints(offsets.map(({ partition }) => partition)),
    bigints(offsets.map(({ expected }) => expected)),
    bigints(offsets.map(({ next }) => next)),
    texts(offsets.map(({ logId }) => logId)),
    ...parkedColumns(batch.parked),
  ];
}

function journalColumns(rows: readonly JournalRow[]): Buffer[] {
  const facts = rows.map(({ event }) => factsOf(event));
  return [
    ints(rows.map(({ shard }) => shard)),
    bigints(rows.map(({ position }) => position)),
    uuids(rows.map(({ tenantId }) => tenantId)),
    bigints(rows.map(({ seq }) => seq)),
    texts(rows.map(({ event }) => event.type)),
    texts(facts.map(({ kind }) => kind)),
    uuids(facts.map(({ holdId }) => holdId)),
    texts(facts.map(({ key }) => key)),
    uuids(rows.map(({ spoolId }) => spoolId)),
    bigints(facts.map(({ walletMicros }) => walletMicros)),
    // The exact JSON that the event log will carry.
    texts(rows.map(({ event }) => JSON.stringify(event.data))),
  ];
}

/** The arguments of `ledger.note_replays`. */
export function replayArguments({ clockMs, replays }: BatchCommit): unknown[] {
  const reasons = replays.map(({ reason }) => (reason === null ? null : withoutNul(reason)));
  return [clockMs, bigints(replays.map(({ id }) => BigInt(id))), texts(reasons)];
}

/** The arguments of `ledger.note_jobs`. */
export function jobArguments({ clockMs, jobs, endedJobs }: BatchCommit): unknown[] {
  return [
    clockMs,
    uuids(jobs.map(({ job }) => job.hold_id)),
    uuids(jobs.map(({ job }) => job.tenant_id)),
    ints(jobs.map(({ shard }) => shard)),
    bigints(jobs.map(({ job }) => job.ttl_ms)),
    texts(jobs.map(({ job }) => withoutNul(JSON.stringify(job)))),
    booleans(jobs.map(({ ended }) => ended)),
    uuids(endedJobs),
  ];
}

function parkedColumns(parked: readonly ParkedRow[]): Buffer[] {
  return [
    ints(parked.map(({ partition }) => partition)),
    bigints(parked.map(({ offset }) => offset)),
    uuids(parked.map(({ tenantId }) => tenantId)),
    uuids(parked.map(({ holdId }) => holdId)),
    texts(parked.map(({ reason }) => withoutNul(reason))),
    texts(parked.map(({ record }) => withoutNul(record.key))),
    // Columns of the type json keep escapes that jsonb and text would refuse, so any header can be parked.
    texts(parked.map(({ record }) => JSON.stringify(record.headers))),
    texts(parked.map(({ record }) => record.value.toString('base64'))),
  ];
}

/** The one character that Postgres takes in no text. A record must never be too bad to be parked. */
function withoutNul(text: string): string {
  return text.replaceAll('\0', '\uFFFD');
}
