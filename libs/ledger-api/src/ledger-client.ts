import type {
  AdoptAnswer,
  AdoptSpool,
  Beat,
  BeatAnswer,
  Caps,
  CreditEntry,
  GrantCredit,
  Job,
  OpenHold,
  OverdueJob,
  ParkedRecord,
  ReserveCommand,
  ReserveDecision,
  SetCaps,
  SpoolRef,
  SpoolState,
  WriteOff,
} from './schemas.js';

/** The ledgers as the gateway sees them: as one. Throws VendoError `billing_unavailable` when no answer came in time. */
export abstract class LedgerClient {
  /**
   * Asks the owner of the tenant's shard for one hold; commands of one tick travel in one request, at most 2 requests are
   * in flight to each ledger. A command without a decision is sent again, same bytes, to whoever owns the shard by then,
   * for up to 6 s; then `billing_unavailable`.
   */
  abstract reserve(spool: SpoolRef, command: ReserveCommand): Promise<ReserveDecision>;

  /**
   * Tells every ledger that owns shards that the spool's writer lives; resolves within a second with their answers as one.
   * The partitions of a ledger that did not answer are absent from `consumed` and from all marks. Throws when none answered.
   */
  abstract beat(beat: Beat): Promise<BeatAnswer>;

  /** Takes over the shipping of a spool whose writer is gone. */
  abstract adopt(adoption: AdoptSpool): Promise<AdoptAnswer>;

  /**
   * Jobs that are to be asked for at their providers now, at most `limit`, longest due first. Each is the caller's for at
   * least 10 s; unless its end is reported it comes again, later the older it is.
   */
  abstract leaseJobs(limit: number): Promise<Job[]>;

  /** Throws VendoError `idempotency_conflict` when the key was used with another body; the same body gets the first answer. */
  abstract grantCredit(credit: GrantCredit): Promise<CreditEntry>;

  /** Resolves with the caps in force once they are committed. */
  abstract setCaps(caps: SetCaps): Promise<Caps>;

  abstract openHolds(tenantId: string): Promise<OpenHold[]>;
  abstract spools(): Promise<SpoolState[]>;
  abstract parked(): Promise<ParkedRecord[]>;
  abstract overdueJobs(): Promise<OverdueJob[]>;
  /**
   * Gives up the expired holds of a spool that never returns; a repeat gets the first answer. Throws VendoError `not_found`
   * for an unknown spool, `spool_in_use` while it still beats or has open holds.
   */
  abstract writeOff(writeOff: WriteOff): Promise<SpoolState>;
  /**
   * Decides a parked record again, and then what is parked behind it for the same hold. A record that was replayed before
   * is not decided twice. Throws VendoError `not_found`, or `still_parked` with the record and the reason.
   */
  abstract replay(parkedId: string): Promise<void>;
  abstract close(): Promise<void>;
}
