import path from 'node:path';
import { z } from 'zod';

/** Who writes a spool, told by `header.json` of its folder. */
export const SpoolHeader = z.strictObject({
  spool_id: z.uuid(),
  host: z.string(),
  /** Names one boot of the machine. */
  boot_id: z.string(),
  pid: z.int(),
  /** When the process started, in the words of the operating system: a reused pid has another. */
  started: z.string(),
});
export type SpoolHeader = z.infer<typeof SpoolHeader>;

export const HEADER_FILE = 'header.json';
const SEGMENT_NAME = /^(\d{8})\.seg$/;

export function spoolsFolder(dataDir: string): string {
  return path.join(dataDir, 'spool');
}

/** Damaged bytes are kept here for people; nothing reads or deletes them. */
export function damagedFile(dataDir: string, spoolId: string, segment: number, offset: number): string {
  return path.join(dataDir, 'spool-damaged', `${spoolId}-${segment}-${offset}.bin`);
}

export function segmentName(index: number): string {
  return `${String(index).padStart(8, '0')}.seg`;
}

/** The number of a segment by its file name; null for any other file. */
export function segmentIndex(fileName: string): number | null {
  const [, digits] = SEGMENT_NAME.exec(fileName) ?? [];
  return digits === undefined ? null : Number(digits);
}
