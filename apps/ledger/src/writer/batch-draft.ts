import { shardOf } from '@vendo/events';
import type { BatchCommit, BatchFacts, JournalRow } from '../journal/journal.js';
import { decide, MisdirectedError, UNCHARGED } from '../wallet/decide.js';
import { evolve } from '../wallet/evolve.js';
import { Layer } from '../wallet/layer.js';
import {
  capsOf,
  type GrantedCredit,
  type Hold,
  isCharged,
  isOpen,
  type Wallet,
  type WalletCommand,
  type WalletEvent,
  type WindowUse,
  windowKey,
} from '../wallet/wallet.js';
import { type Book, type KeptShard, type KeptWallet, LEASE_MS } from './book.js';
import type { Answer, Report, StartedJob } from './work.js';

interface Touched {
  kept: KeptShard;
  /** How many rows were written to it. */
  count: number;
}

interface Offsets {
  expected: bigint;
  next: bigint;
  logId: string;
}

/** What became of a report: for metrics and alerts, told after the commit. */
export type ReportEnd = 'applied' | 'noted' | 'repeat' | 'gap' | 'parked' | 'read_before';

/**
 * One micro-batch being decided: layers over the book and over what was read for it. The book does not change until
 * `absorb`, which is called after the commit and only then.
 */
export class BatchDraft {
  /** The batch's clock: never behind any touched head, so that it never runs backwards. */
  readonly nowMs: number;
  private readonly wallets = new Map<string, Wallet>();
  private readonly stored: Map<string, KeptWallet>;
  private readonly holds: Layer<string, Hold>;
  private readonly credits: Map<string, GrantedCredit>;
  private readonly touched = new Map<number, Touched>();
  private readonly rows: JournalRow[] = [];
  private readonly marks = new Map<string, { spoolId: string; partition: number; number: number }>();
  private readonly offsets = new Map<number, Offsets>();
  private readonly replays: { id: string; report: Report; reason: string | null }[] = [];
  private readonly parked: (Report & { reason: string })[] = [];
  private readonly jobs = new Map<string, { shard: number; job: StartedJob; ended: boolean }>();
  private readonly endedJobs = new Set<string>();
  private readonly foundWindows: BatchFacts['holdWindows'];

  constructor(
    private readonly book: Book,
    facts: BatchFacts,
    shards: Iterable<number>,
  ) {
    this.stored = new Map(facts.wallets.map((wallet) => [wallet.tenantId, keptOf(wallet)]));
    this.holds = new Layer(new Map([...facts.holds.map((hold) => [hold.id, hold] as const)]), book.holds);
    this.credits = new Map(facts.credits.map(({ tenantId, key, credit }) => [`${tenantId}|${key}`, credit]));
    this.foundWindows = facts.holdWindows;
    for (const shard of shards) this.touch(shard);
    this.nowMs = Math.max(facts.nowMs, ...[...this.touched.values()].map(({ kept }) => kept.head.clockMs));
  }

  /** Events of this batch, in journal order. */
  get events(): readonly JournalRow[] {
    return this.rows;
  }

  /** Decides a command and applies what it leads to. Throws when the command cannot be decided; the draft is then as before. */
  apply(command: WalletCommand): Answer {
    const wallet = this.wallet(command.tenantId);
    const { events, refusal } = decide(wallet, command, this.nowMs);
    for (const event of events) this.write(wallet, event);
    return refusal ? { status: 'refused', refusal } : this.answer(wallet, command);
  }

  /** Applies a report when its number is next; else drops it. The consumer's offset moves past it in any case. */
  report(report: Report): { end: ReportEnd; reason: string | null } {
    const { partition, logId, next } = report;
    const stored = this.touch(partition).kept.offset.next;
    const before = this.offsets.get(partition);
    if (report.offset < (before?.next ?? stored)) return { end: 'read_before', reason: null };
    const end = this.take(report);
    this.offsets.set(partition, { expected: before?.expected ?? stored, next, logId });
    return { end, reason: end === 'parked' ? (this.parked.at(-1)?.reason ?? null) : null };
  }

  private take(report: Report): ReportEnd {
    const { spool, partition } = report;
    if (!spool) return this.park(report, 'the record has no spool number');
    const mark = this.mark(spool.id, partition);
    if (spool.number <= mark) return 'repeat';
    if (spool.number > mark + 1) return 'gap';
    this.marks.set(markKey(spool.id, partition), { spoolId: spool.id, partition, number: spool.number });
    const reason = this.follows(report) ? 'an earlier record of this hold is parked' : this.whyNot(report);
    // Nothing else of the hold waits behind a correction that waits: its charge least of all.
    if (reason === UNCHARGED) return this.park({ ...report, holdId: null }, reason);
    if (reason !== null) return this.park(report, reason);
    return 'command' in report.asks ? 'applied' : 'noted';
  }

  /**
   * Decides a parked record again: no mark and no offset moves, and what it leads to is in the journal at most once however
   * often it is replayed. Returns why it stays parked; null when it need not.
   */
  replay(id: string, report: Report): string | null {
    const reason = this.whyNot(report);
    this.replays.push({ id, report, reason });
    return reason;
  }

  /** Applies what the report asks for. Returns why that cannot be; null when it is done. */
  private whyNot({ asks }: Report): string | null {
    if (asks.kind === 'park') return asks.reason;
    if (asks.kind === 'note') return null;
    try {
      if (asks.kind === 'job') this.startJob(asks.job);
      else this.apply(asks.command);
      if (asks.kind === 'settle') this.endJob(asks.command.holdId);
      return null;
    } catch (thrown) {
      return thrown instanceof Error ? thrown.message : String(thrown);
    }
  }

  /** From here on its hold lives for its own time. A job that has no open hold is kept all the same: the provider will bill it. */
  private startJob(job: StartedJob): void {
    const hold = this.holds.get(job.hold_id);
    if (hold && hold.tenantId !== job.tenant_id) throw new MisdirectedError('the hold is of another tenant');
    if (hold && isOpen(hold)) this.holds.set(hold.id, { ...hold, job: { ttlMs: job.ttl_ms } });
    const ended = hold !== undefined && (isCharged(hold) || hold.ended === 'released');
    this.jobs.set(job.hold_id, { shard: this.book.shardOf(job.tenant_id), job, ended });
  }

  private endJob(holdId: string): void {
    if (this.jobs.has(holdId) || this.book.jobs.has(holdId)) this.endedJobs.add(holdId);
  }

  /** Also behind what this very batch replays: the replay comes for it next. */
  private follows({ asks, holdId, partition }: Report): boolean {
    if (asks.kind !== 'settle' || holdId === null) return false;
    return (
      this.parked.some((earlier) => earlier.holdId === holdId) ||
      this.touch(partition).kept.parkedHolds.has(holdId)
    );
  }

  private park(report: Report, reason: string): ReportEnd {
    this.parked.push({ ...report, reason });
    return 'parked';
  }

  private mark(spoolId: string, partition: number): number {
    const key = markKey(spoolId, partition);
    return this.marks.get(key)?.number ?? this.touch(partition).kept.marks.get(spoolId) ?? 0;
  }

  private answer(wallet: Wallet, command: WalletCommand): Answer {
    switch (command.type) {
      case 'reserve':
        return { status: 'done', ...optional('hold', wallet.holds.get(command.holdId)) };
      case 'grant':
        return { status: 'done', ...optional('credit', wallet.credits.get(command.idempotencyKey)) };
      case 'set-caps':
        return { status: 'done', caps: capsOf(wallet, command.subject) };
      default:
        return { status: 'done' };
    }
  }

  private write(wallet: Wallet, event: WalletEvent): void {
    evolve(wallet, event);
    const shard = this.book.shardOf(wallet.tenantId);
    const touched = this.touch(shard);
    touched.count += 1;
    this.rows.push({
      shard,
      position: touched.kept.head.position + BigInt(touched.count),
      tenantId: wallet.tenantId,
      seq: wallet.seq,
      spoolId: this.spoolOf(event),
      event,
    });
  }

  private spoolOf({ data }: WalletEvent): string | null {
    const hold = 'hold_id' in data ? this.holds.get(data.hold_id) : undefined;
    return hold === undefined || hold.job ? null : hold.spoolId;
  }

  private touch(shard: number): Touched {
    const known = this.touched.get(shard);
    if (known) return known;
    const kept = this.book.shards.get(shard);
    if (!kept) throw new Error(`shard ${shard} is not owned`);
    const touched = { kept, count: 0 };
    this.touched.set(shard, touched);
    return touched;
  }

  private wallet(tenantId: string): Wallet {
    const known = this.wallets.get(tenantId);
    if (known) return known;
    const kept = this.kept(tenantId);
    const found = this.foundWindows.filter(
      ({ tenantId: owner, use }) =>
        owner === tenantId && !kept.windows.has(windowKey(use.subject, use.window)),
    );
    const wallet: Wallet = {
      tenantId,
      balance: kept.balance,
      held: kept.held,
      seq: kept.seq,
      caps: new Layer(kept.caps),
      windows: new Layer(
        new Map(found.map(({ use }) => [windowKey(use.subject, use.window), use])),
        kept.windows,
      ),
      holds: this.holds,
      credits: new Layer(this.creditsOf(tenantId)),
    };
    this.wallets.set(tenantId, wallet);
    return wallet;
  }

  private kept(tenantId: string): KeptWallet {
    return this.book.wallets.get(tenantId) ?? this.stored.get(tenantId) ?? emptyKept(tenantId);
  }

  private creditsOf(tenantId: string): Map<string, GrantedCredit> {
    const own = [...this.credits].filter(([key]) => key.startsWith(`${tenantId}|`));
    return new Map(own.map(([key, credit]) => [key.slice(tenantId.length + 1), credit]));
  }

  /** What to commit. */
  commit(): BatchCommit {
    const written = this.written();
    const holds = [...this.holds.changes().values()];
    return {
      clockMs: this.nowMs,
      heads: [...this.touched.values()].map(({ kept: { head }, count }) => ({
        shard: head.shard,
        epoch: head.epoch,
        position: head.position,
        count,
      })),
      rows: this.rows,
      wallets: written
        .filter(({ wallet, kept }) => kept.seq === 0 || wallet.balance !== kept.balance)
        .map(({ wallet: { tenantId, balance }, kept: { shard } }) => ({ tenantId, shard, balance })),
      caps: written.flatMap(({ wallet: { tenantId, caps } }) =>
        [...caps.changes()].map(([subject, limits]) => ({ tenantId, subject, limits })),
      ),
      windows: written.flatMap(({ wallet }) => this.windowsToStore(wallet)),
      opened: holds.filter((hold) => isOpen(hold) && !this.book.holds.has(hold.id)),
      ended: holds
        .filter((hold) => !isOpen(hold) && this.book.holds.has(hold.id))
        .map(({ tenantId, id }) => ({ tenantId, id })),
      marks: [...this.marks.values()],
      offsets: [...this.offsets].map(([partition, offset]) => ({ partition, ...offset })),
      parked: this.parked,
      jobs: [...this.jobs.values()],
      endedJobs: [...this.endedJobs],
      replays: this.replays.map(({ id, reason }) => ({ id, reason })),
    };
  }

  private written(): { wallet: Wallet; kept: KeptWallet }[] {
    return [...this.wallets.values()]
      .map((wallet) => ({ wallet, kept: this.kept(wallet.tenantId) }))
      .filter(({ wallet, kept }) => wallet.seq !== kept.seq);
  }

  /** Holds alone do not make a window's row: the sum of the open holds is not stored a second time. */
  private windowsToStore({ tenantId, windows }: Wallet): { tenantId: string; use: WindowUse }[] {
    return [...windows.changes()]
      .filter(([key, use]) => {
        const before = windows.below(key);
        return (
          use.spent !== (before?.spent ?? 0n) ||
          use.warned !== (before?.warned ?? false) ||
          use.tripped !== (before?.tripped ?? false)
        );
      })
      .map(([, use]) => ({ tenantId, use }));
  }

  /**
   * Makes the book what was committed.
   * @param sentAtMs when the commit was sent, by the process's monotonic clock: the leases live on from then.
   */
  absorb(sentAtMs: number): void {
    for (const { kept, count } of this.touched.values()) {
      kept.head.position += BigInt(count);
      kept.head.clockMs = this.nowMs;
      if (sentAtMs - kept.renewedAtMs > LEASE_MS) kept.watchedSinceMs = sentAtMs;
      kept.renewedAtMs = sentAtMs;
    }
    for (const [tenantId, wallet] of this.wallets) this.absorbWallet(tenantId, wallet);
    for (const [id, hold] of this.holds.changes())
      if (isOpen(hold)) this.book.holds.set(id, hold);
      else this.book.holds.delete(id);
    for (const [holdId, { shard, ended }] of this.jobs) if (!ended) this.book.jobs.set(holdId, shard);
    for (const holdId of this.endedJobs) this.book.jobs.delete(holdId);
    for (const { spoolId, partition, number } of this.marks.values())
      this.touch(partition).kept.marks.set(spoolId, number);
    for (const [partition, { next, logId }] of this.offsets)
      this.touch(partition).kept.offset = { partition, next, logId };
    for (const { holdId, partition, offset } of this.parked)
      if (holdId !== null) this.touch(partition).kept.parkedHolds.add(holdId, offset);
    for (const { report, reason } of this.replays)
      if (report.holdId !== null && reason === null)
        this.touch(report.partition).kept.parkedHolds.remove(report.holdId, report.offset);
  }

  private absorbWallet(tenantId: string, wallet: Wallet): void {
    const kept = this.kept(tenantId);
    kept.balance = wallet.balance;
    kept.held = wallet.held;
    kept.seq = wallet.seq;
    for (const [subject, limits] of wallet.caps.changes()) kept.caps.set(subject, limits);
    for (const [key, use] of wallet.windows.changes()) kept.windows.set(key, use);
    this.book.wallets.set(tenantId, kept);
  }
}

function keptOf({ tenantId, balance, held, seq, caps, windows }: BatchFacts['wallets'][number]): KeptWallet {
  return {
    shard: shardOf(tenantId),
    balance,
    held,
    seq,
    caps: new Map(caps.map(({ subject, limits }) => [subject, limits])),
    windows: new Map(windows.map((use) => [windowKey(use.subject, use.window), use])),
  };
}

function emptyKept(tenantId: string): KeptWallet {
  return { shard: shardOf(tenantId), balance: 0n, held: 0n, seq: 0, caps: new Map(), windows: new Map() };
}

function markKey(spoolId: string, partition: number): string {
  return `${spoolId}|${partition}`;
}

function optional<Name extends string, Value>(name: Name, value: Value | undefined) {
  return (value === undefined ? {} : { [name]: value }) as { [K in Name]?: Value };
}
