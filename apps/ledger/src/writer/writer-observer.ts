import type { FencedError, JournalRow } from '../journal/journal.js';
import type { WalletCommand } from '../wallet/wallet.js';
import type { ReportEnd } from './batch-draft.js';
import type { Answer, Report } from './work.js';

export interface CommittedBatch {
  works: number;
  seconds: number;
  nowMs: number;
  rows: readonly JournalRow[];
  answers: { command: WalletCommand; answer: Answer }[];
  reports: { report: Report; end: ReportEnd; reason: string | null }[];
  replays: { id: string; report: Report; reason: string | null }[];
}

/** Who wants to know what the writer does; called after the fact, never in its way. */
export interface WriterObserver {
  committed(batch: CommittedBatch): void;
  /** These shards are known from now on, and what belongs to them may be submitted. */
  gained(shards: readonly number[]): void;
  /** Nothing is known of these shards any more: given up, fenced or dropped. */
  lost(shards: readonly number[]): void;
  /** Another instance has taken these shards, or has written to them. */
  fenced(error: FencedError): void;
  /** The outcome of a commit is unknown: everything was dropped. */
  dropped(): void;
}
