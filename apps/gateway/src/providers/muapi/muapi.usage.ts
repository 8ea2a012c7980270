import { Rational } from '@vendo/money';
import type { Quantity } from '@vendo/pricing';
import { isObject, nameOf, objectOf } from '../foreign-json.js';
import type { EventVerdict, Headers, Reading, UsageMeter } from '../provider.js';
import { decimalOf } from '../quantities.js';
import { PASS } from '../verdicts.js';

const REQUEST: Quantity = { meter: 'requests', quantity: Rational.ONE };

/** What a submit costs: `cost` in the body, else what its head says. Jobs are charged when they are taken, whatever becomes of them. */
export class SubmitMeter implements UsageMeter {
  private usd: Rational | null = null;
  private refunded = false;
  private isFromHead = false;
  private failed = false;
  private id: string | null = null;

  onHead(headers: Headers): void {
    this.usd = decimalOf(headers['x-muapi-cost-usd']);
    this.refunded = headers['x-muapi-cost-refunded'] === 'true';
    this.isFromHead = this.usd !== null;
  }

  onEvent(): EventVerdict {
    return PASS;
  }

  onBody(json: unknown): void {
    const body = objectOf(json);
    const cost = objectOf(body.cost);
    const usd = decimalOf(cost.amount_usd);
    this.id = nameOf(body.request_id) ?? nameOf(body.id);
    this.failed = body.status === 'failed' || isObject(body.error) || nameOf(body.error) !== null;
    if (typeof cost.refunded === 'boolean') this.refunded = cost.refunded;
    if (usd === null) return;
    this.usd = usd;
    this.isFromHead = false;
  }

  onTornBody(): void {
    // Half a cost is none; the head may have said it.
  }

  reading(): Reading {
    return {
      model: null,
      tier: null,
      quantities: this.quantities(),
      contextTokens: 0,
      state: this.usd === null ? 'none' : 'final',
      ...(this.isFromHead ? { evidence: 'header' as const } : {}),
      failed: this.failed,
      upstreamId: this.id,
    };
  }

  counted(): Reading {
    return this.reading();
  }

  /** Both: which of them has a price, and which is declared free, says whether the model is flat or dynamic. */
  private quantities(): Quantity[] {
    if (this.refunded) return [];
    return this.usd === null ? [REQUEST] : [REQUEST, { meter: 'usd', quantity: this.usd }];
  }
}

/** A poll repeats the cost; that a job failed says nothing of its money, only `refunded` does. */
export function isRefunded(json: unknown, headers: Headers, jobId: string): boolean {
  const body = objectOf(json);
  const named = nameOf(body.request_id) ?? nameOf(body.id);
  if (named !== null && named !== jobId) return false;
  const { refunded } = objectOf(body.cost);
  return typeof refunded === 'boolean' ? refunded : headers['x-muapi-cost-refunded'] === 'true';
}
