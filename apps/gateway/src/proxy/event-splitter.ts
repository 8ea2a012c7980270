const LF = 0x0a;
const CR = 0x0d;
const BLANK_LINE = Buffer.from('\n\n');
const NOTHING = Buffer.alloc(0);

/** Whole events, one behind the other. */
export interface WholeEvents {
  bytes: Buffer;
  /** Where each event ends in `bytes`; the last one is its length. Empty: no event became whole. */
  ends: readonly number[];
}

/**
 * Cuts a stream of server-sent events into whole events, each with the blank line that ends it, byte for byte: the
 * pieces put together are the stream. Lines end with LF, CRLF or CR; a cut never falls between CR and LF.
 */
export class EventSplitter {
  /** Bytes of the event that is not whole yet. */
  heldBytes = 0;
  private held: Buffer[] = [];
  private lineIsEmpty = true;
  private afterCr = false;
  private seenCrLf = false;
  /** A blank line ended with CR: the event is whole, but an LF may still belong to it. */
  private awaitsLf = false;

  /** Whether the next byte is the first one of an event. */
  get isBetweenEvents(): boolean {
    return this.heldBytes === 0 && this.lineIsEmpty && !this.afterCr && !this.awaitsLf;
  }

  /** The events that are whole with this chunk. */
  push(chunk: Buffer): WholeEvents {
    const hasCr = this.awaitsLf || this.afterCr || chunk.includes(CR);
    const ends = hasCr ? this.endsOfAnyLines(chunk) : this.endsOfPlainLines(chunk);
    const end = ends.at(-1);
    if (end === undefined) {
      this.hold(chunk);
      return { bytes: NOTHING, ends };
    }
    const before = this.heldBytes;
    const bytes = this.join(chunk.subarray(0, end));
    if (end < chunk.length) this.hold(chunk.subarray(end));
    return { bytes, ends: before === 0 ? ends : ends.map((at) => at + before) };
  }

  /** What is left at the end: an event without its blank line, or nothing. */
  rest(): Buffer {
    return this.join(NOTHING);
  }

  /** Nearly all streams end their lines with LF: then blank lines can be searched instead of looked for byte by byte. */
  private endsOfPlainLines(chunk: Buffer): number[] {
    const ends: number[] = [];
    let start = 0;
    while (start < chunk.length) {
      const end = this.lineIsEmpty && chunk[start] === LF ? start + 1 : endOfBlankLine(chunk, start);
      if (end === null) {
        this.lineIsEmpty = chunk[chunk.length - 1] === LF;
        break;
      }
      this.lineIsEmpty = true;
      ends.push(end);
      start = end;
    }
    return ends;
  }

  private endsOfAnyLines(chunk: Buffer): number[] {
    const ends: number[] = [];
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at];
      if (this.awaitsLf) {
        this.awaitsLf = false;
        ends.push(byte === LF ? at + 1 : at);
        if (byte === LF) {
          this.afterCr = false;
          continue;
        }
      }
      if (byte === LF && this.afterCr) {
        this.afterCr = false;
        this.seenCrLf = true;
        // The event that it belongs to did not wait for it: it does not belong to the next one either.
        if (at === 0 && this.heldBytes === 0) ends.push(1);
      } else if (byte === LF || byte === CR) {
        this.afterCr = byte === CR;
        if (this.lineIsEmpty && byte === LF) ends.push(at + 1);
        else if (this.lineIsEmpty) this.awaitsLf = true;
        this.lineIsEmpty = true;
      } else {
        this.afterCr = false;
        this.lineIsEmpty = false;
      }
    }
    // Where lines end with CR alone, waiting for an LF would keep a whole event back for nothing.
    if (this.awaitsLf && !this.seenCrLf) {
      this.awaitsLf = false;
      ends.push(chunk.length);
    }
    return ends;
  }

  private hold(bytes: Buffer): void {
    this.held.push(bytes);
    this.heldBytes += bytes.length;
  }

  private join(last: Buffer): Buffer {
    if (this.held.length === 0) return last;
    const whole = Buffer.concat([...this.held, last]);
    this.held = [];
    this.heldBytes = 0;
    return whole;
  }
}

function endOfBlankLine(chunk: Buffer, from: number): number | null {
  const at = chunk.indexOf(BLANK_LINE, from);
  return at < 0 ? null : at + BLANK_LINE.length;
}
