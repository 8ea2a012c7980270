import type { CorrectedLine, UsageLine } from '@vendo/events';
import { v7 as uuidv7 } from 'uuid';
import type { ObjectKey, Refund } from '../objects/object-table.js';
import type { StoredObjects } from '../objects/stored-objects.js';
import { HeadMeter } from '../providers/head-meter.js';
import type { Headers, ProviderRefunds, Reading } from '../providers/provider.js';
import { NO_READING } from './measure.js';
import {
  type AnswerTaker,
  type CallFacts,
  type Charge,
  eventOf,
  type SettlementSurroundings,
  spoolFrame,
} from './settlement.js';

/** What a refund of a charge corrects; null: there is nothing to give back. */
export function refundOf(call: CallFacts, charge: Charge): Refund | null {
  if (charge.cost_micros === 0) return null;
  return {
    ...call,
    n: 1,
    reason: 'refunded',
    lines: charge.lines.map(givenBack),
    provider_cost_micros: -charge.provider_cost_micros,
    cost_micros: -charge.cost_micros,
  };
}

function givenBack({ quantity, cost_micros, cost_micros_exact, ...line }: UsageLine): CorrectedLine {
  return {
    ...line,
    quantity: `-${quantity}`,
    // A zero has no sign in JSON.
    cost_micros: cost_micros === 0 ? 0 : -cost_micros,
    cost_micros_exact: cost_micros_exact.startsWith('0/') ? cost_micros_exact : `-${cost_micros_exact}`,
  };
}

/** Reads an answer about an object for whether what it cost was given back. */
export class RefundMeter extends HeadMeter {
  isRefunded = false;
  private headers: Headers = {};

  constructor(
    private readonly refunds: ProviderRefunds,
    private readonly objectId: string,
  ) {
    super();
  }

  onHead(headers: Headers): void {
    this.headers = headers;
  }

  override onBody(json: unknown): void {
    this.isRefunded = this.refunds.isRefunded(json, this.headers, this.objectId);
  }

  reading(): Reading {
    return NO_READING;
  }
}

export interface RefundSurroundings extends SettlementSurroundings {
  objects: StoredObjects;
}

/** A client's own question about what it was charged for: a refund is spooled before the answer that tells it is over. */
export class RefundPoll implements AnswerTaker {
  end: { isRefunded: boolean } | null = null;

  constructor(
    private readonly refund: Refund,
    private readonly key: ObjectKey,
    private readonly meter: RefundMeter,
    private readonly around: RefundSurroundings,
  ) {}

  release(): void {
    // The question is free.
  }

  settle(): void {
    const { clock, metrics, objects } = this.around;
    const { isRefunded } = this.meter;
    this.end = { isRefunded };
    if (!isRefunded || objects.isEnded(this.key)) return;
    const { hold_id, tenant_id, provider } = this.refund;
    const corrected = eventOf('UsageCorrected.v1', uuidv7(), tenant_id, clock, this.refund);
    // Nobody else ever asks: what is not written must be found again by the next poll.
    if (!spoolFrame([corrected], hold_id, this.around)) return;
    objects.end(this.key);
    metrics.refunds.inc({ provider });
  }

  synced(): Promise<void> | null {
    return this.around.spool.synced();
  }
}
