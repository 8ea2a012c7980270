import type { TakenShard } from './journal.js';

/** A ledger as the others know it: an id made at each start of the process, and where it is reached once it listens. */
export interface Member {
  id: string;
  url: string | null;
}

/** A shard's row. */
export interface Lease {
  shard: number;
  /** The member that owns it, or owned it last; null when it was given back. */
  owner: string | null;
  /** Where that member is reached. */
  ownerUrl: string | null;
  /** Nobody's: given back, or the lease has run out. */
  free: boolean;
  /** Free for so long that whoever sees it may take it, whosever share it is. */
  orphaned: boolean;
}

/** What the database says about the ledgers beside each other, all by its clock. */
export interface Surroundings {
  /** Ids of the living, in order. */
  living: string[];
  /** All of them, in order. */
  leases: Lease[];
}

/** `how`: it was given back, its owner's lease had run out, or it was ours all along and our state was dropped. */
export interface Taking extends TakenShard {
  how: 'free' | 'expired' | 'again';
}

/**
 * Who owns which shard, beside the journal, in the same database. A lease only says who may try: what an owner commits is
 * proved by the heads. Every method is short and holds no row after it; all throw when the database does not answer.
 */
export abstract class Leases {
  /** Tells that this member lives, unless it is not fit to own anything just now, and reads what there is. */
  abstract look(self: Member, fit: boolean): Promise<Surroundings>;
  /** Takes those of the shards that are free, or this member's own, under new epochs. Waits for nobody's row. */
  abstract take(self: Member, shards: readonly number[]): Promise<Taking[]>;
  /** Gives shards back, so that another one may take them at once; those that are not this member's stay as they are. */
  abstract giveBack(self: Member, shards: readonly number[]): Promise<void>;
  /** This member counts no more, from now on. */
  abstract leave(self: Member): Promise<void>;
}
