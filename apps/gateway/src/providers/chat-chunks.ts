import { opening, type QuietEvents } from './quiet-events.js';

/** What a chunk must hold to count. One expression: it is the quickest search there is. */
export const CHUNK_COUNTS = /"(?:usage|error)"(?!:null)|\[DONE\]/;

/** Chunks in the shape of OpenAI's chat can wait, behind the first: only data that is no object can be `[DONE]`. */
export const CHUNKS_QUIET: QuietEvents = {
  openings: [opening('data: {', 'anything')],
  counts: /"(?:usage|error)"(?!:null)/g,
};

/** The same where the usage chunk is to be taken out: it cannot wait, and has no choices. */
export const CHOICES_QUIET: QuietEvents = { ...CHUNKS_QUIET, holds: hasChoice };

const OPEN_OBJECT = 0x7b;
const CHOICES = Buffer.from('"choices":[');

/** Whether `choices` comes before all other objects in a chunk, and is not empty. A cheap look: false is not certain. */
function hasChoice(bytes: Buffer, start: number, end: number): boolean {
  const choice = bytes.indexOf(OPEN_OBJECT, start + 'data: {'.length);
  const from = choice - CHOICES.length;
  if (choice >= end || from < start) return false;
  for (let index = 0; index < CHOICES.length; index += 1)
    if (bytes[from + index] !== CHOICES[index]) return false;
  return true;
}
