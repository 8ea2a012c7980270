import type {
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
} from './schemas.js';

/** The ledger as the gateway sees it. Throws VendoError `billing_unavailable` when no answer came in time. */
export abstract class LedgerClient {
  /**
   * Asks for one hold; commands of one tick travel in one request, at most 2 requests are in flight.
   * A command without an answer is sent again, same bytes, for up to 6 s; then `billing_unavailable`.
   */
  abstract reserve(spool: SpoolRef, command: ReserveCommand): Promise<ReserveAnswer>;

  /** Tells every ledger that the spool's writer lives; resolves with the marks. Throws when the ledger did not answer. */
  abstract beat(beat: Beat): Promise<BeatAnswer>;

  /** Throws VendoError `idempotency_conflict` when the key was used with another body; the same body gets the first answer. */
  abstract grantCredit(credit: GrantCredit): Promise<CreditEntry>;

  /** Resolves with the caps in force once they are committed. */
  abstract setCaps(caps: SetCaps): Promise<Caps>;

  abstract openHolds(tenantId: string): Promise<OpenHold[]>;
  abstract spools(): Promise<SpoolState[]>;
  abstract parked(): Promise<ParkedRecord[]>;
  abstract close(): Promise<void>;
}
