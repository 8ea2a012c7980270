import { VendoError } from '@vendo/errors';
import type { Job, LedgerClient } from '@vendo/ledger-api';
import type { Clock, Logger, Metrics } from '@vendo/runtime';
import type { Callers } from '../callers/callers.js';
import type { CredentialVault } from '../credentials/credential-vault.js';
import { providerBySlug } from '../providers/registry.js';
import { type JobEnds, ReportMeter } from '../proxy/job-ends.js';
import { JobQuestion } from '../proxy/job-question.js';
import type { Upstreams } from '../proxy/upstreams.js';
import { JobLanes } from './job-lanes.js';

export interface JobPollerConfig {
  /** Between two looks for jobs that are due, milliseconds; 0: this gateway never looks. */
  everyMs: number;
  /** A look waits so long for its answers before the next one, milliseconds; default 5,000. */
  patienceMs?: number;
}

export interface JobPollerParts {
  ledger: LedgerClient;
  callers: Callers;
  vault: CredentialVault;
  upstreams: Upstreams;
  ends: JobEnds;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
}

/** Jobs of one look; they are this gateway's for a while. */
const JOBS_MAX = 20;
/** Until an answer is whole, milliseconds. Another gateway may lease the job meanwhile, which harms nothing. */
const ANSWER_WITHIN_MS = 30_000;
const ALERTED_MAX = 1_000;
const PATIENCE_MS = 5_000;

/**
 * Asks providers for the reports of jobs that no client's question has ended: also of those that died gateways left.
 * What cannot be asked for or has not ended comes again by its lease.
 */
export class JobPoller {
  private readonly stopping = new AbortController();
  private readonly open = new Set<JobQuestion>();
  /** By provider. */
  private readonly lanes = new Map<string, JobLanes>();
  /** Connections that operators were told of, until they can be used again. */
  private readonly alerted = new Set<string>();
  private readonly polled;
  private loop: Promise<void> = Promise.resolve();
  private failing = false;

  constructor(
    private readonly config: JobPollerConfig,
    private readonly parts: JobPollerParts,
  ) {
    this.polled = parts.metrics.counter(
      'vendo_jobs_polled_total',
      'Questions of the gateway itself after jobs, by what came of them',
      ['provider', 'result'],
    );
  }

  start(): void {
    if (this.config.everyMs > 0) this.loop = this.run();
  }

  /** Resolves when nothing is under way any more; open questions are given up. */
  async stop(): Promise<void> {
    this.stopping.abort();
    for (const lanes of this.lanes.values()) lanes.clear();
    for (const question of this.open) question.giveUp();
    await this.loop;
    await this.idle();
    await this.parts.upstreams.close();
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    for (;;) {
      await this.parts.clock.sleep(this.config.everyMs, signal);
      if (signal.aborted) return;
      await this.look();
    }
  }

  private async look(): Promise<void> {
    try {
      const jobs = await this.parts.ledger.leaseJobs(JOBS_MAX);
      this.failing = false;
      for (const job of jobs) this.take(job);
    } catch (thrown) {
      if (!this.failing) this.parts.logger.warn({ err: thrown }, 'jobs that are due cannot be looked for');
      this.failing = true;
    }
    await this.answeredOrSlow();
  }

  private take(job: Job): void {
    if (this.stopping.signal.aborted) return;
    const provider = providerBySlug(job.provider)?.slug ?? 'unknown';
    const lanes =
      this.lanes.get(provider) ??
      new JobLanes(async (taken) => this.polled.inc({ provider, result: await this.resultOf(taken) }));
    this.lanes.set(provider, lanes);
    if (!lanes.take(job)) this.polled.inc({ provider, result: 'put_off' });
  }

  /** A provider that is slow holds up no look for others. */
  private async answeredOrSlow(): Promise<void> {
    const over = new AbortController();
    const { signal } = this.stopping;
    const patience = this.parts.clock.sleep(
      this.config.patienceMs ?? PATIENCE_MS,
      AbortSignal.any([signal, over.signal]),
    );
    await Promise.race([this.idle(), patience]);
    over.abort();
  }

  private async idle(): Promise<void> {
    await Promise.all([...this.lanes.values()].map((lanes) => lanes.idle()));
  }

  /** What was counted of a job stands at its time, whether it could be asked for or not. */
  private async resultOf(job: Job): Promise<string> {
    const { result, isCharged } = await this.ask(job).catch((thrown: unknown) => ({
      result: this.notAsked(job, thrown),
      isCharged: false,
    }));
    try {
      return !isCharged && this.parts.ends.giveUp(job) ? 'given_up' : result;
    } catch (thrown) {
      return this.notAsked(job, thrown);
    }
  }

  private async ask(job: Job): Promise<{ result: string; isCharged: boolean }> {
    const provider = providerBySlug(job.provider);
    if (!provider?.jobs?.pollPath) return { result: 'unknown', isCharged: false };
    const connection = await this.parts.callers.connection(job.connection_id);
    const { origin, secret } = this.parts.vault.open(connection, provider.upstream);
    this.alerted.delete(job.connection_id);
    const outgoing = {
      path: provider.jobs.pollPath(job.upstream_id),
      headers: { accept: 'application/json', 'accept-encoding': 'identity' },
    };
    provider.authorize(outgoing, secret);
    const meter = new ReportMeter(provider.jobs, job);
    const status = await this.answerTo({ method: 'GET', ...outgoing, body: null }, origin, meter);
    const isAnswered = status !== null && status < 300;
    return {
      result: isAnswered ? meter.report.state : 'no_answer',
      isCharged: isAnswered && this.parts.ends.take(job, meter.report),
    };
  }

  private async answerTo(
    request: Parameters<Upstreams['dispatch']>[1],
    origin: string,
    meter: ReportMeter,
  ): Promise<number | null> {
    const question = new JobQuestion(meter);
    this.open.add(question);
    const timer = setTimeout(() => question.giveUp(), ANSWER_WITHIN_MS);
    this.parts.upstreams.dispatch(origin, request, question);
    return question.answered.finally(() => {
      clearTimeout(timer);
      this.open.delete(question);
    });
  }

  /** A report can be read only when the connection is back: an operator may know how. */
  private notAsked(job: Job, thrown: unknown): string {
    const { hold_id, connection_id, tenant_id, provider } = job;
    const facts = { call: hold_id, connection: connection_id, tenant: tenant_id, provider };
    if (!(thrown instanceof VendoError)) {
      this.parts.logger.error({ ...facts, err: thrown }, 'a job could not be asked for');
      return 'failed';
    }
    if (thrown.code !== 'billing_unavailable' && !this.alerted.has(connection_id)) {
      if (this.alerted.size >= ALERTED_MAX) this.alerted.clear();
      this.alerted.add(connection_id);
      this.parts.logger.error({ ...facts, code: thrown.code }, 'jobs of this connection cannot be asked for');
    }
    return 'not_asked';
  }
}
