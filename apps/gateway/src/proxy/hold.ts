import { VendoError } from '@vendo/errors';
import type { EventType, Evidence, Outcome, UsageLine, VendoEvent } from '@vendo/events';
import type { ReserveCommand, ReserveDecision } from '@vendo/ledger-api';
import { type Micros, microsFromWire, microsToWire } from '@vendo/money';
import { type PriceContext, type RateBook, TOKENS } from '@vendo/pricing';
import type { Clock, Logger } from '@vendo/runtime';
import { v7 as uuidv7 } from 'uuid';
import type { Caller, Callers, Connection } from '../callers/callers.js';
import type { MeteredRequest, Provider, ProviderUnits, Reading } from '../providers/provider.js';
import type { Spool } from '../spool/spool.js';
import type { ProxyMetrics } from './proxy-metrics.js';

/** What a hold is for; everything that its events will say of the call. */
export interface HoldSubject {
  /** The call's id is the hold's and the usage event's. */
  id: string;
  caller: Caller;
  connection: Connection;
  provider: Provider;
  route: string;
  request: MeteredRequest;
  amount: Micros;
  /** The snapshot that the reserve names; it prices the answer, whatever changes meanwhile. */
  rates: RateBook;
  startedAtMs: number;
}

export interface HoldSurroundings {
  spool: Spool;
  callers: Callers;
  clock: Clock;
  logger: Logger;
  metrics: ProxyMetrics;
}

/** How an answer ended, for its usage event. */
export interface AnswerEnd {
  outcome: Outcome;
  evidence: Evidence;
  status: number;
  upstreamRequestId: string | null;
  ttfbMs: number | null;
}

/** What of a usage event is decided by its price; the costs fit their JSON integers. */
interface Charge {
  lines: UsageLine[];
  provider_cost_micros: number;
  cost_micros: number;
}

/** The age at which an answer to a reserve is not used any more: the hold may be about to expire. */
const ANSWER_MAX_AGE_MS = 10_000;

/**
 * One hold from its reserve to its one end. However many reasons to end come together, the first one is spooled and
 * the others do nothing.
 */
export class Hold {
  private sentAt: number | null = null;
  private reservedAt: string | null = null;
  private rateVersion: number;
  private ending: { outcome: Outcome; cost: Micros } | null = null;

  constructor(
    private readonly subject: HoldSubject,
    private readonly around: HoldSurroundings,
  ) {
    this.rateVersion = subject.rates.version;
  }

  /** How it ended; null while it is open. */
  get end(): { outcome: Outcome; cost: Micros } | null {
    return this.ending;
  }

  /** What to send to the ledger; from here on the hold may exist there, so it must be ended. */
  command(): ReserveCommand {
    const { id, caller, amount, rates } = this.subject;
    this.sentAt = this.around.clock.monotonicMs();
    return {
      hold_id: id,
      tenant_id: caller.tenantId,
      subject: caller.capSubject,
      amount_micros: microsToWire(amount),
      rate_version: rates.version,
    };
  }

  /** Takes the ledger's answer. Throws VendoError: the refusal's code, or `billing_unavailable`. */
  take(answer: ReserveDecision): void {
    if (answer.status === 'failed') throw new VendoError('billing_unavailable');
    if (answer.status === 'refused') throw refusalOf(answer);
    this.reservedAt = answer.reserved_at;
    this.rateVersion = answer.rate_version;
  }

  /**
   * Spools that the call is about to be forwarded. Throws VendoError `billing_unavailable` when the answer is too old
   * or the frame could not be written: then nothing may be sent.
   */
  announce(): void {
    const { clock, spool } = this.around;
    const age = clock.monotonicMs() - (this.sentAt ?? Number.NEGATIVE_INFINITY);
    if (this.ending || age > ANSWER_MAX_AGE_MS) throw new VendoError('billing_unavailable');
    const { id, caller, connection, provider, route, request, amount } = this.subject;
    const announced = this.event('HoldReserved.v1', uuidv7(), {
      hold_id: id,
      tenant_id: caller.tenantId,
      app_id: caller.appId,
      key_id: caller.keyId,
      connection_id: connection.id,
      provider: provider.slug,
      route,
      model: request.model,
      amount_micros: microsToWire(amount),
      rate_version: this.rateVersion,
      reserved_at: this.reservation(),
    });
    if (!spool.append([announced])) throw new VendoError('billing_unavailable');
  }

  /** Gives the whole hold back: nothing is charged. Does nothing before the reserve was sent or after an end. */
  release(outcome: 'not_forwarded' | 'upstream_died' | 'upstream_error'): void {
    if (this.sentAt === null || this.ending) return;
    this.ending = { outcome, cost: 0n };
    this.write([this.settled()]);
  }

  /** See `Spool.synced`: what was spooled of this hold is covered by it. */
  synced(): Promise<void> | null {
    return this.around.spool.synced();
  }

  /** Prices what was measured and spools it with the settlement as one frame. */
  settle(reading: Reading, end: AnswerEnd): void {
    if (this.ending) return;
    const model = reading.model ?? this.subject.request.model;
    const charge = this.charge(reading);
    this.ending = { outcome: end.outcome, cost: microsFromWire(charge.cost_micros) };
    const { id, caller, connection, provider, route, request, amount, startedAtMs } = this.subject;
    const measured = this.event('UsageMeasured.v2', id, {
      id,
      tenant_id: caller.tenantId,
      app_id: caller.appId,
      key_id: caller.keyId,
      connection_id: connection.id,
      provider: provider.slug,
      route,
      model,
      upstream_request_id: end.upstreamRequestId ?? reading.upstreamId,
      status: end.status,
      outcome: end.outcome,
      evidence: end.evidence,
      ...charge,
      rate_version: this.rateVersion,
      hold_micros: microsToWire(amount),
      reserved_at: this.reservation(),
      started_at: new Date(startedAtMs).toISOString(),
      ended_at: this.nowIso(),
      ttfb_ms: end.ttfbMs,
      stream: request.stream,
      provider_units: reading.providerUnits?.quantity.toDecimal() ?? null,
    });
    this.write([measured, this.settled()]);
    // What operators are told of comes behind the settlement: nothing of it may keep that from being written.
    if (reading.state === 'none' && !reading.failed && end.evidence !== 'counted') this.missingReport(end);
    if (reading.providerUnits) this.compare(reading.providerUnits, model);
  }

  /** Billing never fails a call: what cannot be priced becomes lines marked so, and an alert. */
  private charge(reading: Reading): Charge {
    try {
      const context = this.priceContext(reading);
      const priced = this.subject.rates.price(context, reading.quantities);
      const charge = {
        lines: priced.lines,
        provider_cost_micros: microsToWire(priced.providerCostMicros),
        cost_micros: microsToWire(priced.costMicros),
      };
      for (const { meter, model } of priced.unpriced) this.unpriced(model, meter);
      return charge;
    } catch (thrown) {
      const { id, provider, request } = this.subject;
      this.around.metrics.pricingFailures.inc({ provider: provider.slug });
      this.around.logger.error(
        { err: thrown, call: id, provider: provider.slug, model: request.model },
        'pricing failed: the usage is recorded unpriced',
      );
      this.unpriced(reading.model ?? request.model, null);
      return { lines: unpricedLines(reading), provider_cost_micros: 0, cost_micros: 0 };
    }
  }

  /** The answer's model prices where it has a price, else the request's. */
  private priceContext({ model, tier, contextTokens }: Reading): PriceContext {
    const { caller, provider, request, rates } = this.subject;
    const asked: PriceContext = {
      tenantId: caller.tenantId,
      provider: provider.slug,
      rateKeys: provider.rateKeys(request.model),
      tier: tier ?? request.tier,
      contextTokens,
      at: Date.parse(this.reservation()),
      version: this.rateVersion,
    };
    if (model === null) return asked;
    const answered = { ...asked, rateKeys: provider.rateKeys(model) };
    return rates.isPriced(answered, request.needs ?? TOKENS) ? answered : asked;
  }

  private unpriced(model: string, meter: string | null): void {
    const { caller, provider } = this.subject;
    this.around.metrics.unpriced.inc({ provider: provider.slug });
    this.around.callers.reportRateMiss({
      tenantId: caller.tenantId,
      provider: provider.slug,
      model,
      meter,
    });
  }

  private missingReport({ outcome, status }: AnswerEnd): void {
    const { id, caller, provider, route, request } = this.subject;
    this.around.metrics.unreported.inc({ provider: provider.slug, outcome });
    const facts = { call: id, tenant: caller.tenantId, provider: provider.slug, route, model: request.model };
    this.around.logger.error({ ...facts, status, outcome }, 'the answer carried no usage report');
  }

  /** The price list says other units than the provider's own count: a discount, or a change that finance should know. */
  private compare({ quantity, shouldBe }: ProviderUnits, model: string): void {
    if (shouldBe === null) return;
    const { id, caller, provider, route } = this.subject;
    this.around.metrics.unitsDiffer.inc({ provider: provider.slug });
    const facts = { call: id, tenant: caller.tenantId, provider: provider.slug, route, model };
    this.around.logger.warn(
      { ...facts, provider_units: quantity.toDecimal(), should_be: shouldBe.toDecimal() },
      "the provider's own count is not what its price list says",
    );
  }

  private settled(): VendoEvent {
    const { id, caller } = this.subject;
    const { outcome, cost } = this.ending ?? { outcome: 'not_forwarded', cost: 0n };
    return this.event('HoldSettled.v1', uuidv7(), {
      hold_id: id,
      tenant_id: caller.tenantId,
      subject: caller.capSubject,
      cost_micros: microsToWire(cost),
      outcome,
    });
  }

  private event<T extends EventType>(
    type: T,
    id: string,
    data: Extract<VendoEvent, { type: T }>['data'],
  ): VendoEvent {
    return { id, type, tenantId: this.subject.caller.tenantId, at: this.nowIso(), data } as VendoEvent;
  }

  /** The spool keeps and retries what it cannot write; a throw of it must not fail the answer either. */
  private write(events: readonly VendoEvent[]): void {
    try {
      if (this.around.spool.append(events)) return;
      this.around.metrics.spoolFailures.inc();
    } catch (thrown) {
      this.around.metrics.spoolFailures.inc();
      this.around.logger.fatal(
        { err: thrown, call: this.subject.id },
        'the spool did not take the end of a hold',
      );
    }
  }

  private reservation(): string {
    if (this.reservedAt === null) throw new Error('the hold was never reserved');
    return this.reservedAt;
  }

  private nowIso(): string {
    return new Date(this.around.clock.wallMs()).toISOString();
  }
}

function refusalOf({ code, retry_after }: Extract<ReserveDecision, { status: 'refused' }>): VendoError {
  // The gateway made the id, so a conflict about it is a fault of ours, not of the caller.
  if (code === 'hold_conflict' || code === 'hold_ended') return new VendoError('billing_unavailable');
  return new VendoError(code, undefined, retry_after === undefined ? {} : { retry_after });
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
