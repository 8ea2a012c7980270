import { type PairedBytes, paired, placeOf } from '../providers/signs.js';

const LF = 0x0a;
const CR = 0x0d;
/** With the end of the line before it. */
const BLANK_LINE_MAX = '\n\r\n'.length;
const NOTHING = paired(Buffer.alloc(0));

/** So much of a stream waits at most, unless one event is larger. */
export const BACKLOG_BYTES = 65_536;
/** Blocks of that size that were used and are free: memory that is new costs more than what is done with it. */
const SPARE: PairedBytes[] = [];
const SPARE_MAX = 64;

/** No event ends there. */
export const NOT_WHOLE = -1;
/** Its lines end in another way. */
const NOT_OF_LF = -2;

/** The latest bytes of a stream, one behind the other; the first of them begins an event. */
export class Backlog implements PairedBytes {
  bytes: Buffer = NOTHING.bytes;
  pairs: Uint16Array = NOTHING.pairs;
  length = 0;
  /** So far no event ends. */
  private blankless = 0;

  /** @returns false: there is no room for it yet. */
  addWhole(chunk: Buffer): boolean {
    const length = this.length + chunk.length;
    if (length > Math.min(this.bytes.length, BACKLOG_BYTES)) return false;
    this.bytes.set(chunk, this.length);
    this.length = length;
    return true;
  }

  add(chunk: Buffer, from: number, to: number): void {
    const length = this.length + to - from;
    if (length > this.bytes.length) this.grow(length);
    this.bytes.set(to - from === chunk.length ? chunk : chunk.subarray(from, to), this.length);
    this.length = length;
  }

  /** Whether a blank line ends there, with the line ends that nearly all write. */
  endsAt(place: number): boolean {
    const { bytes } = this;
    return place > 1 && bytes[place - 1] === LF && bytes[place - 2] === LF;
  }

  /** Behind the last blank line that ends before a place, lines ending with LF or CRLF; 0: there is none. */
  startBefore(place: number): number {
    const { bytes, blankless } = this;
    if (this.endsAt(place)) return place;
    if (place <= blankless) return 0;
    const searched = blankless === 0 ? bytes : bytes.subarray(blankless);
    const end = endOfEvents(searched, 0, place - blankless);
    if (end !== NOT_WHOLE) return blankless + end;
    // What has been searched in vain is not searched again: an event may be megabytes.
    if (place === this.length) this.blankless = Math.max(0, place - BLANK_LINE_MAX);
    return 0;
  }

  /**
   * Behind the blank line that ends the event which begins at `start`, lines ending with LF; `NOT_WHOLE`, or
   * `NOT_OF_LF`. @param from before it, no blank line ends.
   */
  endOfEvent(start: number, from: number): number {
    const { bytes, length } = this;
    for (let lf = placeOf(LF, bytes, from, length); lf >= 0; lf = placeOf(LF, bytes, lf + 1, length)) {
      if (lf === start || bytes[lf - 1] === LF) return lf + 1;
      if (bytes[lf - 1] === CR) return NOT_OF_LF;
    }
    return NOT_WHOLE;
  }

  /** Takes out what stands before a place, and the room that one very large event needed. */
  drop(to: number): void {
    const rest = this.bytes.subarray(to, this.length);
    if (this.bytes.length > BACKLOG_BYTES && rest.length <= BACKLOG_BYTES) {
      this.lieIn(block());
      this.bytes.set(rest);
    } else this.bytes.copyWithin(0, to, this.length);
    this.cut(rest.length);
  }

  /** Empties it, for good: its memory is another stream's. */
  release(): void {
    if (this.bytes.length === BACKLOG_BYTES && SPARE.length < SPARE_MAX)
      SPARE.push({ bytes: this.bytes, pairs: this.pairs });
    this.lieIn(NOTHING);
    this.cut(0);
  }

  /** Takes out what stands behind a place. */
  cut(length: number): void {
    this.length = length;
    this.blankless = 0;
  }

  private grow(needed: number): void {
    const { bytes, length } = this;
    this.lieIn(
      needed <= BACKLOG_BYTES ? block() : paired(Buffer.allocUnsafeSlow(Math.max(needed, 2 * bytes.length))),
    );
    bytes.copy(this.bytes, 0, 0, length);
  }

  private lieIn({ bytes, pairs }: PairedBytes): void {
    this.bytes = bytes;
    this.pairs = pairs;
  }
}

function block(): PairedBytes {
  return SPARE.pop() ?? paired(Buffer.allocUnsafeSlow(BACKLOG_BYTES));
}

/** Behind the last blank line that ends in `bytes(from, to)`, lines ending with LF or CRLF; or `NOT_WHOLE`. */
export function endOfEvents(bytes: Buffer, from: number, to: number): number {
  // A place before the first byte would be one from the end.
  if (to <= from) return NOT_WHOLE;
  for (let lf = bytes.lastIndexOf(LF, to - 1); lf > from; lf = bytes.lastIndexOf(LF, lf - 1)) {
    const before = bytes[lf - 1];
    if (before === LF || (before === CR && bytes[lf - 2] === LF)) return lf + 1;
  }
  return NOT_WHOLE;
}
