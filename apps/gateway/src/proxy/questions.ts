import { setImmediate } from 'node:timers/promises';
import type { Job } from '@vendo/ledger-api';
import type { Clock, Logger } from '@vendo/runtime';
import type { Connection } from '../callers/callers.js';
import type { CredentialVault } from '../credentials/credential-vault.js';
import type { Provider, Question } from '../providers/provider.js';
import type { BodyBudget } from './body-budget.js';
import { type JobEnds, ReportMeter } from './job-ends.js';
import { JobQuestion } from './job-question.js';
import type { OpenCalls } from './open-calls.js';
import type { Upstreams } from './upstreams.js';

export interface QuestionsSurroundings {
  vault: CredentialVault;
  upstreams: Upstreams;
  jobEnds: JobEnds;
  clock: Clock;
  logger: Logger;
  /** Questions are calls that are under way: a stop gives them the same time. */
  open: OpenCalls;
  /** Their bodies count as those of requests do. */
  bodies: BodyBudget;
}

/** Whom a question is for. */
export interface Asker {
  provider: Provider;
  connection: Connection;
  /** As `UnreportedTerms` says. */
  question(): Question | null;
}

/** Until the answer is whole, milliseconds; seen when the open calls are looked at, each second. */
const ANSWER_WITHIN_MS = 5_000;
const AT_ONCE_MAX = 64;

/**
 * Asks providers what their answers did not say, while this gateway still has the requests. Nothing of a client's
 * answer waits for that: the job of the call is on the disk, and what was counted of it stands where no report comes,
 * from here at once, from another gateway where this one died.
 */
export class Questions {
  private readonly asked = new Set<Promise<void>>();

  constructor(private readonly around: QuestionsSurroundings) {}

  /** Never throws. */
  ask(job: Job, asker: Asker): void {
    const asked = this.settle(job, asker).finally(() => this.asked.delete(asked));
    this.asked.add(asked);
  }

  /** Resolves when the job of every question is settled. */
  async settled(): Promise<void> {
    await Promise.all(this.asked);
  }

  private async settle(job: Job, asker: Asker): Promise<void> {
    const { jobEnds, logger } = this.around;
    const isReported = await this.isReported(job, asker).catch((thrown: unknown) => {
      logger.error(
        { err: thrown, call: job.hold_id, provider: job.provider },
        'a question could not be asked',
      );
      return false;
    });
    if (!isReported) jobEnds.stand(job);
  }

  private async isReported(job: Job, { provider, connection, question }: Asker): Promise<boolean> {
    const { vault, upstreams, jobEnds, clock, open, bodies } = this.around;
    if (!provider.jobs || this.asked.size >= AT_ONCE_MAX) return false;
    const meter = new ReportMeter(provider.jobs, job);
    const request = new JobQuestion(meter);
    const giveUpAt = clock.monotonicMs() + ANSWER_WITHIN_MS;
    const call = {
      tick: (nowMs: number) => {
        if (nowMs > giveUpAt) request.giveUp();
      },
      cut: () => request.giveUp(),
    };
    const share = bodies.open();
    open.add(call);
    try {
      // The end of the client's answer leaves before the request is read again.
      await setImmediate();
      const asked = question();
      if (asked === null || !share.take(asked.body.length)) return false;
      const { origin, secret } = vault.open(connection, provider.upstream);
      const headers = {
        'content-type': 'application/json',
        accept: 'application/json',
        'accept-encoding': 'identity',
      };
      const outgoing = { path: asked.path, headers };
      provider.authorize(outgoing, secret);
      upstreams.dispatch(origin, { method: 'POST', ...outgoing, body: asked.body }, request);
      await request.answered;
      return jobEnds.take(job, meter.report);
    } finally {
      share.giveBack();
      open.delete(call);
    }
  }
}
