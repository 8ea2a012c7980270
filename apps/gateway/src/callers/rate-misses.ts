import type { RateMissCount } from './registry-source.js';

const KINDS_MAX = 10_000;

/** Rate misses since they were last taken. Bounded: what comes beyond is counted again when there is room. */
export class RateMisses {
  private counts = new Map<string, RateMissCount>();

  add(miss: RateMissCount): void {
    const key = JSON.stringify([miss.tenantId, miss.provider, miss.model, miss.meter]);
    const known = this.counts.get(key);
    if (known) known.count += miss.count;
    else if (this.counts.size < KINDS_MAX) this.counts.set(key, { ...miss });
  }

  take(): RateMissCount[] {
    const taken = [...this.counts.values()];
    this.counts = new Map();
    return taken;
  }
}
