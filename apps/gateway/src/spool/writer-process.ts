import type { SpoolHeader } from './spool-folder.js';

/** The processes of this machine, as far as the spool must know them. */
export abstract class ProcessTable {
  abstract readonly bootId: string;
  abstract readonly pid: number;

  /** When the process with this pid started; null when there is none (a zombie is none). */
  abstract startOf(pid: number): string | null;
}

/**
 * Whether the writer of a spool can never write again: the machine was booted since, or no process has its pid and
 * start time. A stopped process is not gone. Says false for another host's spool: its processes cannot be seen from here.
 */
export function writerIsGone(
  { host, boot_id, pid, started }: SpoolHeader,
  ownHost: string,
  processes: ProcessTable,
): boolean {
  if (host !== ownHost) return false;
  return boot_id !== processes.bootId || processes.startOf(pid) !== started;
}
