import { VendoError } from '@vendo/errors';
import type { EventData, EventRecord } from '@vendo/events';
import type { Refusal } from '../wallet/decide.js';
import type { CapLimits, Correct, GrantedCredit, Hold, Settle, WalletCommand } from '../wallet/wallet.js';

/**
 * What the writer answers to a command, after the commit. `failed`: this command alone could not be decided. `moved`: the
 * tenant's shard is not ours, and nothing was decided.
 */
export type Answer =
  | { status: 'done'; hold?: Hold; credit?: GrantedCredit; caps?: CapLimits }
  | { status: 'refused'; refusal: Refusal }
  | { status: 'moved' }
  | { status: 'failed' };

/** A job as its gateway told it. */
export type StartedJob = EventData<'JobStarted.v1'>;

/** A record of gateway.events, read: what it asks for, or why it must be parked. */
export interface Report {
  partition: number;
  logId: string;
  offset: bigint;
  /** The offset after it: where the consumer stands once it is applied. */
  next: bigint;
  /** Null when the record does not carry them; then it has no mark to move. */
  spool: { id: string; number: number } | null;
  /** `note`: nothing to post, only the mark moves. */
  asks:
    | { kind: 'settle'; command: Settle }
    | { kind: 'correct'; command: Correct }
    | { kind: 'job'; job: StartedJob }
    | { kind: 'note' }
    | { kind: 'park'; reason: string };
  /** The hold and tenant it speaks of, as far as they can be read. */
  holdId: string | null;
  tenantId: string | null;
  record: EventRecord;
}

/** One thing that a batch decides. Whoever waits for it learns of its end once, after the commit. */
export type Work =
  | { kind: 'command'; command: WalletCommand; resolve(answer: Answer): void; reject(error: Error): void }
  | { kind: 'report'; report: Report; resolve(): void; reject(error: Error): void }
  /** A parked record, decided again. */
  | {
      kind: 'replay';
      id: string;
      report: Report;
      resolve(answer: ReplayAnswer): void;
      reject(error: Error): void;
    }
  /** Moves no money: extends the leases that nothing else has extended for a while. */
  | { kind: 'renew' }
  /** The last thing that is decided on these shards: after the commit they are given up. */
  | { kind: 'leave'; shards: readonly number[]; resolve(): void; reject(error: Error): void };

/** What became of a parked record that was decided again: it need not stay parked, or why it does. */
export type ReplayAnswer =
  | { status: 'replayed' }
  | { status: 'parked'; reason: string }
  | { status: 'moved' };

/** The shard was dropped before the report was applied: read it again from the stored offset, whoever owns it. */
export class StateDroppedError extends Error {
  override name = 'StateDroppedError';
}

/** Tells whoever waits that nothing is known of its end. */
export function rejectWork(work: Work): void {
  if (work.kind === 'renew') return;
  work.reject(work.kind === 'report' ? new StateDroppedError() : new VendoError('billing_unavailable'));
}
