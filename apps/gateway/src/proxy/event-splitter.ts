const LF = 0x0a;
const CR = 0x0d;

/**
 * Cuts a stream of server-sent events into whole events, each with the blank line that ends it, byte for byte: the
 * pieces put together are the stream. Lines end with LF, CRLF or CR; a cut never falls between CR and LF.
 */
export class EventSplitter {
  private held: Buffer[] = [];
  private lineIsEmpty = true;
  private afterCr = false;
  private seenCrLf = false;
  /** A blank line ended with CR: the event is whole, but an LF may still belong to it. */
  private awaitsLf = false;

  /** The events that are whole with this chunk. */
  push(chunk: Buffer): Buffer[] {
    const events: Buffer[] = [];
    let start = 0;
    const cut = (end: number): void => {
      events.push(this.join(chunk.subarray(start, end)));
      start = end;
    };
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at];
      if (this.awaitsLf) {
        this.awaitsLf = false;
        cut(byte === LF ? at + 1 : at);
        if (byte === LF) {
          this.afterCr = false;
          continue;
        }
      }
      if (byte === LF && this.afterCr) {
        this.afterCr = false;
        this.seenCrLf = true;
      } else if (byte === LF || byte === CR) {
        this.afterCr = byte === CR;
        if (this.lineIsEmpty && byte === LF) cut(at + 1);
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
      cut(chunk.length);
    }
    if (start < chunk.length) this.held.push(chunk.subarray(start));
    return events;
  }

  /** What is left at the end: an event without its blank line, or nothing. */
  rest(): Buffer {
    return this.join(Buffer.alloc(0));
  }

  private join(last: Buffer): Buffer {
    if (this.held.length === 0) return last;
    const whole = Buffer.concat([...this.held, last]);
    this.held = [];
    return whole;
  }
}
