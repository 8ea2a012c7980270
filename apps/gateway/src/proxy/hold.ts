import { VendoError } from '@vendo/errors';
import type { Outcome } from '@vendo/events';
import type { Job, ReserveCommand, ReserveDecision } from '@vendo/ledger-api';
import { type Micros, microsFromWire, microsToWire } from '@vendo/money';
import { type RateBook, TOKENS } from '@vendo/pricing';
import { v7 as uuidv7 } from 'uuid';
import type { Caller, Connection } from '../callers/callers.js';
import type { KeptObject } from '../objects/object-table.js';
import type { StoredObjects } from '../objects/stored-objects.js';
import type { JobTerms, MeteredRequest, Provider, Reading } from '../providers/provider.js';
import type { Questions } from './questions.js';
import { refundOf } from './refunds.js';
import {
  type AnswerEnd,
  type CallFacts,
  type Charge,
  eventOf,
  Settlement,
  type SettlementSurroundings,
  settledOf,
  spoolFrame,
} from './settlement.js';

/** What a hold is for; everything that its events will say of the call. */
export interface HoldSubject {
  /** The call's id is the hold's and the usage event's. */
  id: string;
  caller: Caller;
  connection: Connection;
  /** The account behind the connection is other tenants' as well. */
  isShared: boolean;
  provider: Provider;
  /** As of ChargedCall. */
  host: string | null;
  route: string;
  request: MeteredRequest;
  amount: Micros;
  /** The snapshot that the reserve names; it prices the answer, whatever changes meanwhile. */
  rates: RateBook;
  startedAtMs: number;
}

export interface HoldSurroundings extends SettlementSurroundings {
  objects: StoredObjects;
  questions: Questions;
}

/** The age at which an answer to a reserve is not used any more: the hold may be about to expire. */
const ANSWER_MAX_AGE_MS = 10_000;

/**
 * One hold from its reserve to its one end, or to the start of the job that ends it later. However many reasons to end
 * come together, the first one is spooled and the others do nothing.
 */
export class Hold {
  private sentAt: number | null = null;
  private reservedAt: string | null = null;
  private rateVersion: number;
  private ending: { outcome: Outcome; cost: Micros } | null = null;
  private kept: Promise<void> | null = null;

  constructor(
    private readonly subject: HoldSubject,
    private readonly around: HoldSurroundings,
  ) {
    this.rateVersion = subject.rates.version;
  }

  /** How it ended; null while it is open. A job that has begun is an end without a cost: nothing follows from this call. */
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
    const { subject: _subject, hold_micros: amount_micros, ...facts } = this.facts();
    const data = { ...facts, amount_micros };
    const announced = eventOf('HoldReserved.v1', uuidv7(), facts.tenant_id, clock, data);
    if (!spool.append([announced])) throw new VendoError('billing_unavailable');
  }

  /** Gives the whole hold back: nothing is charged. Does nothing before the reserve was sent or after an end. */
  release(outcome: 'not_forwarded' | 'upstream_died' | 'upstream_error'): void {
    if (this.sentAt === null || this.ending) return;
    this.ending = { outcome, cost: 0n };
    const { id, caller } = this.subject;
    const hold = { hold_id: id, tenant_id: caller.tenantId, subject: caller.capSubject };
    spoolFrame([settledOf(hold, outcome, 0n, this.around.clock)], id, this.around);
  }

  /** What must be over before the answer ends: its events on the disk (see `Spool.synced`), the row of what it made. */
  synced(): Promise<void> | null {
    const synced = this.around.spool.synced();
    if (this.kept === null || synced === null) return this.kept ?? synced;
    return Promise.all([this.kept, synced]).then(() => undefined);
  }

  /** Prices what was measured and spools it with the settlement as one frame; or spools that a job has begun. */
  settle(reading: Reading, end: AnswerEnd): void {
    if (this.ending) return;
    const { isShared, provider, request } = this.subject;
    const { upstreamId } = reading;
    const { job } = request;
    if (job && isJob(job, reading, end)) {
      // What its answer does not name is known by its hold.
      this.start(job, upstreamId ?? end.upstreamRequestId ?? this.subject.id, reading, end);
      return;
    }
    const charge = this.charge(reading, end);
    if (!request.stores || upstreamId === null) return;
    const refund = provider.refunds ? refundOf(this.facts(), charge) : null;
    if (isShared || refund !== null) this.keep(upstreamId, { job: null, refund });
  }

  private charge(reading: Reading, end: AnswerEnd): Charge {
    const { provider, host, request, rates, startedAtMs } = this.subject;
    const call = {
      ...this.facts(),
      tier: request.tier,
      host,
      stream: request.stream,
      started_at: isoOf(startedAtMs),
    };
    const settlement = new Settlement(call, provider, request.needs ?? TOKENS, rates, this.around);
    const charge = settlement.price(reading);
    this.ending = { outcome: end.outcome, cost: microsFromWire(charge.cost_micros) };
    settlement.spool(charge, reading, end);
    // A job without a name may run all the same, and nobody will ever know what it cost.
    const isCounted = end.evidence === 'counted' && (!request.job || request.job.unreported !== undefined);
    if (reading.state === 'none' && !reading.failed && !isCounted) this.missingReport(end);
    return charge;
  }

  /** From here on the hold waits for the job's report, whoever sees it first. */
  private start(
    { ttlMs, tier, unreported }: JobTerms,
    upstreamId: string,
    reading: Reading,
    { outcome, status }: AnswerEnd,
  ): void {
    this.ending = { outcome, cost: 0n };
    const { id, caller, connection, provider, request, startedAtMs } = this.subject;
    const job = {
      ...this.facts(),
      upstream_id: upstreamId,
      tier,
      ttl_ms: ttlMs,
      status,
      outcome,
      stream: request.stream,
      started_at: isoOf(startedAtMs),
      counted: unreported === undefined ? null : this.counted(reading, unreported.forMs),
    };
    spoolFrame(
      [eventOf('JobStarted.v1', uuidv7(), caller.tenantId, this.around.clock, job)],
      id,
      this.around,
    );
    if (unreported === undefined) this.keep(upstreamId, { job, refund: null });
    else if ('question' in unreported)
      this.around.questions.ask(job, {
        provider,
        connection,
        question: unreported.question,
        bodyBytes: request.body.length,
      });
  }

  /** What stands where no report comes for so long from now. */
  private counted({ model, tier, contextTokens, quantities }: Reading, forMs: number): Job['counted'] {
    return {
      after_ms: Math.max(0, this.around.clock.wallMs() - this.subject.startedAtMs) + forMs,
      model,
      tier,
      context_tokens: contextTokens,
      quantities: quantities.map(({ meter, model: of, quantity }) => ({
        meter,
        ...(of === undefined ? {} : { model: of }),
        quantity: quantity.toDecimal(),
      })),
    };
  }

  private keep(objectId: string, of: Pick<KeptObject, 'job' | 'refund'>): void {
    const { caller, connection, provider } = this.subject;
    const key = { provider: provider.slug, connectionId: connection.id, objectId };
    this.kept = this.around.objects.keep({ ...key, ...of, tenantId: caller.tenantId, ended: false });
  }

  private missingReport({ outcome, status }: AnswerEnd): void {
    const { id, caller, provider, route, request } = this.subject;
    this.around.metrics.unreported.inc({ provider: provider.slug, outcome });
    const facts = { call: id, tenant: caller.tenantId, provider: provider.slug, route, model: request.model };
    this.around.logger.error({ ...facts, status, outcome }, 'the answer carried no usage report');
  }

  private facts(): CallFacts {
    const { id, caller, connection, provider, route, request, amount } = this.subject;
    return {
      hold_id: id,
      tenant_id: caller.tenantId,
      subject: caller.capSubject,
      app_id: caller.appId,
      key_id: caller.keyId,
      connection_id: connection.id,
      provider: provider.slug,
      route,
      model: request.model,
      rate_version: this.rateVersion,
      hold_micros: microsToWire(amount),
      reserved_at: this.reservation(),
    };
  }

  private reservation(): string {
    if (this.reservedAt === null) throw new Error('the hold was never reserved');
    return this.reservedAt;
  }
}

function isJob({ unreported }: JobTerms, reading: Reading, { evidence }: AnswerEnd): boolean {
  const { failed, upstreamId, quantities } = reading;
  if (failed) return false;
  if (!unreported) return upstreamId !== null;
  // What is no answer of the provider's at all has used nothing.
  if ('question' in unreported) return evidence === 'estimated' && quantities.length > 0;
  const isUnreported = evidence === 'counted' || evidence === 'estimated';
  return isUnreported && upstreamId !== null && unreported.ids.test(upstreamId);
}

function isoOf(wallMs: number): string {
  return new Date(wallMs).toISOString();
}

function refusalOf({ code, retry_after }: Extract<ReserveDecision, { status: 'refused' }>): VendoError {
  // The gateway made the id, so a conflict about it is a fault of ours, not of the caller.
  if (code === 'hold_conflict' || code === 'hold_ended') return new VendoError('billing_unavailable');
  return new VendoError(code, undefined, retry_after === undefined ? {} : { retry_after });
}
