/** What the sandbox remembers of its answers, so that they can be asked for again: the newest ones, by id. */
export class Kept<Value> {
  private readonly values = new Map<string, Value>();

  /** @param most the oldest beyond so many are forgotten. */
  constructor(private readonly most: number) {}

  put(id: string, value: Value): void {
    this.values.set(id, value);
    if (this.values.size <= this.most) return;
    for (const oldest of this.values.keys()) {
      this.values.delete(oldest);
      return;
    }
  }

  get(id: string): Value | undefined {
    return this.values.get(id);
  }

  delete(id: string): boolean {
    return this.values.delete(id);
  }
}
