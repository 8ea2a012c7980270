import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Environment, Secrets } from './settings.js';

/** Longer than another start can take from reading the lock to writing it. */
const SETTLE_MS = 100;

/** A reason to end that the operator can mend: printed as one line, exit 1. */
export class StartError extends Error {
  override name = 'StartError';
}

/**
 * Takes a data folder for this process, so that no second instance stops our database as an orphan.
 * A folder that a killed process left is taken over; of two that take it at once the later one has it.
 * Throws StartError when a living process has it.
 * @returns gives the folder back.
 */
export async function takeDataFolder(folder: string): Promise<() => Promise<void>> {
  await mkdir(path.join(folder, 'logs'), { recursive: true });
  const file = path.join(folder, 'supervisor.json');
  const mine = JSON.stringify({ pid: process.pid, started: startOf(process.pid) });
  try {
    await writeFile(file, mine, { flag: 'wx' });
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
    const holder = holderOf(await readFile(file, 'utf8'));
    if (holder !== null)
      throw new StartError(
        `the data folder ${folder} is in use by process ${holder}; set VENDO_DATA_DIR (and GATEWAY_PORT, LEDGER_PORT) for a second instance`,
      );
    await writeFile(file, mine);
  }
  await sleep(SETTLE_MS);
  if ((await readFile(file, 'utf8')) !== mine)
    throw new StartError(`another instance has just taken the data folder ${folder}`);
  return () => rm(file, { force: true });
}

/** The process that holds the folder, or null when it is gone. */
function holderOf(lock: string): number | null {
  try {
    const { pid, started } = JSON.parse(lock) as { pid: number; started: string | null };
    return pid !== process.pid && lives(pid) && !isDead(pid) && startOf(pid) === started ? pid : null;
  } catch {
    return null; // torn by a crash while it was written
  }
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Killed, and only its parent has not noticed yet; in a container the first process may never notice. */
function isDead(pid: number): boolean {
  const [state] = statOf(pid);
  return state === 'Z' || state === 'X';
}

/** When a process started, in ticks since boot: tells it from a later one with the same pid. Null where /proc is missing. */
function startOf(pid: number): string | null {
  return statOf(pid)[19] ?? null;
}

/** The fields behind the program's name, its state first. Empty where /proc is missing. */
function statOf(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}

/** Tokens and key: from the environment where set, else generated once into `secrets.json` (owner only). */
export async function secretsOf(folder: string, env: Environment): Promise<Secrets> {
  const file = path.join(folder, 'secrets.json');
  if (!existsSync(file)) await writeFile(file, JSON.stringify(generated(), null, 2), { mode: 0o600 });
  const stored = JSON.parse(await readFile(file, 'utf8')) as Secrets;
  return {
    adminToken: env.VENDO_ADMIN_TOKEN || stored.adminToken,
    internalToken: env.VENDO_INTERNAL_TOKEN || stored.internalToken,
    encryptionKey: env.VENDO_ENCRYPTION_KEY || stored.encryptionKey,
  };
}

function generated(): Secrets {
  return {
    adminToken: randomBytes(24).toString('base64url'),
    internalToken: randomBytes(24).toString('base64url'),
    encryptionKey: randomBytes(32).toString('base64'),
  };
}
