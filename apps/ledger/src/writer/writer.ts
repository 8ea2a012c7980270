import { VendoError } from '@vendo/errors';
import type { Clock, Logger } from '@vendo/runtime';
import {
  type ConsumerOffset,
  DataError,
  FencedError,
  type Journal,
  type LoadedShard,
} from '../journal/journal.js';
import type { Hold, WalletCommand } from '../wallet/wallet.js';
import { BatchDraft } from './batch-draft.js';
import { questionOf, shardsOf } from './batch-question.js';
import { Book, type KeptShard, LEASE_MS } from './book.js';
import { WorkQueue } from './queue.js';
import {
  type Answer,
  type ReplayAnswer,
  type Report,
  rejectWork,
  StateDroppedError,
  type Work,
} from './work.js';
import type { CommittedBatch, WriterObserver } from './writer-observer.js';

const BATCH_LIMIT = 1_000;
const QUEUE_LIMIT = 20_000;
/** A lease that was not extended for this long is extended by whatever batch comes next, or by one of its own. */
const RENEW_AFTER_MS = 1_000;
const RENEW_EVERY_MS = 250;
type Decided = Pick<CommittedBatch, 'answers' | 'reports' | 'replays'>;

/**
 * The one writer of the shards that it was given: it decides in memory and commits one micro-batch at a time over all of
 * them, collecting the next meanwhile. No answer leaves before its commit. What it may no longer be sure of it drops;
 * taking shards, and taking them again, is done by Shards (shards.ts).
 */
export class Writer {
  private readonly queue = new WorkQueue();
  private readonly book = new Book();
  /** Owned until the batch at hand ends: nothing new is accepted for them. */
  private readonly leaving = new Set<number>();
  private readonly stopping = new AbortController();
  private running: Promise<unknown> = Promise.resolve();
  private committedAtMs = 0;

  constructor(
    private readonly journal: Journal,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly observer: WriterObserver,
  ) {}

  /** Begins to commit what is submitted for the shards that it is given. */
  start(): void {
    this.running = Promise.all([this.run(), this.keepLeases()]);
  }

  /** Ends after the batch at hand; what waits is refused. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.queue.interrupt();
    await this.running;
    this.refuseWaiting();
  }

  /**
   * Gives it shards that were taken for it.
   * @param takenAtMs when the statement that took them was sent, by the monotonic clock.
   */
  add(shards: readonly LoadedShard[], takenAtMs: number): void {
    if (this.book.shards.size === 0) this.committedAtMs = this.clock.monotonicMs();
    for (const shard of shards) this.book.add(shard, takenAtMs);
    this.observer.gained(shards.map(({ head }) => head.shard));
  }

  /** Decides what waits for these shards and then drops them. They are free to be given back when it resolves. */
  async leave(shards: readonly number[]): Promise<void> {
    if (shards.length === 0) return;
    for (const shard of shards) this.leaving.add(shard);
    // When the batch fails, they are dropped for that.
    await new Promise<void>((resolve, reject) =>
      this.queue.push({ kind: 'leave', shards, resolve, reject }),
    ).catch(() => undefined);
    for (const shard of shards) this.leaving.delete(shard);
  }

  /** The shards that it decides for now, in order. */
  owned(): number[] {
    return [...this.book.shards.keys()].filter((shard) => !this.leaving.has(shard)).sort((a, b) => a - b);
  }

  /**
   * Resolves after the commit, or at once with `moved`. Throws VendoError `billing_unavailable` when it is not known to
   * be committed.
   */
  submit(command: WalletCommand): Promise<Answer> {
    if (this.stopping.signal.aborted || this.queue.waitingCommands >= QUEUE_LIMIT)
      return Promise.reject(new VendoError('billing_unavailable'));
    if (!this.accepts(this.book.shardOf(command.tenantId))) return Promise.resolve({ status: 'moved' });
    return new Promise((resolve, reject) => {
      this.queue.push({ kind: 'command', command, resolve, reject });
    });
  }

  /** Answers in the order of the commands, each decided in that order. */
  submitAll(commands: readonly WalletCommand[]): Promise<Answer[]> {
    return Promise.all(commands.map((command) => this.submit(command)));
  }

  /** Applies reports of one partition in order. Throws StateDroppedError when they must be read again. */
  async settle(reports: readonly Report[]): Promise<void> {
    if (this.stopping.signal.aborted || !reports.every(({ partition }) => this.accepts(partition)))
      throw new StateDroppedError();
    await Promise.all(
      reports.map(
        (report) =>
          new Promise<void>((resolve, reject) =>
            this.queue.push({ kind: 'report', report, resolve, reject }),
          ),
      ),
    );
  }

  /** Decides a parked record again. Resolves after the commit, or at once with `moved`. Throws as `submit`. */
  replay(id: string, report: Report): Promise<ReplayAnswer> {
    if (this.stopping.signal.aborted) return Promise.reject(new VendoError('billing_unavailable'));
    if (!this.accepts(report.partition)) return Promise.resolve({ status: 'moved' });
    return new Promise((resolve, reject) => this.queue.push({ kind: 'replay', id, report, resolve, reject }));
  }

  /**
   * Committed open holds of the shards whose lease has not run out, each with the monotonic time in milliseconds from
   * which on the silence of its spool counts.
   */
  *openHolds(): Iterable<{ hold: Hold; watchedSinceMs: number }> {
    for (const hold of this.book.holds.values()) {
      const shard = this.leased(this.book.shardOf(hold.tenantId));
      if (shard) yield { hold, watchedSinceMs: shard.watchedSinceMs };
    }
  }

  /** Jobs of the owned shards whose end nobody has reported yet. */
  openJobCount(): number {
    return this.book.jobs.size;
  }

  openHoldCount(): number {
    return this.book.holds.size;
  }

  /** The ledger's clock, carried on from the last commit; milliseconds since the epoch. Decides nothing by itself. */
  ledgerNowMs(): number {
    return this.book.clockMs() + this.clock.monotonicMs() - this.committedAtMs;
  }

  /** Committed marks of a spool, of the partitions whose lease has not run out. */
  marksOf(spoolId: string): Record<string, number> {
    const marks: Record<string, number> = {};
    for (const { partition } of this.offsets()) {
      const mark = this.book.shards.get(partition)?.marks.get(spoolId);
      if (mark !== undefined) marks[String(partition)] = mark;
    }
    return marks;
  }

  /** Where the settlement consumers stand, of the partitions whose lease has not run out. */
  offsets(): ConsumerOffset[] {
    return [...this.book.shards.keys()].flatMap((shard) => this.leased(shard)?.offset ?? []);
  }

  private accepts(shard: number): boolean {
    return this.book.shards.has(shard) && !this.leaving.has(shard);
  }

  /** The shard, unless its lease has run out by our own clock: then another one may speak for it already. */
  private leased(shard: number): KeptShard | undefined {
    const kept = this.book.shards.get(shard);
    return kept && this.clock.monotonicMs() - kept.renewedAtMs < LEASE_MS ? kept : undefined;
  }

  private async run(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      await this.queue.filled();
      if (this.stopping.signal.aborted) return;
      const works = this.queue.take(BATCH_LIMIT);
      await this.process(works).catch((thrown: unknown) => this.dropEverything(thrown, works));
    }
  }

  private async keepLeases(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      await this.clock.sleep(RENEW_EVERY_MS, signal);
      if (!signal.aborted && this.due().length > 0) this.queue.push({ kind: 'renew' });
    }
  }

  /** Shards whose lease is to be extended by the next batch, whatever it is about. */
  private due(): number[] {
    const nowMs = this.clock.monotonicMs();
    return [...this.book.shards].flatMap(([shard, { renewedAtMs }]) =>
      nowMs - renewedAtMs >= RENEW_AFTER_MS ? [shard] : [],
    );
  }

  /**
   * Commits the works. A fence costs its shards, and the rest is decided anew; a data error splits the works until the
   * bad one stands alone. Throws on outages.
   */
  private async process(given: readonly Work[]): Promise<void> {
    const works = given.filter((work) => this.keeps(work));
    if (works.length === 0) return;
    try {
      await this.commit(works);
    } catch (thrown) {
      if (thrown instanceof FencedError) {
        this.fence(thrown);
        return this.process(works);
      }
      if (!(thrown instanceof DataError)) throw thrown;
      const [only] = works;
      if (works.length === 1 && only) return this.refuseAlone(only, thrown);
      const half = Math.ceil(works.length / 2);
      await this.process(works.slice(0, half));
      await this.process(works.slice(half));
    }
  }

  /** True when the work is to be decided; one whose shard has been lost meanwhile is answered here. */
  private keeps(work: Work): boolean {
    if (shardsOf(work, this.book).every((shard) => this.book.shards.has(shard))) return true;
    if (work.kind === 'command' || work.kind === 'replay') work.resolve({ status: 'moved' });
    else rejectWork(work);
    return false;
  }

  private fence(error: FencedError): void {
    this.logger.warn({ err: error }, 'fenced: these shards are dropped');
    this.observer.fenced(error);
    this.drop(error.shards);
  }

  /** With what waits for them: decided after a new taking, a rest of some records would move the offset past the others. */
  private drop(shards: Iterable<number>): void {
    const dropped = this.book.drop(shards);
    if (dropped.length === 0) return;
    this.queue.keep((work) => this.keeps(work));
    this.observer.lost(dropped);
  }

  private async refuseAlone(work: Work, error: DataError): Promise<void> {
    this.logger.error({ err: error, kind: work.kind }, 'data error: one command stands alone');
    if (work.kind === 'command') return work.resolve({ status: 'failed' });
    if (!('report' in work) || work.report.asks.kind === 'park') throw error;
    await this.process([
      { ...work, report: { ...work.report, asks: { kind: 'park', reason: error.message } } },
    ]);
  }

  private async commit(works: readonly Work[]): Promise<void> {
    const { book } = this;
    const shards = new Set([...works.flatMap((work) => shardsOf(work, book)), ...this.due()]);
    const startedMs = this.clock.monotonicMs();
    const facts = await this.journal.read(questionOf(works, book));
    const draft = new BatchDraft(book, facts, shards);
    const told: (() => void)[] = [];
    const batch: Decided = { answers: [], reports: [], replays: [] };
    for (const work of works) told.push(this.decide(work, draft, batch));
    const sentAtMs = this.clock.monotonicMs();
    await this.journal.commit(draft.commit());
    draft.absorb(sentAtMs);
    this.committedAtMs = this.clock.monotonicMs();
    for (const tell of told) tell();
    const seconds = (this.committedAtMs - startedMs) / 1_000;
    this.observer.committed({
      works: works.length,
      seconds,
      nowMs: draft.nowMs,
      rows: draft.events,
      ...batch,
    });
  }

  /** Decides one work on the draft; what it returns tells its caller, after the commit. */
  private decide(work: Work, draft: BatchDraft, batch: Decided): () => void {
    switch (work.kind) {
      case 'command': {
        const answer = this.answer(work.command, draft);
        batch.answers.push({ command: work.command, answer });
        return () => work.resolve(answer);
      }
      case 'report': {
        const { end, reason } = draft.report(work.report);
        batch.reports.push({ report: work.report, end, reason });
        return work.resolve;
      }
      case 'replay': {
        const reason = draft.replay(work.id, work.report);
        batch.replays.push({ id: work.id, report: work.report, reason });
        return () => work.resolve(reason === null ? { status: 'replayed' } : { status: 'parked', reason });
      }
      case 'renew':
        return () => undefined;
      case 'leave':
        return () => {
          this.drop(work.shards);
          work.resolve();
        };
    }
  }

  private answer(command: WalletCommand, draft: BatchDraft): Answer {
    try {
      return draft.apply(command);
    } catch (thrown) {
      this.logger.error({ err: thrown, command: command.type }, 'a command could not be decided');
      return { status: 'failed' };
    }
  }

  /** After a batch whose outcome is unknown: nothing that is known can be trusted. */
  private dropEverything(thrown: unknown, works: readonly Work[]): void {
    this.logger.error({ err: thrown }, 'the outcome of a batch is unknown: state dropped');
    this.drop(this.book.shards.keys());
    for (const work of works) rejectWork(work);
    this.refuseWaiting();
    this.observer.dropped();
  }

  private refuseWaiting(): void {
    for (const work of this.queue.drain()) rejectWork(work);
  }
}
