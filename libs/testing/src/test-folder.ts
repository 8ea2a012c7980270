import { chmod, mkdtemp, statfs } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

/** Making a file there costs a tenth of what it does on some disks, and each database of a spec is hundreds of files. */
const MEMORY = '/dev/shm';
/** Where a folder lies that is to be on a disk although its suite may be in memory. */
export const DISK = '/var/tmp';
/** A suite of journeys keeps up to three databases and a broker at once. */
const ROOM_BYTES_MIN = 8 * 2 ** 30;

/**
 * Makes the folder of a suite and tells its specs of it. In memory where there is plenty: what a test kills is a process,
 * and what that had written stays, synced or not. Entered by all users, because as root Postgres runs as another one.
 * Times that are measured in it are not those of a disk: a journey that measures says `onDisk`, and benches have no suite.
 */
export async function makeSuiteFolder(name: string): Promise<string> {
  const folder = await mkdtemp(path.join((await hasRoomInMemory()) ? MEMORY : DISK, `vendo-${name}-`));
  await chmod(folder, 0o711);
  process.env.VENDO_TEST_FOLDER = folder;
  return folder;
}

/** Where a spec makes folders of its own: its suite's, else on the disk. */
export function testFolder(): string {
  return process.env.VENDO_TEST_FOLDER || DISK;
}

async function hasRoomInMemory(): Promise<boolean> {
  try {
    const { bavail, bsize } = await statfs(MEMORY);
    return Math.min(bavail * bsize, os.freemem()) >= ROOM_BYTES_MIN;
  } catch {
    return false;
  }
}
