/** One loop per owned shard: it begins when the shard is gained and ends when it is lost, and never runs twice at once. */
export class ShardLoops {
  private readonly loops = new Map<number, { stop: AbortController; ended: Promise<void> }>();
  private stopped = false;

  /** @param loop runs until the signal aborts; never throws. */
  constructor(private readonly loop: (shard: number, signal: AbortSignal) => Promise<void>) {}

  /** Begins as soon as an earlier loop of the shard has ended. */
  begin(shards: readonly number[]): void {
    if (this.stopped) return;
    for (const shard of shards) {
      const before = this.loops.get(shard)?.ended ?? Promise.resolve();
      this.loops.get(shard)?.stop.abort();
      const stop = new AbortController();
      const ended = before.then(() => (stop.signal.aborted ? undefined : this.loop(shard, stop.signal)));
      this.loops.set(shard, { stop, ended });
    }
  }

  /** Lets the loops of these shards end, without waiting for them. */
  end(shards: Iterable<number>): void {
    for (const shard of shards) this.loops.get(shard)?.stop.abort();
  }

  /** Ends all of them, for good. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.end(this.loops.keys());
    await Promise.all([...this.loops.values()].map(({ ended }) => ended));
  }
}
