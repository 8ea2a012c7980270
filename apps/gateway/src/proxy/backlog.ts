const LF = 0x0a;
const CR = 0x0d;
/** With the end of the line before it. */
const BLANK_LINE_MAX = '\n\r\n'.length;
const FIRST_BYTES = 4_096;

/** The latest bytes of a stream, one behind the other; the first of them begins an event. */
export class Backlog {
  bytes = Buffer.alloc(0);
  length = 0;
  /** So far no event ends. */
  private blankless = 0;

  add(chunk: Buffer, from: number, to: number): void {
    const length = this.length + to - from;
    if (length > this.bytes.length) this.grow(length);
    if (to - from === chunk.length) this.bytes.set(chunk, this.length);
    else chunk.copy(this.bytes, this.length, from, to);
    this.length = length;
  }

  /** Behind the last blank line that ends before a place, lines ending with LF or CRLF; 0: there is none. */
  startBefore(place: number): number {
    const { bytes, blankless } = this;
    // The usual case, without calling into Node.
    if (place > 1 && bytes[place - 1] === LF && bytes[place - 2] === LF) return place;
    const searched = bytes.subarray(blankless, place);
    for (let lf = searched.lastIndexOf(LF); lf > 0; lf = searched.lastIndexOf(LF, lf - 1)) {
      const before = searched[lf - 1];
      if (before === LF || (before === CR && searched[lf - 2] === LF)) return blankless + lf + 1;
    }
    // What has been searched in vain is not searched again: an event may be megabytes.
    if (place === this.length) this.blankless = Math.max(0, place - BLANK_LINE_MAX);
    return 0;
  }

  /** Takes out what stands before a place. */
  drop(to: number): void {
    this.bytes.copyWithin(0, to, this.length);
    this.cut(this.length - to);
  }

  /** Takes out what stands behind a place. */
  cut(length: number): void {
    this.length = length;
    this.blankless = 0;
  }

  private grow(needed: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.bytes.length, FIRST_BYTES));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }
}
