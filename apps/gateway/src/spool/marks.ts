/** Per partition the last number that the ledger has applied; a partition that is absent has none. Numbers begin at 1. */
export type Marks = Readonly<Record<string, number>>;

export function markOf(marks: Marks, partition: number): number {
  return marks[partition] ?? 0;
}

/** Whether the ledger has applied all of these [partition, last number]. */
export function passed(marks: Marks, last: Iterable<readonly [partition: number, last: number]>): boolean {
  for (const [partition, number] of last) if (number > markOf(marks, partition)) return false;
  return true;
}
