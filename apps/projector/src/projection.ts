import type { EventType, Topic, VendoEvent } from '@vendo/events';
import type { ReadModelTable } from '@vendo/read-models';
import type pg from 'pg';

/** An event that a projection folds. */
export interface Fact<T extends EventType = EventType> {
  event: VendoEvent<T>;
  /** Its place in the shard's journal and in its tenant's; only on ledger.events, else zero. */
  position: bigint;
  seq: bigint;
}

/**
 * One read model: a fold of one topic. Its folder holds everything about it but its tables, which libs/read-models owns.
 * The runner hands over facts in offset order and commits the rows and the checkpoint together, so nothing is read twice.
 */
export interface Projection<T extends EventType = EventType> {
  readonly name: string;
  readonly topic: Topic;
  /** What it writes, all of it: a rebuild makes these anew, compares and swaps them. */
  readonly tables: readonly ReadModelTable[];
  /** Other known events are passed over unread; unknown ones are parked. */
  readonly handles: readonly T[];
  /**
   * `facts`: every record stands for itself; the projection drops what a gateway wrote twice, and a bad record is parked alone.
   * `journal`: records carry the shard's gap-free position: a lower one is dropped, a gap stops the partition, and a bad
   * record is parked with everything later of its tenant, whose totals it would falsify.
   */
  readonly order: 'facts' | 'journal';
  /** Why this event cannot be folded, though its schema is right; null when it can. */
  refuse(event: VendoEvent<T>): string | null;
  /** Writes the rows of at least one fact, into tables that are named bare. Set-based, rows in key order; a data error (SQLSTATE 22, 23) parks the fact that causes it. */
  apply(tx: pg.PoolClient, facts: readonly Fact<T>[], partition: number): Promise<void>;
}
