import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { ProcessTable } from './writer-process.js';

/** Reads Linux's /proc. */
class ProcProcessTable extends ProcessTable {
  readonly bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  readonly pid = process.pid;

  startOf(pid: number): string | null {
    let stat: string;
    try {
      stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    } catch {
      return null;
    }
    // The second field is the program's name in parentheses and may hold anything: fields count from behind it.
    const [state = '', ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (state === 'Z' || state === 'X') return null;
    return fields[18] ?? null;
  }
}

/** Asks `ps`, where there is no /proc. Its start is a date, so it tells boots apart as well. */
class PsProcessTable extends ProcessTable {
  readonly bootId = 'unknown';
  readonly pid = process.pid;

  startOf(pid: number): string | null {
    try {
      const line = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], {
        env: { LC_ALL: 'C', TZ: 'UTC' },
      });
      return line.toString().trim() || null;
    } catch {
      return null;
    }
  }
}

export function openProcessTable(): ProcessTable {
  return process.platform === 'linux' ? new ProcProcessTable() : new PsProcessTable();
}
