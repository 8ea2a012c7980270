/**
 * Changes laid over maps that stay as they are: a batch decides on the layer, and only a committed layer is absorbed.
 * Reads see the change first, then what lies below, the first map that has the key.
 */
export class Layer<Key, Value> {
  private readonly changed = new Map<Key, Value>();
  private readonly below: readonly ReadonlyMap<Key, Value>[];

  constructor(...below: ReadonlyMap<Key, Value>[]) {
    this.below = below;
  }

  get(key: Key): Value | undefined {
    const changed = this.changed.get(key);
    if (changed !== undefined) return changed;
    for (const map of this.below) {
      const value = map.get(key);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  set(key: Key, value: Value): void {
    this.changed.set(key, value);
  }

  /** What was set since the layer was made, the newest value per key. */
  changes(): ReadonlyMap<Key, Value> {
    return this.changed;
  }
}
