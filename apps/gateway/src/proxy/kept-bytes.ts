/** Bytes that go on to the client, in as few pieces as they can. */
export class KeptBytes {
  readonly pieces: Buffer[] = [];

  add(bytes: Buffer, from = 0, to = bytes.length): void {
    if (from >= to) return;
    const last = this.pieces.length > 0 ? this.pieces[this.pieces.length - 1] : undefined;
    const start = bytes.byteOffset + from;
    if (last && last.buffer === bytes.buffer && last.byteOffset + last.length === start)
      this.pieces[this.pieces.length - 1] = Buffer.from(
        bytes.buffer,
        last.byteOffset,
        last.length + to - from,
      );
    else this.pieces.push(to - from === bytes.length ? bytes : bytes.subarray(from, to));
  }
}
