import type { Meter } from '@vendo/events';
import type { Rational } from '@vendo/money';
import { inForce, newestFirst, type PricingInstant } from './in-force.js';
import type { Margin } from './rates.js';

type Scope = Pick<Margin, 'tenantId' | 'integration' | 'meter'>;

/** The margin cascade: the first rule that matches, most specific first. */
export class MarginBook {
  private readonly rules = new Map<string, Margin[]>();
  private readonly tenants = new Set<string | null>([null]);

  constructor(margins: readonly Margin[]) {
    for (const margin of margins) {
      this.tenants.add(margin.tenantId);
      const key = keyOf(margin);
      const rules = this.rules.get(key);
      if (rules) rules.push(margin);
      else this.rules.set(key, [margin]);
    }
    for (const rules of this.rules.values()) rules.sort(newestFirst);
  }

  /** Per cent; null when not even a global rule is in force. */
  find(tenantId: string, integration: string, meter: Meter, instant: PricingInstant): Rational | null {
    return (
      this.findFor(tenantId, integration, meter, instant) ?? this.findFor(null, integration, meter, instant)
    );
  }

  private findFor(
    tenantId: string | null,
    integration: string,
    meter: Meter,
    instant: PricingInstant,
  ): Rational | null {
    // Few tenants have margins of their own.
    if (!this.tenants.has(tenantId)) return null;
    return (
      this.inForce({ tenantId, integration: null, meter }, instant) ??
      this.inForce({ tenantId, integration, meter: null }, instant) ??
      this.inForce({ tenantId, integration: null, meter: null }, instant)
    );
  }

  private inForce(scope: Scope, instant: PricingInstant): Rational | null {
    return this.rules.get(keyOf(scope))?.find((one) => inForce(one, instant))?.marginPct ?? null;
  }
}

function keyOf({ tenantId, integration, meter }: Scope): string {
  return `${tenantId ?? ''}|${integration ?? ''}|${meter ?? ''}`;
}
