/**
 * Request bodies in memory, of all calls together. Each is bounded, but many at once would end the process with all its
 * open calls: rather than that, the one that finds no room is refused. Bytes count as they come, not as they are
 * announced, so that announcing takes nothing from others.
 */
export class BodyBudget {
  private held = 0;

  /** @param changed told the bytes that are held now. */
  constructor(
    readonly maxBytes: number,
    private readonly changed: (bytes: number) => void,
    private readonly whole: BodyBudget | null = null,
  ) {}

  /** At most so many bytes of this budget, for calls of one kind: the rest is never taken by them. */
  part(maxBytes: number): BodyBudget {
    return new BodyBudget(maxBytes, () => undefined, this);
  }

  /** The share of one call. */
  open(): BodyShare {
    return new BodyShare((bytes) => this.take(bytes));
  }

  /** A negative number gives back. @returns false when there is no room; nothing is taken then. */
  private take(bytes: number): boolean {
    if (bytes > 0 && this.held + bytes > this.maxBytes) return false;
    if (this.whole?.take(bytes) === false) return false;
    this.held += bytes;
    this.changed(this.held);
    return true;
  }
}

/** What one call holds of the budget: until it is over, because a call that is cut off reads its request again. */
export class BodyShare {
  private bytes = 0;

  constructor(private readonly takeOfAll: (bytes: number) => boolean) {}

  /** A negative number gives back. @returns false when there is no room for so many more bytes. */
  take(bytes: number): boolean {
    if (!this.takeOfAll(bytes)) return false;
    this.bytes += bytes;
    return true;
  }

  /** Once, when the call is over. */
  giveBack(): void {
    if (this.bytes > 0) this.takeOfAll(-this.bytes);
  }
}
