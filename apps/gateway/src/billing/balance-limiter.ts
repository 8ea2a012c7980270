import { Inject, Injectable } from '@nestjs/common';
import { VendoError } from '@vendo/errors';
import { Clock } from '@vendo/runtime';
import { BILLING_CONFIG, type BillingConfig } from './billing-config.js';

const WINDOW_MS = 60_000;
/** Bounds the memory of one window; addresses beyond share one count. */
const ADDRESSES_MAX = 100_000;

/** Counts balance requests per client address, good and bad keys alike, in windows of a minute. */
@Injectable()
export class BalanceLimiter {
  private counts = new Map<string, number>();
  private startedMs: number;

  constructor(
    @Inject(BILLING_CONFIG) private readonly config: BillingConfig,
    @Inject(Clock) private readonly clock: Clock,
  ) {
    this.startedMs = clock.monotonicMs();
  }

  /** Throws VendoError rate_limited, with the seconds until the next window. */
  admit(address: string): void {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.startedMs >= WINDOW_MS) {
      this.counts = new Map();
      this.startedMs = nowMs;
    }
    const known = this.counts.has(address) || this.counts.size < ADDRESSES_MAX;
    const counted = known ? address : 'all others';
    const count = (this.counts.get(counted) ?? 0) + 1;
    this.counts.set(counted, count);
    if (count <= this.config.balanceRatePerMin) return;
    const retry_after = Math.ceil((this.startedMs + WINDOW_MS - nowMs) / 1_000);
    throw new VendoError('rate_limited', undefined, { retry_after });
  }
}
