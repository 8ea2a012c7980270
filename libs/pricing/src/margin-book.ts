import type { Meter } from '@vendo/events';
import type { Rational } from '@vendo/money';
import { inForce, newestFirst, type PricingInstant } from './in-force.js';
import type { Margin } from './rates.js';

type Scope = Pick<Margin, 'tenantId' | 'integration' | 'meter'>;

/** The margin cascade: the first rule that matches, most specific first. */
export class MarginBook {
  private readonly rules = new Map<string, Margin[]>();

  constructor(margins: readonly Margin[]) {
    for (const margin of margins) {
      const key = keyOf(margin);
      const rules = this.rules.get(key);
      if (rules) rules.push(margin);
      else this.rules.set(key, [margin]);
    }
    for (const rules of this.rules.values()) rules.sort(newestFirst);
  }

  /** Per cent; null when not even a global rule is in force. */
  find(tenantId: string, integration: string, meter: Meter, instant: PricingInstant): Rational | null {
    const cascade: Scope[] = [
      { tenantId, integration: null, meter },
      { tenantId, integration, meter: null },
      { tenantId, integration: null, meter: null },
      { tenantId: null, integration: null, meter },
      { tenantId: null, integration, meter: null },
      { tenantId: null, integration: null, meter: null },
    ];
    for (const scope of cascade) {
      const rule = this.rules.get(keyOf(scope))?.find((one) => inForce(one, instant));
      if (rule) return rule.marginPct;
    }
    return null;
  }
}

function keyOf({ tenantId, integration, meter }: Scope): string {
  return `${tenantId ?? ''}|${integration ?? ''}|${meter ?? ''}`;
}
