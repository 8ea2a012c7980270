/**
 * Changes laid over maps that stay as they are: a batch decides on the layer, and only a committed layer is absorbed.
 * Reads see the change first, then what lies below, the first map that has the key.
 */
export class Layer<Key, Value> {
  private readonly changed = new Map<Key, Value>();
  private readonly maps: readonly ReadonlyMap<Key, Value>[];

  constructor(...below: ReadonlyMap<Key, Value>[]) {
    this.maps = below;
  }

  get(key: Key): Value | undefined {
    return this.changed.get(key) ?? this.below(key);
  }

  /** What lies below, whatever was set since. */
  below(key: Key): Value | undefined {
    for (const map of this.maps) {
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
