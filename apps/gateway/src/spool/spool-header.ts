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
