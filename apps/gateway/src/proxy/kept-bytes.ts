/** Bytes `[from, to)` of a chunk. */
interface Range {
  chunk: Buffer;
  from: number;
  to: number;
}

/** Bytes that go on to the client, in as few pieces as they can. A piece is made when it goes: each costs a call's worth. */
export class KeptBytes {
  private ranges: Range[] = [];

  get isEmpty(): boolean {
    return this.ranges.length === 0;
  }

  add(chunk: Buffer, from = 0, to = chunk.length): void {
    if (from >= to) return;
    const { ranges } = this;
    const last = ranges.length > 0 ? ranges[ranges.length - 1] : undefined;
    if (last && last.chunk === chunk && last.to === from) last.to = to;
    else ranges.push({ chunk, from, to });
  }

  /** Takes over what another one has. */
  addAll(other: KeptBytes): void {
    if (other.isEmpty) return;
    for (const { chunk, from, to } of other.ranges) this.add(chunk, from, to);
    other.clear();
  }

  clear(): void {
    if (!this.isEmpty) this.ranges = [];
  }

  /** All of them; it is empty afterwards. */
  take(): Buffer[] {
    const pieces = this.ranges.map(({ chunk, from, to }) =>
      to - from === chunk.length ? chunk : chunk.subarray(from, to),
    );
    this.clear();
    return pieces;
  }
}
