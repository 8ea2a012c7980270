import type { AdoptSpool } from '@vendo/ledger-api';
import type { SpoolHeader } from './spool-header.js';

/** The processes of this machine, as far as the spool must know them. */
export abstract class ProcessTable {
  abstract readonly bootId: string;
  abstract readonly pid: number;

  /** When the process with this pid started; null when there is none (a zombie is none). */
  abstract startOf(pid: number): string | null;
}

/**
 * How a writer can be shown to be gone; null when it is not: its process lives, stopped or not. `process_gone`: this
 * machine was booted since, or no process has its pid and start time, so it can never write again. `silence`: another
 * host's processes cannot be seen from here, only the ledger knows how long it has not heard of it.
 */
export function proofThatGone(
  { host, boot_id, pid, started }: SpoolHeader,
  ownHost: string,
  processes: ProcessTable,
): AdoptSpool['proof'] | null {
  if (host !== ownHost) return 'silence';
  const lives = boot_id === processes.bootId && processes.startOf(pid) === started;
  return lives ? null : 'process_gone';
}
