import type { ParkedOfHold } from '../journal/journal.js';

/** Which holds have parked records, and which: later records of a parked hold follow it, until the last was replayed. */
export class ParkedHolds {
  private readonly records = new Map<string, Set<string>>();

  constructor(parked: readonly ParkedOfHold[]) {
    for (const record of parked) this.add(record.holdId, recordKey(record));
  }

  /** Holds with the names of their parked records. */
  [Symbol.iterator](): Iterator<[holdId: string, records: ReadonlySet<string>]> {
    return this.records.entries();
  }

  has(holdId: string): boolean {
    return this.records.has(holdId);
  }

  add(holdId: string, record: string): void {
    const known = this.records.get(holdId);
    if (known) known.add(record);
    else this.records.set(holdId, new Set([record]));
  }

  /** A repeat changes nothing. */
  remove(holdId: string, record: string): void {
    const known = this.records.get(holdId);
    known?.delete(record);
    if (known?.size === 0) this.records.delete(holdId);
  }
}

/** Names a record of gateway.events. */
export function recordKey({ partition, offset }: { partition: number; offset: bigint }): string {
  return `${partition}/${offset}`;
}
