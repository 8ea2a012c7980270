import type { EventRecord } from '@vendo/events';
import type { Refusal } from '../wallet/decide.js';
import type { CapLimits, GrantedCredit, Hold, Settle, WalletCommand } from '../wallet/wallet.js';

/** What the writer answers to a command, after the commit. `failed`: this command alone could not be decided. */
export type Answer =
  | { status: 'done'; hold?: Hold; credit?: GrantedCredit; caps?: CapLimits }
  | { status: 'refused'; refusal: Refusal }
  | { status: 'failed' };

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
  asks: { kind: 'settle'; command: Settle } | { kind: 'note' } | { kind: 'park'; reason: string };
  /** The hold and tenant it speaks of, as far as they can be read. */
  holdId: string | null;
  tenantId: string | null;
  record: EventRecord;
}

/** One thing that a batch decides. Each learns of its end once, after the commit. */
export type Work =
  | { kind: 'command'; command: WalletCommand; resolve(answer: Answer): void; reject(error: Error): void }
  | { kind: 'report'; report: Report; resolve(): void; reject(error: Error): void }
  /** A parked record, decided again; `null` is told when it need not stay parked, else why it does. */
  | {
      kind: 'replay';
      id: string;
      report: Report;
      resolve(reason: string | null): void;
      reject(error: Error): void;
    }
  /** Moves no money: proves that the shards are still ours. */
  | { kind: 'renew'; resolve(): void; reject(error: Error): void };
