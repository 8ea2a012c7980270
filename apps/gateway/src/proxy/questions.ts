import { setImmediate } from 'node:timers/promises';
import type { Job } from '@vendo/ledger-api';
import type { Clock, Logger } from '@vendo/runtime';
import type { Connection } from '../callers/callers.js';
import type { CredentialVault } from '../credentials/credential-vault.js';
import type { JobReport, Provider, ProviderJobs, Question } from '../providers/provider.js';
import type { BodyBudget, BodyShare } from './body-budget.js';
import { type JobEnds, ReportMeter, type Uncounted } from './job-ends.js';
import { JobQuestion } from './job-question.js';
import type { OpenCall, OpenCalls } from './open-calls.js';
import { QuestionSlots } from './question-slots.js';
import type { Upstreams } from './upstreams.js';

export interface QuestionsSurroundings {
  vault: CredentialVault;
  upstreams: Upstreams;
  jobEnds: JobEnds;
  clock: Clock;
  logger: Logger;
  /** Questions are calls that are under way: a stop gives them the same time. */
  open: OpenCalls;
  /** A part of the memory for bodies: what waits for counts takes no room from calls beyond it. */
  bodies: BodyBudget;
}

/** Whom a question is for. */
export interface Asker {
  provider: Provider;
  connection: Connection;
  /** As `UnreportedTerms` says. */
  question(): Question | null;
  /** Of the request that `question` reads again, bytes. */
  bodyBytes: number;
}

/** Until an answer is whole, and until all is over, waiting and asking again included; milliseconds. */
const ANSWER_WITHIN_MS = 5_000;
const OVER_WITHIN_MS = 60_000;
/** Before it is asked again, milliseconds. */
const PAUSES_MS = [2_000, 15_000];
/** A tenant gets a quarter of the slots, and of the memory. */
const SLOTS = { total: 64, perTenant: 16, waiting: 16_384, waitingPerTenant: 4_096 };
const TENANT_PART = 4;

/**
 * Asks providers what their answers did not say, while this gateway still has the requests. Nothing of a client's
 * answer waits for that: the job of the call is on the disk, and what was counted of it stands where no report comes,
 * from here at once, from another gateway where this one died.
 */
export class Questions {
  private readonly asked = new Set<Promise<void>>();
  private readonly slots = new QuestionSlots(SLOTS);
  /** Of the tenants that have a question under way. */
  private readonly rooms = new Map<string, { bodies: BodyBudget; open: number }>();

  constructor(private readonly around: QuestionsSurroundings) {}

  /** Never throws. */
  ask(job: Job, { provider, connection, question, bodyBytes }: Asker): void {
    const { jobEnds, clock, logger, open } = this.around;
    const time = new QuestionTime(clock.monotonicMs() + OVER_WITHIN_MS, open);
    const share = this.roomOf(job.tenant_id).open();
    open.add(time);
    // The request itself is kept no longer than this takes; what is to be sent is.
    const prepared = prepare(question, bodyBytes, share);
    const asked = prepared
      .then((ready) => ('why' in ready ? ready : this.settle(job, provider, connection, ready, time)))
      .catch((thrown: unknown): Uncounted => {
        logger.error({ err: thrown, ...factsOf(job) }, 'a question could not be asked');
        return { why: 'failed', status: null };
      })
      .then((uncounted) => void (uncounted && jobEnds.stand(job, uncounted)))
      .catch((thrown: unknown) =>
        logger.error({ err: thrown, ...factsOf(job) }, 'what was counted cannot stand'),
      )
      .finally(() => {
        share.giveBack();
        open.delete(time);
        this.asked.delete(asked);
        this.leave(job.tenant_id);
      });
    this.asked.add(asked);
  }

  /** A quarter of all for each tenant: what one of them asks leaves room for the others' questions. */
  private roomOf(tenantId: string): BodyBudget {
    const { bodies } = this.around;
    const room = this.rooms.get(tenantId) ?? { bodies: bodies.part(bodies.maxBytes / TENANT_PART), open: 0 };
    room.open += 1;
    this.rooms.set(tenantId, room);
    return room.bodies;
  }

  private leave(tenantId: string): void {
    const room = this.rooms.get(tenantId);
    if (!room) return;
    room.open -= 1;
    if (room.open === 0) this.rooms.delete(tenantId);
  }

  /** Resolves when the job of every question is settled. */
  async settled(): Promise<void> {
    await Promise.all(this.asked);
  }

  /** @returns why the count is not known; null: it is charged. */
  private async settle(
    job: Job,
    provider: Provider,
    connection: Connection,
    asked: Question,
    time: QuestionTime,
  ): Promise<Uncounted | null> {
    const { jobEnds, clock, open } = this.around;
    const { jobs } = provider;
    if (!jobs) return { why: 'no_question', status: null };
    let last: number | null = null;
    for (let again = 0; ; again += 1) {
      if (!(await this.slots.take(job.tenant_id, time.signal))) return { why: 'no_turn', status: last };
      const { status, report } = await this.answerTo(asked, job, provider, jobs, connection, time).finally(
        () => this.slots.giveBack(job.tenant_id),
      );
      if (status !== null && status < 300) {
        const isCharged = isSound(report, job, asked) && jobEnds.take(job, report);
        return isCharged ? null : { why: 'nonsense', status };
      }
      const pauseMs = PAUSES_MS[again];
      const mayPass = status === null ? !time.isSilent : status === 429 || status >= 500;
      if (!mayPass || pauseMs === undefined || open.stopping || time.signal.aborted)
        return { why: status === null ? 'no_answer' : 'refused', status };
      last = status;
      await time.pause(clock.sleep(pauseMs, time.signal));
    }
  }

  private async answerTo(
    { path, body }: Question,
    job: Job,
    provider: Provider,
    jobs: ProviderJobs,
    connection: Connection,
    time: QuestionTime,
  ): Promise<{ status: number | null; report: JobReport }> {
    const { vault, upstreams, clock } = this.around;
    const meter = new ReportMeter(jobs, job);
    const request = new JobQuestion(meter);
    const { origin, secret } = vault.open(connection, provider.upstream);
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json',
      'accept-encoding': 'identity',
    };
    const outgoing = { path, headers };
    provider.authorize(outgoing, secret);
    time.begins(request, clock.monotonicMs());
    upstreams.dispatch(origin, { method: 'POST', ...outgoing, body }, request);
    const status = await request.answered;
    time.ends();
    return { status, report: meter.report };
  }
}

function factsOf({ hold_id: call, provider }: Job): { call: string; provider: string } {
  return { call, provider };
}

/** Room for the request and for what is made of it is taken before; what is left then is that of the second. */
async function prepare(
  question: Asker['question'],
  bodyBytes: number,
  share: BodyShare,
): Promise<Question | Uncounted> {
  if (!share.take(2 * bodyBytes)) return { why: 'no_room', status: null };
  // The end of the client's answer leaves before the request is read again.
  await setImmediate();
  const asked = question();
  if (asked === null) return { why: 'no_question', status: null };
  return share.take(asked.body.length - 2 * bodyBytes) ? asked : { why: 'no_room', status: null };
}

/** A count below the fewest tokens that it can be, or above the most, is none. */
function isSound(report: JobReport, { counted }: Job, { tokensMax }: Question): boolean {
  if (report.state !== 'done') return false;
  const { contextTokens } = report.reading;
  return contextTokens >= (counted?.context_tokens ?? 0) && contextTokens <= tokensMax;
}

/** The bounds in time of a question. */
class QuestionTime implements OpenCall {
  /** The request that is under way was given up because no answer came. */
  isSilent = false;
  private readonly over = new AbortController();
  private request: JobQuestion | null = null;
  private answerBy = Number.POSITIVE_INFINITY;
  private isPausing = false;

  /** @param overBy of the monotonic clock, milliseconds. */
  constructor(
    private readonly overBy: number,
    private readonly open: OpenCalls,
  ) {}

  get signal(): AbortSignal {
    return this.over.signal;
  }

  begins(request: JobQuestion, nowMs: number): void {
    this.request = request;
    this.isSilent = false;
    this.answerBy = nowMs + ANSWER_WITHIN_MS;
  }

  ends(): void {
    this.request = null;
    this.answerBy = Number.POSITIVE_INFINITY;
  }

  /** A stop waits for no pause. */
  async pause(over: Promise<unknown>): Promise<void> {
    this.isPausing = true;
    await over;
    this.isPausing = false;
  }

  tick(nowMs: number): void {
    if (nowMs > this.overBy || (this.isPausing && this.open.stopping)) this.cut();
    else if (nowMs > this.answerBy) this.giveUp();
  }

  cut(): void {
    this.over.abort();
    this.giveUp();
  }

  private giveUp(): void {
    this.isSilent = true;
    this.request?.giveUp();
  }
}
