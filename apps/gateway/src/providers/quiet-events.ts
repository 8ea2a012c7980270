/**
 * How an event begins that has one line of data, does not end the answer and is not taken out of it: it need not be read
 * while it passes.
 */
export interface Opening {
  readonly bytes: Buffer;
  /**
   * `output`: it carries output and nothing else that counts, so it is read only for the lower bound of an answer that
   * breaks off. `nothing`: nothing in it counts. `anything`: it is looked through later, together with those around it.
   */
  readonly says: 'output' | 'nothing' | 'anything';
}

/** The events of an answer that can wait. */
export interface QuietEvents {
  /** The most frequent one first. Behind each the rest of its line follows, and then a blank line. */
  readonly openings: readonly Opening[];
  /** Global. What an event that says `anything` holds where it has to be read; absent: none has. */
  readonly counts?: RegExp;
  /** Each of them that says `anything` takes the place of the one before it, so the newest is read in any case. */
  readonly supersede?: true;
  /** A further condition; absent: none. `bytes[start, end)` is the event. */
  holds?(bytes: Buffer, start: number, end: number): boolean;
}

/** @param text of ASCII. */
export function opening(text: string, says: Opening['says']): Opening {
  return { bytes: Buffer.from(text, 'latin1'), says };
}

/** Where the event begins that has this place in one of its lines. */
export function startOfEvent(text: string, place: number): number {
  for (let lf = text.lastIndexOf('\n', place); lf > 0; lf = text.lastIndexOf('\n', lf - 1))
    if (text[lf - 1] === '\n' || (text[lf - 1] === '\r' && text[lf - 2] === '\n')) return lf + 1;
  return 0;
}
