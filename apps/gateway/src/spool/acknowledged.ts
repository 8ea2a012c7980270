/** A number that the log has taken, and the offset at which it stands there. */
interface Acknowledgement {
  number: number;
  offset: bigint;
}

/**
 * Tells when the ledger has read past what the log took and has not applied it. Only one acknowledgement is watched at
 * a time, and the newest is remembered for the time when the mark has passed that one: so memory does not grow while the
 * ledger is behind, and every number is covered by a later one.
 */
export class Acknowledged {
  private watched: Acknowledgement | null = null;
  private newest: Acknowledgement | null = null;

  took(number: number, offset: bigint): void {
    this.newest = { number, offset };
    this.watched ??= this.newest;
  }

  /** @param consumed the next offset that the ledger reads, of the same moment as the mark or an earlier one. */
  isMissing(mark: number, consumed: number): boolean {
    if (this.watched && this.watched.number <= mark) this.watched = this.newest;
    if (this.watched === null || this.watched.number <= mark) return false;
    return consumed > this.watched.offset;
  }
}
