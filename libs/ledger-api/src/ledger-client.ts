import type {
  AdoptAnswer,
  AdoptSpool,
  Beat,
  BeatAnswer,
  Caps,
  CreditEntry,
  GrantCredit,
  OpenHold,
  ParkedRecord,
  ReserveAnswer,
  ReserveCommand,
  SetCaps,
  SpoolRef,
  SpoolState,
  WriteOff,
} from './schemas.js';

/** The ledger as the gateway sees it. Throws VendoError `billing_unavailable` when no answer came in time. */
export abstract class LedgerClient {
  /**
   * Asks for one hold; commands of one tick travel in one request, at most 2 requests are in flight.
   * A command without an answer is sent again, same bytes, for up to 6 s; then `billing_unavailable`.
   */
  abstract reserve(spool: SpoolRef, command: ReserveCommand): Promise<ReserveAnswer>;

  /**
   * Tells every ledger that owns shards that the spool's writer lives; resolves with their answers as one. The partitions
   * of a ledger that did not answer are absent from `consumed`. Throws when none answered.
   */
  abstract beat(beat: Beat): Promise<BeatAnswer>;

  /** Takes over the shipping of a spool whose writer is gone. */
  abstract adopt(adoption: AdoptSpool): Promise<AdoptAnswer>;

  /** Throws VendoError `idempotency_conflict` when the key was used with another body; the same body gets the first answer. */
  abstract grantCredit(credit: GrantCredit): Promise<CreditEntry>;

  /** Resolves with the caps in force once they are committed. */
  abstract setCaps(caps: SetCaps): Promise<Caps>;

  abstract openHolds(tenantId: string): Promise<OpenHold[]>;
  abstract spools(): Promise<SpoolState[]>;
  abstract parked(): Promise<ParkedRecord[]>;
  /** Gives up the expired holds of a spool that never returns. Throws VendoError `not_found` for an unknown spool. */
  abstract writeOff(writeOff: WriteOff): Promise<SpoolState>;
  /** Decides a parked record again, and what is parked behind it. Throws VendoError `not_found`, or why it stays parked. */
  abstract replay(parkedId: string): Promise<void>;
  abstract close(): Promise<void>;
}
