import {
  closeSync,
  constants,
  fdatasync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  read,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { mkdir, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { type DiskEntry, SpoolDisk } from './spool-disk.js';

const fdatasyncAsync = promisify(fdatasync);
const readAsync = promisify(read);

/** The spool's disk as the operating system gives it. Files are readable by the owner only. */
export class FileSpoolDisk extends SpoolDisk {
  createFolder(folder: string, fileName: string, text: string): void {
    const unfinished = `${folder}.new`;
    mkdirSync(unfinished, { recursive: true, mode: 0o700 });
    const file = openSync(path.join(unfinished, fileName), 'w', 0o600);
    writeSync(file, text);
    fsyncSync(file);
    closeSync(file);
    renameSync(unfinished, folder);
    const parent = openSync(path.dirname(folder), constants.O_RDONLY);
    fsyncSync(parent);
    closeSync(parent);
  }

  create(file: string): number {
    return openSync(file, 'wx', 0o600);
  }

  write(file: number, bytes: Buffer, position: number): number {
    return writeSync(file, bytes, 0, bytes.length, position);
  }

  truncate(file: number, length: number): void {
    ftruncateSync(file, length);
  }

  close(file: number): void {
    closeSync(file);
  }

  remove(file: string): void {
    unlinkSync(file);
  }

  async sync(file: number): Promise<void> {
    await fdatasyncAsync(file);
  }

  async syncFolder(folder: string): Promise<void> {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  async read(file: string, position: number, length: number): Promise<Buffer> {
    // Opening and closing touch no data: doing so at once costs a fraction of two trips through the thread pool.
    const handle = openSync(file, 'r');
    try {
      const bytes = Buffer.allocUnsafe(length);
      let filled = 0;
      while (filled < length) {
        const { bytesRead } = await readAsync(handle, bytes, filled, length - filled, position + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return bytes.subarray(0, filled);
    } finally {
      closeSync(handle);
    }
  }

  async list(folder: string): Promise<DiskEntry[]> {
    const names = await orWhenMissing(readdir(folder), []);
    const entries = await Promise.all(
      names.sort().map(async (name) => {
        // Other processes delete what is theirs, perhaps just now.
        const found = await orWhenMissing(stat(path.join(folder, name)), null);
        return found === null ? [] : [{ name, bytes: found.size }];
      }),
    );
    return entries.flat();
  }

  readText(file: string): Promise<string | null> {
    return orWhenMissing(readFile(file, 'utf8'), null);
  }

  async writeFile(file: string, content: string | Buffer): Promise<void> {
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    await writeFile(file, content, { mode: 0o600, flush: true });
  }

  async removeFolder(folder: string): Promise<void> {
    await rm(folder, { recursive: true, force: true });
  }
}

async function orWhenMissing<Found, Missing>(
  reading: Promise<Found>,
  missing: Missing,
): Promise<Found | Missing> {
  try {
    return await reading;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return missing;
    throw thrown;
  }
}
