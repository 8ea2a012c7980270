import type { Clock } from '@vendo/runtime';
import type { RateMissCount } from './registry-source.js';

const KINDS_MAX = 10_000;
/** A tenant may name what it likes as a model, and each name is a row. */
const KINDS_PER_TENANT_MAX = 200;
const HOUR_MS = 3_600_000;
const OTHER_MODELS = '(other models)';

/** Rate misses since they were last taken. Bounded: what a tenant names beyond 200 kinds an hour is counted together. */
export class RateMisses {
  private counts = new Map<string, RateMissCount>();
  private kindsOf = new Map<string, Set<string>>();
  private hourBegan: number;

  constructor(private readonly clock: Clock) {
    this.hourBegan = clock.monotonicMs();
  }

  add(miss: RateMissCount): void {
    const counted = this.isOneTooMany(miss) ? { ...miss, model: OTHER_MODELS, meter: '' } : miss;
    const key = JSON.stringify([counted.tenantId, counted.provider, counted.model, counted.meter]);
    const known = this.counts.get(key);
    if (known) known.count += counted.count;
    else if (this.counts.size < KINDS_MAX) this.counts.set(key, { ...counted });
  }

  take(): RateMissCount[] {
    const taken = [...this.counts.values()];
    this.counts = new Map();
    return taken;
  }

  private isOneTooMany({ tenantId, provider, model, meter }: RateMissCount): boolean {
    this.beginHour();
    const kinds = this.kindsOf.get(tenantId) ?? new Set();
    this.kindsOf.set(tenantId, kinds);
    const kind = JSON.stringify([provider, model, meter]);
    if (!kinds.has(kind) && kinds.size >= KINDS_PER_TENANT_MAX) return true;
    kinds.add(kind);
    return false;
  }

  private beginHour(): void {
    const now = this.clock.monotonicMs();
    if (now - this.hourBegan < HOUR_MS) return;
    this.hourBegan = now;
    this.kindsOf = new Map();
  }
}
