import { existsSync } from 'node:fs';
import path from 'node:path';

/**
 * Where the recorded provider answers are: `RECORDINGS_DIR`, else beside the checkout. Null when they are not there;
 * then a line says which suite did not run, so that a green run without it cannot be mistaken for one with it.
 */
export function recordingsFolder(suite: string): string | null {
  const folder = process.env.RECORDINGS_DIR ?? path.resolve('../shared/recordings');
  if (existsSync(path.join(folder, 'index.json'))) return folder;
  process.stdout.write(`${suite} NOT RUN: no recordings in RECORDINGS_DIR (${folder})\n`);
  return null;
}
