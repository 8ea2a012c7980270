import type { Evidence } from '@vendo/events';
import type { Job } from '@vendo/ledger-api';
import { Rational } from '@vendo/money';
import type { Quantity } from '@vendo/pricing';
import type { ObjectKey } from '../objects/object-table.js';
import type { StoredObjects } from '../objects/stored-objects.js';
import { HeadMeter } from '../providers/head-meter.js';
import type { JobReport, ProviderJobs, Reading } from '../providers/provider.js';
import { providerBySlug } from '../providers/registry.js';
import { NO_READING } from './measure.js';
import { type AnswerTaker, Settlement, type SettlementSurroundings } from './settlement.js';

export interface JobEndsSurroundings extends SettlementSurroundings {
  objects: StoredObjects;
}

/** Why the provider's count of a call did not come, and the status of its answer, if it gave one. */
export interface Uncounted {
  why:
    | 'no_question'
    | 'no_room'
    | 'no_turn'
    | 'no_answer'
    | 'refused'
    | 'nonsense'
    | 'failed'
    | 'gateway_gone';
  status: number | null;
}

/**
 * Charges jobs at the first report of their end, whoever asked for it. Other gateways may do the same: the usage event
 * has the hold's id, so that repeats change nothing.
 */
export class JobEnds {
  constructor(private readonly around: JobEndsSurroundings) {}

  /** See `Spool.synced`. */
  synced(): Promise<void> | null {
    return this.around.spool.synced();
  }

  /** Whether this gateway knows that the job has been charged. */
  isCharged(job: Job): boolean {
    return this.around.objects.isEnded(keyOf(job));
  }

  /** @returns whether this report has charged the job, if not for the first time. Never throws on what the report says. */
  take(job: Job, report: JobReport): boolean {
    if (report.state === 'running') return false;
    const reading: Reading =
      report.state === 'failed' ? { ...NO_READING, state: 'final', failed: true } : report.reading;
    const evidence = reading.state === 'final' ? (reading.evidence ?? 'exact') : 'estimated';
    return this.charge(job, reading, evidence, report.state);
  }

  /** Where no report has come for as long as the job says, what was counted of it stands. @returns whether it does. */
  giveUp(job: Job): boolean {
    const { counted, started_at } = job;
    if (!counted || this.around.clock.wallMs() < Date.parse(started_at) + counted.after_ms) return false;
    return this.stand(job, { why: 'gateway_gone', status: null });
  }

  /** What was counted of a job is charged: no report will come. @returns whether it was, if not for the first time. */
  stand(job: Job, uncounted: Uncounted): boolean {
    const { counted } = job;
    if (!counted) return false;
    const { model, tier, context_tokens: contextTokens } = counted;
    const provider = providerBySlug(job.provider);
    const asked = provider?.rateKeys(job.model) ?? [];
    const rateKeys = [...(model === null ? [] : (provider?.rateKeys(model) ?? [])), ...asked];
    const quantities = counted.quantities.map(({ meter, model: of, quantity }): Quantity => {
      const line = { meter, quantity: Rational.parse(quantity) };
      return of === undefined ? { ...line, rateKeys } : { ...line, model: of };
    });
    const reading = { ...NO_READING, model, tier, contextTokens, quantities };
    // An answer that can be asked for broke off or was torn from its report; any other came whole, without one.
    const evidence = provider?.jobs?.pollPath ? 'counted' : 'estimated';
    const isCharged = this.charge(job, { ...reading, state: 'partial' }, evidence, 'counted');
    if (isCharged && evidence === 'estimated') this.tellUncounted(job, uncounted);
    return isCharged;
  }

  private charge(job: Job, reading: Reading, evidence: Evidence, how: string): boolean {
    const provider = providerBySlug(job.provider);
    if (!provider?.jobs) return false;
    const rates = this.around.callers.rates();
    // Its prices come with the next poll of the registry, and its report can be read again.
    if (rates.version < job.rate_version) return false;
    const { upstream_id, ttl_ms: _ttl, counted, status, outcome, ...call } = job;
    // No provider with jobs has hosts of different prices (test/structure/providers.spec.ts).
    const charged = { ...call, host: null };
    const settlement = new Settlement(charged, provider, provider.jobs.needs, rates, this.around);
    // An answer without a name is known by its hold.
    const upstreamId = upstream_id === call.hold_id ? null : upstream_id;
    const named = { ...reading, upstreamId };
    const isWritten = settlement.spool(settlement.price(named), named, {
      outcome: reading.failed ? 'upstream_error' : outcome,
      evidence,
      status,
      upstreamRequestId: upstreamId,
      ttfbMs: null,
    });
    // A job of which something was counted has no row that its client could name.
    if (isWritten && counted === null) this.around.objects.end(keyOf(job));
    if (reading.state === 'none') this.missingReport(job);
    this.around.metrics.jobsSettled.inc({ provider: job.provider, how });
    return true;
  }

  /** It costs less than it should: who makes counts fail is seen by this. */
  private tellUncounted({ hold_id, tenant_id, provider, route, model }: Job, uncounted: Uncounted): void {
    this.around.metrics.uncounted.inc({ provider, why: uncounted.why });
    const facts = { call: hold_id, tenant: tenant_id, provider, route, model };
    this.around.logger.warn({ ...facts, ...uncounted }, 'a call costs its lower bound: it was not counted');
  }

  private missingReport({ hold_id, tenant_id, provider, route, model, outcome }: Job): void {
    this.around.metrics.unreported.inc({ provider, outcome });
    const facts = { call: hold_id, tenant: tenant_id, provider, route, model };
    this.around.logger.error(facts, 'the job has ended without a usage report');
  }
}

function keyOf({ provider, connection_id: connectionId, upstream_id: objectId }: Job): ObjectKey {
  return { provider, connectionId, objectId };
}

/** Reads an answer as a report on a job. */
export class ReportMeter extends HeadMeter {
  /**
   * The words of a transcript of many hours are larger than what is kept of a body, and then nothing of it would be
   * read. So one of over 1 MiB that says no length costs nothing, and is told to operators.
   */
  readonly depth = 2;
  /** What it said; running until it has said anything. */
  report: JobReport = { state: 'running' };

  constructor(
    private readonly jobs: ProviderJobs,
    private readonly job: Job,
  ) {
    super();
  }

  onHead(): void {
    // Reports are in bodies.
  }

  override onBody(json: unknown, source?: Buffer): void {
    this.report = this.jobs.read(json, this.job, source);
  }

  reading(): Reading {
    return NO_READING;
  }
}

/** A client's own question after its job: the job is charged before the answer that tells its end is over. */
export class JobPoll implements AnswerTaker {
  end: JobReport | null = null;

  constructor(
    private readonly ends: JobEnds,
    private readonly job: Job,
    private readonly meter: ReportMeter,
  ) {}

  release(): void {
    // The question is free.
  }

  settle(): void {
    this.end = this.meter.report;
    if (!this.ends.isCharged(this.job)) this.ends.take(this.job, this.end);
  }

  synced(): Promise<void> | null {
    return this.ends.synced();
  }
}
