import type { EventType, Evidence, Meter, Outcome, UsageLine, VendoEvent } from '@vendo/events';
import type { Job } from '@vendo/ledger-api';
import { type Micros, microsToWire } from '@vendo/money';
import { inTierOf, type PriceContext, type PricedTier, type RateBook } from '@vendo/pricing';
import type { Clock, Logger } from '@vendo/runtime';
import { v7 as uuidv7 } from 'uuid';
import type { Callers } from '../callers/callers.js';
import type { Provider, ProviderUnits, Reading } from '../providers/provider.js';
import type { Spool } from '../spool/spool.js';
import type { ProxyMetrics } from './proxy-metrics.js';

export interface SettlementSurroundings {
  spool: Spool;
  callers: Callers;
  clock: Clock;
  logger: Logger;
  metrics: ProxyMetrics;
}

/** Whose hold it is: what its end says beside its cost. */
export type HoldFacts = Pick<Job, 'hold_id' | 'tenant_id' | 'subject'>;

/** Whose call it was and what decides its price. */
export type CallFacts = HoldFacts &
  Pick<
    Job,
    | 'app_id'
    | 'key_id'
    | 'connection_id'
    | 'provider'
    | 'route'
    | 'model'
    | 'rate_version'
    | 'hold_micros'
    | 'reserved_at'
  >;

/** A call that is charged: at its end, or as a job at its report. */
export interface ChargedCall extends CallFacts {
  /** The tier that prices where the answer names none. */
  tier: string;
  /** The provider's host that was called; null: its tiers cost the same everywhere. */
  host: string | null;
  stream: boolean;
  started_at: string;
}

/** Every model has prices in it. */
const STANDARD = 'standard';

/** How an answer ended, for its usage event. */
export interface AnswerEnd {
  outcome: Outcome;
  evidence: Evidence;
  status: number;
  upstreamRequestId: string | null;
  ttfbMs: number | null;
}

/** Takes what an answer came to: a hold, or whoever waits for a job's report. */
export interface AnswerTaker {
  /** Null until it has taken one; the first counts. */
  readonly end: object | null;
  release(outcome: 'not_forwarded' | 'upstream_died' | 'upstream_error'): void;
  settle(reading: Reading, end: AnswerEnd): void;
  /** The answer may end when this resolves; null: at once. Never rejects. */
  synced(): Promise<void> | null;
}

/** What of a usage event is decided by its price; the costs fit their JSON integers. */
export interface Charge {
  lines: UsageLine[];
  provider_cost_micros: number;
  cost_micros: number;
}

/** Prices what one call used, and spools it with the end of its hold. Billing never fails a call: nothing here throws. */
export class Settlement {
  /**
   * @param needs the meters by which the answer's model counts as priced.
   * @param rates has the call's rate version, or a newer one.
   */
  constructor(
    private readonly call: ChargedCall,
    private readonly provider: Provider,
    private readonly needs: readonly Meter[],
    private readonly rates: RateBook,
    private readonly around: SettlementSurroundings,
  ) {}

  /** What cannot be priced, or not in the tier that was billed, is an alert; the first becomes lines marked so. */
  price(reading: Reading): Charge {
    try {
      const priced = this.rates.price(this.priceContext(reading), reading.quantities);
      const charge = {
        lines: priced.lines,
        provider_cost_micros: microsToWire(priced.providerCostMicros),
        cost_micros: microsToWire(priced.costMicros),
      };
      for (const { meter, model } of priced.unpriced) this.unpriced(model, meter);
      return charge;
    } catch (thrown) {
      const { hold_id, provider, model } = this.call;
      this.around.metrics.pricingFailures.inc({ provider });
      this.around.logger.error(
        { err: thrown, call: hold_id, provider, model },
        'pricing failed: the usage is recorded unpriced',
      );
      this.unpriced(reading.model ?? model, null);
      return { lines: unpricedLines(reading), provider_cost_micros: 0, cost_micros: 0 };
    }
  }

  /** One frame: usage, and the end of the hold. @returns as `spoolFrame`. */
  spool(charge: Charge, reading: Reading, end: AnswerEnd): boolean {
    const { subject: _subject, tier: _tier, host: _host, hold_id: id, ...facts } = this.call;
    const model = reading.model ?? facts.model;
    const measured = eventOf('UsageMeasured.v2', id, facts.tenant_id, this.around.clock, {
      ...facts,
      ...charge,
      id,
      model,
      upstream_request_id: end.upstreamRequestId ?? reading.upstreamId,
      status: end.status,
      outcome: end.outcome,
      evidence: end.evidence,
      ended_at: nowIso(this.around.clock),
      ttfb_ms: end.ttfbMs,
      provider_units: reading.providerUnits?.quantity.toDecimal() ?? null,
    });
    const settled = settledOf(this.call, end.outcome, BigInt(charge.cost_micros), this.around.clock);
    const isWritten = spoolFrame([measured, settled], id, this.around);
    // What operators are told of comes behind the settlement: nothing of it may keep that from being written.
    if (reading.providerUnits) this.compare(reading.providerUnits, model);
    return isWritten;
  }

  /**
   * The answer's model and tier price where they have a price, else the request's. A tier that only the answer tells may
   * have none (a project's default, a new model): charged is then what was asked for, and what every model has.
   */
  private priceContext({ model, tier, contextTokens }: Reading): PriceContext {
    const { call, provider, rates } = this;
    const billed = tier ?? call.tier;
    const inTier = (name: string) => tierOf(provider, call.host, name);
    const standIns = [...new Set([call.tier, STANDARD])].filter((name) => name !== billed).map(inTier);
    const asked: PriceContext = {
      tenantId: call.tenant_id,
      provider: call.provider,
      rateKeys: provider.rateKeys(call.model),
      ...inTier(billed),
      standIns,
      contextTokens,
      at: Date.parse(call.reserved_at),
      version: call.rate_version,
    };
    if (model === null) return asked;
    const answered = { ...asked, rateKeys: provider.rateKeys(model) };
    const priced = (contexts: readonly PriceContext[]) =>
      [inTier(billed), ...standIns]
        .flatMap((tier) => contexts.map((context) => ({ context, inTier: inTierOf(context, tier) })))
        .find(({ inTier }) => rates.isPriced(inTier, this.needs))?.context;
    // Of another model the asked one's tier is no price, however it was asked for; of a snapshot of its own it is.
    const isSameModel = answered.rateKeys.includes(call.model);
    return priced(isSameModel ? [answered, asked] : [answered]) ?? asked;
  }

  private unpriced(model: string, meter: string | null): void {
    const { provider, tenant_id: tenantId } = this.call;
    this.around.metrics.unpriced.inc({ provider });
    this.around.callers.reportRateMiss({ tenantId, provider, model, meter });
  }

  /** The price list says other units than the provider's own count: a discount, or a change that finance should know. */
  private compare({ quantity, shouldBe }: ProviderUnits, model: string): void {
    if (shouldBe === null) return;
    const { hold_id, tenant_id, provider, route } = this.call;
    this.around.metrics.unitsDiffer.inc({ provider });
    const facts = { call: hold_id, tenant: tenant_id, provider, route, model };
    this.around.logger.warn(
      { ...facts, provider_units: quantity.toDecimal(), should_be: shouldBe.toDecimal() },
      "the provider's own count is not what its price list says",
    );
  }
}

/** The tier whose prices count at a host of the provider (`ChargedCall.host`), and the one that counts where it has none. */
export function tierOf(provider: Provider, host: string | null, tier: string): PricedTier {
  const there = host === null ? null : (provider.tierAt?.(host, tier) ?? null);
  return there === null ? { tier } : { tier: there, plainTier: tier };
}

export function settledOf(
  { hold_id, tenant_id, subject }: HoldFacts,
  outcome: Outcome,
  cost: Micros,
  clock: Clock,
): VendoEvent {
  const data = { hold_id, tenant_id, subject, cost_micros: microsToWire(cost), outcome };
  return eventOf('HoldSettled.v1', uuidv7(), tenant_id, clock, data);
}

export function eventOf<T extends EventType>(
  type: T,
  id: string,
  tenantId: string,
  clock: Clock,
  data: Extract<VendoEvent, { type: T }>['data'],
): VendoEvent {
  return { id, type, tenantId, at: nowIso(clock), data } as VendoEvent;
}

/**
 * The spool keeps and retries what it cannot write; a throw of it must not fail the answer either.
 * @returns whether the frame is written, so that the death of this process loses nothing of it.
 */
export function spoolFrame(
  events: readonly VendoEvent[],
  call: string,
  { spool, metrics, logger }: Pick<SettlementSurroundings, 'spool' | 'metrics' | 'logger'>,
): boolean {
  try {
    if (spool.append(events)) return true;
  } catch (thrown) {
    logger.fatal({ err: thrown, call }, 'the spool did not take the end of a hold');
  }
  metrics.spoolFailures.inc();
  return false;
}

function nowIso(clock: Clock): string {
  return new Date(clock.wallMs()).toISOString();
}

function unpricedLines({ quantities }: Reading): UsageLine[] {
  return quantities.map(({ meter, model, quantity }) => ({
    meter,
    ...(model === undefined ? {} : { model }),
    quantity: quantity.toDecimal(),
    unit_cost_usd: '0',
    per: '1',
    margin_pct: '0',
    cost_micros_exact: '0/1',
    cost_micros: 0,
    unpriced: true,
  }));
}
