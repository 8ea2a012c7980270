import { shardOf } from '@vendo/events';
import type { ConsumerOffset, Head, LedgerState } from '../journal/journal.js';
import type { CapLimits, Hold, WindowUse } from '../wallet/wallet.js';
import { ParkedHolds } from './parked-holds.js';

/** A wallet as it was committed last. */
export interface KeptWallet {
  readonly shard: number;
  balance: bigint;
  held: bigint;
  seq: number;
  caps: Map<string, CapLimits>;
  windows: Map<string, WindowUse>;
}

/**
 * What this instance knows of the ledger: exactly what is committed, no more. Batches decide on a draft over it
 * (batch-draft.ts), and only a committed draft is absorbed. Dropped whole when the database may know better.
 */
export class Book {
  readonly heads: Map<number, Head>;
  readonly wallets = new Map<string, KeptWallet>();
  /** Open holds of all tenants. */
  readonly holds: Map<string, Hold>;
  /** Last number applied, by `spool|partition`. */
  readonly marks: Map<string, number>;
  readonly offsets: Map<number, ConsumerOffset>;
  /** Later records of a parked hold follow it into the park. */
  readonly parkedHolds: ParkedHolds;

  constructor(state: LedgerState) {
    this.heads = new Map(state.heads.map((head) => [head.shard, head]));
    this.holds = new Map(state.openHolds.map((hold) => [hold.id, hold]));
    this.marks = new Map(
      state.marks.map(({ spoolId, partition, number }) => [markKey(spoolId, partition), number]),
    );
    this.offsets = new Map(state.offsets.map((offset) => [offset.partition, offset]));
    this.parkedHolds = new ParkedHolds(state.parkedHolds);
  }

  /** The tenant's shard; without hashing its id again for a wallet that is known. */
  shardOf(tenantId: string): number {
    return this.wallets.get(tenantId)?.shard ?? shardOf(tenantId);
  }

  /** The newest clock of any shard, milliseconds since the epoch. */
  clockMs(): number {
    return Math.max(...[...this.heads.values()].map(({ clockMs }) => clockMs));
  }
}

export function markKey(spoolId: string, partition: number): string {
  return `${spoolId}|${partition}`;
}
