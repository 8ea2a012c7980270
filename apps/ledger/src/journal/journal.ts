import type { EventData, EventRecord } from '@vendo/events';
import type { Micros } from '@vendo/money';
import type { CapLimits, GrantedCredit, Hold, WalletEvent, WindowUse } from '../wallet/wallet.js';

/** One shard's head: who may write (`epoch`), the last position, and the last batch's clock in milliseconds. */
export interface Head {
  shard: number;
  epoch: bigint;
  position: bigint;
  clockMs: number;
}

/** Where the consumer of gateway.events stands on one partition. */
export interface ConsumerOffset {
  partition: number;
  next: bigint;
  logId: string | null;
}

/** A shard that was taken, under the epoch that only its taker may write with. */
export interface TakenShard {
  shard: number;
  epoch: bigint;
}

/** What the writer keeps of one shard in memory from its taking on; wallets follow when they are first touched. */
export interface LoadedShard {
  head: Head;
  offset: ConsumerOffset;
  openHolds: Hold[];
  /** The holds of jobs whose end nobody has reported yet. */
  openJobs: string[];
  marks: { spoolId: string; number: number }[];
  /** The records that are parked, of holds that they name. */
  parkedHolds: ParkedOfHold[];
}

/** What a batch names and memory lacks. */
export interface BatchQuestion {
  tenants: readonly string[];
  holds: readonly string[];
  credits: readonly { tenantId: string; key: string }[];
}

export interface StoredWallet {
  tenantId: string;
  balance: Micros;
  held: Micros;
  seq: number;
  caps: { subject: string; limits: CapLimits }[];
  windows: WindowUse[];
}

export interface BatchFacts {
  /** The database's clock, milliseconds since the epoch. */
  nowMs: number;
  wallets: StoredWallet[];
  /** Holds of the journal that were asked for, open or ended. */
  holds: Hold[];
  /** The windows of those holds. */
  holdWindows: { tenantId: string; use: WindowUse }[];
  credits: { tenantId: string; key: string; credit: GrantedCredit }[];
}

/** A journal row about to be written; positions and seqs follow those of the head and the wallet. */
export interface JournalRow {
  shard: number;
  position: bigint;
  tenantId: string;
  seq: number;
  spoolId: string | null;
  event: WalletEvent;
}

/** Where a parked record stood in its shard's partition, and the hold that it speaks of. */
export interface ParkedOfHold {
  holdId: string;
  offset: bigint;
}

/** A record that cannot be applied, kept whole. */
export interface ParkedRow {
  partition: number;
  offset: bigint;
  tenantId: string | null;
  holdId: string | null;
  reason: string;
  record: EventRecord;
}

/** Everything that one micro-batch changes: absolute values, decided on the state that `heads` proves. */
export interface BatchCommit {
  clockMs: number;
  /** Every touched shard where it was read, and by how much its position moves (0 for refusals only). */
  heads: { shard: number; epoch: bigint; position: bigint; count: number }[];
  rows: JournalRow[];
  /** Wallets that are new or whose balance changed; what is held follows from the holds, seq from the rows. */
  wallets: { tenantId: string; shard: number; balance: Micros }[];
  caps: { tenantId: string; subject: string; limits: CapLimits }[];
  /** Windows in which something was spent or told; what is held follows from the holds. */
  windows: { tenantId: string; use: WindowUse }[];
  opened: Hold[];
  ended: { tenantId: string; id: string }[];
  marks: { spoolId: string; partition: number; number: number }[];
  offsets: { partition: number; expected: bigint; next: bigint; logId: string }[];
  parked: ParkedRow[];
  /** Jobs that were told. `ended`: the report of their end came first. */
  jobs: { shard: number; job: EventData<'JobStarted.v1'>; ended: boolean }[];
  /** Holds of jobs whose end was reported. */
  endedJobs: string[];
  /** Parked records that were decided again; with a reason they stay parked. */
  replays: { id: string; reason: string | null }[];
}

/**
 * The authority over money: a journal in Postgres behind head rows.
 * Every method throws FencedError, DataError or OutageError and nothing else.
 */
export abstract class Journal {
  /**
   * Reads the state of shards in a transaction of its own, begun after their epochs were committed. A shard that has
   * been taken by another owner since is not among them.
   */
  abstract load(taken: readonly TakenShard[]): Promise<LoadedShard[]>;
  /** One lock-free read on one snapshot. */
  abstract read(question: BatchQuestion): Promise<BatchFacts>;
  /** One transaction, all or nothing. After an OutageError it is not known whether it happened. */
  abstract commit(batch: BatchCommit): Promise<void>;
}

/** These shards are another owner's, or somebody has written to them: what is known of them is not true any more. */
export class FencedError extends Error {
  override name = 'FencedError';

  constructor(
    message: string,
    readonly shards: readonly number[],
  ) {
    super(message);
  }
}

/** The data of some command is at fault (SQLSTATE classes 22 and 23): splitting the batch finds which. */
export class DataError extends Error {
  override name = 'DataError';
}

/** The database could not be reached or did not answer in time. */
export class OutageError extends Error {
  override name = 'OutageError';
}
