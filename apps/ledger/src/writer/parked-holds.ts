import type { ParkedOfHold } from '../journal/journal.js';

/** Which holds of a shard have parked records, and which: later records of a parked hold follow it, until the last was replayed. */
export class ParkedHolds {
  private readonly offsets = new Map<string, Set<bigint>>();

  constructor(parked: readonly ParkedOfHold[]) {
    for (const { holdId, offset } of parked) this.add(holdId, offset);
  }

  /** Holds with the offsets of their parked records. */
  [Symbol.iterator](): Iterator<[holdId: string, offsets: ReadonlySet<bigint>]> {
    return this.offsets.entries();
  }

  has(holdId: string): boolean {
    return this.offsets.has(holdId);
  }

  add(holdId: string, offset: bigint): void {
    const known = this.offsets.get(holdId);
    if (known) known.add(offset);
    else this.offsets.set(holdId, new Set([offset]));
  }

  /** A repeat changes nothing. */
  remove(holdId: string, offset: bigint): void {
    const known = this.offsets.get(holdId);
    known?.delete(offset);
    if (known?.size === 0) this.offsets.delete(holdId);
  }
}
