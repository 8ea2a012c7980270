import { VendoError } from '@vendo/errors';
import type { Clock } from '@vendo/runtime';
import type { Freshness } from './callers.js';
import type { PollAge } from './poll-age.js';

const READ_AGAIN_MS = 60_000;
const ENTRIES_MAX = 100_000;
/** Reads in flight; beyond that unknown keys are being tried in bulk, and refusing is cheaper than queueing. */
const FILLS_MAX = 1_000;

interface Entry<Value> {
  value: Value;
  readBegan: number;
}

interface Fill<Value> {
  value: Promise<Value | null>;
  /** A change was first seen while this read was under way: it may have read the old row. */
  voided: boolean;
}

/**
 * One kind of registry record, read when first asked for, one read in flight per entry. Evicted by changes; while
 * those are not known (see PollAge) each call reads. What does not exist is not kept.
 */
export class EntryCache<Value> {
  private readonly entries = new Map<string, Entry<Value>>();
  private readonly fills = new Map<string, Fill<Value>>();

  constructor(
    private readonly read: (key: string) => Promise<Value | null>,
    private readonly pollAge: PollAge,
    private readonly clock: Clock,
  ) {}

  /** Null when the registry has no such record. Throws VendoError billing_unavailable when that cannot be known. */
  async get(key: string, freshness: Freshness): Promise<Value | null> {
    const entry = this.entries.get(key);
    const tolerable = freshness === 'free' && this.pollAge.isTolerable();
    if (entry && (this.pollAge.isFresh() || tolerable) && !this.isOld(entry)) return entry.value;
    try {
      return await this.fill(key);
    } catch (cause) {
      if (entry && tolerable) return entry.value;
      if (cause instanceof VendoError) throw cause;
      throw new VendoError('billing_unavailable', undefined, {}, { cause });
    }
  }

  /** Forgets the entry, and what reads under way will say of it. */
  evict(key: string): void {
    this.entries.delete(key);
    const fill = this.fills.get(key);
    if (!fill) return;
    fill.voided = true;
    this.fills.delete(key);
  }

  private async fill(key: string): Promise<Value | null> {
    const fill = this.fills.get(key) ?? this.begin(key);
    const value = await fill.value;
    return fill.voided ? this.fill(key) : value;
  }

  private begin(key: string): Fill<Value> {
    if (this.fills.size >= FILLS_MAX) throw new VendoError('billing_unavailable');
    const readBegan = this.clock.monotonicMs();
    const fill: Fill<Value> = { value: this.read(key), voided: false };
    this.fills.set(key, fill);
    fill.value
      .then((value) => {
        if (!fill.voided) this.keep(key, value, readBegan);
      })
      .catch(() => undefined)
      .finally(() => {
        if (this.fills.get(key) === fill) this.fills.delete(key);
      });
    return fill;
  }

  private keep(key: string, value: Value | null, readBegan: number): void {
    this.entries.delete(key);
    if (value === null) return;
    this.entries.set(key, { value, readBegan });
    if (this.entries.size <= ENTRIES_MAX) return;
    const [oldest] = this.entries.keys();
    if (oldest !== undefined) this.entries.delete(oldest);
  }

  private isOld({ readBegan }: Entry<Value>): boolean {
    return this.clock.monotonicMs() - readBegan > READ_AGAIN_MS;
  }
}
