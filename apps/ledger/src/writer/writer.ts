import { VendoError } from '@vendo/errors';
import { SHARD_COUNT } from '@vendo/events';
import type { Clock, Logger } from '@vendo/runtime';
import {
  type BatchQuestion,
  type ConsumerOffset,
  DataError,
  FencedError,
  type Journal,
  type JournalRow,
} from '../journal/journal.js';
import type { Hold, WalletCommand } from '../wallet/wallet.js';
import { BatchDraft, type ReportEnd } from './batch-draft.js';
import { Book, markKey } from './book.js';
import { WorkQueue } from './queue.js';
import type { Answer, Report, Work } from './work.js';

const BATCH_LIMIT = 1_000;
const QUEUE_LIMIT = 20_000;
/** Two commits further apart than this are a break: nobody's silence counts across it. */
const BREAK_MS = 3_000;
const RETRY_MS = 200;

export interface CommittedBatch {
  works: number;
  seconds: number;
  nowMs: number;
  rows: readonly JournalRow[];
  answers: { command: WalletCommand; answer: Answer }[];
  reports: { report: Report; end: ReportEnd; reason: string | null }[];
  replays: { id: string; report: Report; reason: string | null }[];
}

type Decided = Pick<CommittedBatch, 'answers' | 'reports' | 'replays'>;

/** Who wants to know what the writer does; called after the fact, never in its way. */
export interface WriterObserver {
  committed(batch: CommittedBatch): void;
  /** The state was dropped: nothing is decided until `resumed`. */
  dropped(): void;
  /** A break is over: the start, an outage, a stopped process. */
  resumed(): void;
  /** Another instance owns the shards: this one must end. */
  fenced(error: FencedError): void;
}

/** The state was dropped before the report was applied: read it again from the stored offset. */
export class StateDroppedError extends Error {
  override name = 'StateDroppedError';
}

/**
 * The one writer of all shards: it decides in memory and commits one micro-batch at a time, collecting the next
 * meanwhile. No answer leaves before its commit. After an outage it drops what it knows and reads it again.
 */
export class Writer {
  private readonly queue = new WorkQueue();
  private book: Book | null = null;
  private stopped = false;
  private running: Promise<void> = Promise.resolve();
  private committedAtMs: number;

  constructor(
    private readonly journal: Journal,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly observer: WriterObserver,
    private readonly owner: string,
  ) {
    this.committedAtMs = clock.monotonicMs();
  }

  /** Takes the shards, loads what is open and begins to commit. Throws when Postgres cannot be reached. */
  async start(): Promise<void> {
    await this.takeOver(false);
    this.running = this.run();
  }

  /** Ends after the batch at hand; what waits is refused. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.queue.interrupt();
    await this.running;
    this.refuseWaiting();
  }

  /** Resolves after the commit. Throws VendoError `billing_unavailable` when it is not known to be committed. */
  submit(command: WalletCommand): Promise<Answer> {
    if (this.book === null || this.stopped || this.queue.waitingCommands >= QUEUE_LIMIT)
      return Promise.reject(new VendoError('billing_unavailable'));
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
    if (this.book === null || this.stopped) throw new StateDroppedError();
    await Promise.all(
      reports.map(
        (report) =>
          new Promise<void>((resolve, reject) =>
            this.queue.push({ kind: 'report', report, resolve, reject }),
          ),
      ),
    );
  }

  /** Decides a parked record again. Resolves after the commit: with why it stays parked, or null. Throws as `submit`. */
  replay(id: string, report: Report): Promise<string | null> {
    if (this.book === null || this.stopped) return Promise.reject(new VendoError('billing_unavailable'));
    return new Promise((resolve, reject) => this.queue.push({ kind: 'replay', id, report, resolve, reject }));
  }

  /** Proves the ownership when nothing else did for a second. */
  async renew(): Promise<void> {
    if (this.book === null || this.stopped || this.clock.monotonicMs() - this.committedAtMs < 1_000) return;
    await new Promise<void>((resolve, reject) => this.queue.push({ kind: 'renew', resolve, reject })).catch(
      () => undefined,
    );
  }

  /** Committed open holds. */
  openHolds(): Iterable<Hold> {
    return this.book?.holds.values() ?? [];
  }

  openHoldCount(): number {
    return this.book?.holds.size ?? 0;
  }

  /** The ledger's clock, carried on from the last commit; milliseconds since the epoch. Decides nothing by itself. */
  ledgerNowMs(): number {
    const sinceMs = this.clock.monotonicMs() - this.committedAtMs;
    return this.book === null ? 0 : this.book.clockMs() + sinceMs;
  }

  /** Committed marks of a spool by partition; null while the state is dropped. */
  marksOf(spoolId: string): Record<string, number> | null {
    const { book } = this;
    if (book === null) return null;
    const partitions = Array.from({ length: SHARD_COUNT }, (_, partition) => partition);
    const marks = partitions.flatMap((partition): [string, number][] => {
      const mark = book.marks.get(markKey(spoolId, partition));
      return mark === undefined ? [] : [[String(partition), mark]];
    });
    return Object.fromEntries(marks);
  }

  /** Where the settlement consumer stands, per partition; null while the state is dropped. */
  offsets(): ConsumerOffset[] | null {
    return this.book === null ? null : [...this.book.offsets.values()];
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      await this.queue.filled();
      if (this.stopped) return;
      const works = this.queue.take(BATCH_LIMIT);
      try {
        await this.process(works);
      } catch (thrown) {
        if (!(await this.survive(thrown, works))) return;
      }
    }
  }

  /** Commits the works; a data error splits them until the bad one stands alone. Throws on fences and outages. */
  private async process(works: readonly Work[]): Promise<void> {
    try {
      await this.commit(works);
    } catch (thrown) {
      if (!(thrown instanceof DataError)) throw thrown;
      const [only] = works;
      if (works.length === 1 && only) return this.refuseAlone(only, thrown);
      const half = Math.ceil(works.length / 2);
      await this.process(works.slice(0, half));
      await this.process(works.slice(half));
    }
  }

  private async refuseAlone(work: Work, error: DataError): Promise<void> {
    this.logger.error({ err: error, kind: work.kind }, 'data error: one command stands alone');
    if (work.kind === 'command') return work.resolve({ status: 'failed' });
    if (work.kind === 'renew' || work.report.asks.kind === 'park') throw error;
    await this.commit([
      { ...work, report: { ...work.report, asks: { kind: 'park', reason: error.message } } },
    ]);
  }

  private async commit(works: readonly Work[]): Promise<void> {
    const { book } = this;
    if (book === null) throw new StateDroppedError();
    const startedMs = this.clock.monotonicMs();
    const facts = await this.journal.read(questionOf(works, book));
    const draft = new BatchDraft(book, facts, shardsOf(works, book));
    const told: (() => void)[] = [];
    const batch: Decided = { answers: [], reports: [], replays: [] };
    for (const work of works) told.push(this.decide(work, draft, batch));
    await this.journal.commit(draft.commit());
    draft.absorb();
    this.noteCommit();
    for (const tell of told) tell();
    const seconds = (this.clock.monotonicMs() - startedMs) / 1_000;
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
        return () => work.resolve(reason);
      }
      case 'renew':
        return work.resolve;
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

  private noteCommit(): void {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.committedAtMs > BREAK_MS) this.observer.resumed();
    this.committedAtMs = nowMs;
  }

  /** After a failed batch: drops the state and takes it up again. False when this instance must end. */
  private async survive(thrown: unknown, works: readonly Work[]): Promise<boolean> {
    this.book = null;
    for (const work of works) rejectWork(work);
    this.refuseWaiting();
    if (thrown instanceof FencedError) {
      this.observer.fenced(thrown);
      return false;
    }
    this.observer.dropped();
    this.logger.error({ err: thrown }, 'the outcome of a batch is unknown: state dropped');
    return this.reload();
  }

  private async reload(): Promise<boolean> {
    while (!this.stopped) {
      try {
        await this.takeOver(true);
        this.logger.info('state loaded again under a new epoch');
        return true;
      } catch (thrown) {
        if (thrown instanceof FencedError) {
          this.observer.fenced(thrown);
          return false;
        }
        await this.clock.sleep(RETRY_MS);
      }
    }
    return false;
  }

  private async takeOver(again: boolean): Promise<void> {
    await this.journal.takeShards(this.owner, again);
    this.book = new Book(await this.journal.load());
    this.committedAtMs = this.clock.monotonicMs();
    this.observer.resumed();
  }

  private refuseWaiting(): void {
    for (const work of this.queue.drain()) rejectWork(work);
  }
}

function rejectWork(work: Work): void {
  work.reject(work.kind === 'report' ? new StateDroppedError() : new VendoError('billing_unavailable'));
}

function questionOf(works: readonly Work[], book: Book): BatchQuestion {
  const tenants = new Set<string>();
  const holds = new Set<string>();
  const credits: { tenantId: string; key: string }[] = [];
  for (const command of works.flatMap(commandsOf)) {
    if (!book.wallets.has(command.tenantId)) tenants.add(command.tenantId);
    if ('holdId' in command && !book.holds.has(command.holdId)) holds.add(command.holdId);
    if (command.type === 'grant') credits.push({ tenantId: command.tenantId, key: command.idempotencyKey });
  }
  return { tenants: [...tenants], holds: [...holds], credits };
}

function commandsOf(work: Work): WalletCommand[] {
  if (work.kind === 'command') return [work.command];
  return work.kind !== 'renew' && work.report.asks.kind === 'settle' ? [work.report.asks.command] : [];
}

function shardsOf(works: readonly Work[], book: Book): Set<number> {
  const shards = new Set<number>();
  for (const work of works) {
    if (work.kind === 'command') shards.add(book.shardOf(work.command.tenantId));
    else if (work.kind !== 'renew') shards.add(work.report.partition);
    else for (let shard = 0; shard < SHARD_COUNT; shard++) shards.add(shard);
  }
  return shards;
}
