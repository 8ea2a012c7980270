/** Per partition the last number that the ledger has applied; a partition that is absent has none. Numbers begin at 1. */
export type Marks = Readonly<Record<string, number>>;

/** Per partition the next offset of the log that the ledger reads; absent: its owner did not answer. */
export type Consumed = Readonly<Record<string, number>>;

export function markOf(marks: Marks, partition: number): number {
  return marks[partition] ?? 0;
}

/** Marks only grow: what an answer lacks, or has from an older state, is known already. */
export function grown(known: Marks, told: Marks): Marks {
  const marks: Record<string, number> = { ...known };
  for (const [partition, mark] of Object.entries(told))
    marks[partition] = Math.max(marks[partition] ?? 0, mark);
  return marks;
}

/** Whether the ledger has applied all of these [partition, last number]. */
export function passed(marks: Marks, last: Iterable<readonly [partition: number, last: number]>): boolean {
  for (const [partition, number] of last) if (number > markOf(marks, partition)) return false;
  return true;
}
