import { shardOf } from '@vendo/events';
import type { ConsumerOffset, Head, LoadedShard } from '../journal/journal.js';
import type { CapLimits, Hold, WindowUse } from '../wallet/wallet.js';
import { ParkedHolds } from './parked-holds.js';

/** As long as a lease in the database (`ledger.lease_end`), by the owner's own monotonic clock. */
export const LEASE_MS = 3_000;

/** A wallet as it was committed last. */
export interface KeptWallet {
  readonly shard: number;
  balance: bigint;
  held: bigint;
  seq: number;
  caps: Map<string, CapLimits>;
  windows: Map<string, WindowUse>;
}

/** What is known of one shard that is owned. Times are of the process's monotonic clock, milliseconds. */
export interface KeptShard {
  readonly head: Head;
  offset: ConsumerOffset;
  /** Last number applied, by spool. */
  readonly marks: Map<string, number>;
  /** Later records of a parked hold follow it into the park. */
  readonly parkedHolds: ParkedHolds;
  /** When the newest statement that is known to have extended the lease was sent. */
  renewedAtMs: number;
  /** Nobody's silence counts from before: the shard was taken then, or its lease had run out until then. */
  watchedSinceMs: number;
}

/**
 * What this instance knows of the shards that it owns: exactly what is committed, no more. Batches decide on a draft
 * over it (batch-draft.ts), and only a committed draft is absorbed. A shard is dropped whole when the database may know
 * better, between two batches and never during one.
 */
export class Book {
  readonly shards = new Map<number, KeptShard>();
  readonly wallets = new Map<string, KeptWallet>();
  /** Open holds of all tenants of these shards: hold ids are global. */
  readonly holds = new Map<string, Hold>();
  /** The holds of jobs whose end nobody has reported yet, with their shards. */
  readonly jobs = new Map<string, number>();

  /** @param renewedAtMs when the statement that took it was sent. */
  add({ head, offset, openHolds, openJobs, marks, parkedHolds }: LoadedShard, renewedAtMs: number): void {
    this.shards.set(head.shard, {
      head,
      offset,
      marks: new Map(marks.map(({ spoolId, number }) => [spoolId, number])),
      parkedHolds: new ParkedHolds(parkedHolds),
      renewedAtMs,
      watchedSinceMs: renewedAtMs,
    });
    for (const hold of openHolds) this.holds.set(hold.id, hold);
    for (const holdId of openJobs) this.jobs.set(holdId, head.shard);
  }

  /** Forgets shards with all that is known of their tenants. Returns those that were known. */
  drop(shards: Iterable<number>): number[] {
    const dropped = new Set([...shards].filter((shard) => this.shards.delete(shard)));
    if (dropped.size === 0) return [];
    for (const { id, tenantId } of this.holds.values())
      if (dropped.has(this.shardOf(tenantId))) this.holds.delete(id);
    for (const [holdId, shard] of this.jobs) if (dropped.has(shard)) this.jobs.delete(holdId);
    for (const [tenantId, { shard }] of this.wallets) if (dropped.has(shard)) this.wallets.delete(tenantId);
    return [...dropped];
  }

  /** The tenant's shard; without hashing its id again for a wallet that is known. */
  shardOf(tenantId: string): number {
    return this.wallets.get(tenantId)?.shard ?? shardOf(tenantId);
  }

  /** The newest clock of any shard, milliseconds since the epoch; 0 without shards. */
  clockMs(): number {
    return Math.max(0, ...[...this.shards.values()].map(({ head }) => head.clockMs));
  }
}
