const NOTHING = Buffer.alloc(0);

/**
 * Puts bytes together that come in chunks. Costs at most about three times their number in memory, however small the
 * chunks are: a list of chunks would cost over a hundred bytes for each of them.
 */
export class ByteCollector {
  length = 0;
  private buffer: Buffer = NOTHING;

  add(chunk: Buffer): void {
    if (this.length === 0) {
      // Most bodies are one chunk: those are not copied. It has no room for more, so nothing is written into it.
      this.buffer = chunk;
    } else {
      this.makeRoomFor(chunk.length);
      this.buffer.set(chunk, this.length);
    }
    this.length += chunk.length;
  }

  /** All bytes so far; the collector is empty afterwards. */
  take(): Buffer {
    const bytes = this.buffer.subarray(0, this.length);
    this.buffer = NOTHING;
    this.length = 0;
    return bytes;
  }

  private makeRoomFor(more: number): void {
    const needed = this.length + more;
    if (needed <= this.buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.length));
    this.buffer.copy(larger, 0, 0, this.length);
    this.buffer = larger;
  }
}
