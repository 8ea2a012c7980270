import { VendoError } from '@vendo/errors';
import { shardOf } from '@vendo/events';
import type { Clock } from '@vendo/runtime';
import { MovedError } from './ledger-connections.js';
import { type LedgerDirectory, originOf } from './ledger-directory.js';
import type { ReserveAnswer, ReserveCommand, ReserveDecision, SpoolRef } from './schemas.js';

const GIVE_UP_MS = 6_000;
const IN_FLIGHT_MAX = 2;
const COMMANDS_MAX = 1_000;
const FIRST_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 200;

/** How reserves and questions reach a ledger. Both throw as LedgerConnections.request does. */
export interface ReserveCalls {
  /** Resolves with the answers in the order of the commands. */
  send(
    origin: string,
    spool: SpoolRef,
    commands: readonly ReserveCommand[],
  ): Promise<readonly ReserveAnswer[]>;
  /** Asks a ledger who owns what; the directory learns it. */
  findOwners(origin: string, spool: SpoolRef): Promise<void>;
}

interface Waiting {
  spool: SpoolRef;
  command: ReserveCommand;
  shard: number;
  /** How often it was sent to a ledger that does not own its shard. */
  moves: number;
  settled: boolean;
  resolve(answer: ReserveDecision): void;
  reject(error: Error): void;
}

/**
 * All reserves of this process. Those of a tick travel to their ledger together, at most 2 requests are in flight to
 * each, and what had no decision is sent again, unchanged, to whoever owns the shard by then, until each command's own
 * 6 s are over.
 *
 * While an owner does not answer, its commands wait here. The other ledgers are asked who owns the shard now, and the
 * owner itself is tried with one command that goes on waiting meanwhile: a hanging owner keeps nobody from a new one.
 */
export class Reserves {
  private waiting: Waiting[] = [];
  private readonly inFlight = new Map<string, number>();
  private readonly asking = new Set<string>();
  private scheduled = false;
  private searching = false;

  constructor(
    private readonly directory: LedgerDirectory,
    private readonly calls: ReserveCalls,
    private readonly clock: Clock,
  ) {}

  ask(spool: SpoolRef, command: ReserveCommand): Promise<ReserveDecision> {
    const { promise, resolve, reject } = Promise.withResolvers<ReserveDecision>();
    const shard = shardOf(command.tenant_id);
    const waiting: Waiting = { spool, command, shard, moves: 0, settled: false, resolve, reject };
    const timer = setTimeout(() => settle(waiting, unavailable()), GIVE_UP_MS);
    void promise.then(
      () => clearTimeout(timer),
      () => clearTimeout(timer),
    );
    this.waiting.push(waiting);
    this.schedule();
    return promise;
  }

  /** The directory has changed: what waits may have somewhere to go. */
  wake(): void {
    if (this.waiting.length > 0) this.schedule();
  }

  /** Refuses what still waits. */
  close(): void {
    for (const waiting of this.waiting) settle(waiting, unavailable());
  }

  /** Collects what the rest of this tick brings. */
  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.flush();
    });
  }

  private flush(): void {
    const batches = new Map<string, { origin: string; commands: Waiting[] }>();
    const staying: Waiting[] = [];
    for (const waiting of this.open()) {
      const origin = this.directory.ask(waiting.shard);
      const key = `${origin} ${waiting.spool.id}`;
      const batch = batches.get(key);
      if (batch && batch.commands.length < COMMANDS_MAX) batch.commands.push(waiting);
      else if (!batch && this.mayAsk(origin)) {
        batches.set(key, { origin, commands: [waiting] });
        this.inFlight.set(origin, this.inFlightTo(origin) + 1);
      } else staying.push(waiting);
    }
    this.waiting = staying;
    for (const { origin, commands } of batches.values()) void this.carry(origin, commands);
    if (staying.some((waiting) => this.isStuck(waiting))) void this.search();
  }

  private open(): Waiting[] {
    return this.waiting.filter(({ settled }) => !settled);
  }

  private mayAsk(origin: string): boolean {
    return !this.directory.isSilent(origin) && this.inFlightTo(origin) < IN_FLIGHT_MAX;
  }

  private inFlightTo(origin: string): number {
    return this.inFlight.get(origin) ?? 0;
  }

  /** Sends a batch that has a place among those in flight. What it leaves open waits again. */
  private async carry(origin: string, batch: readonly Waiting[]): Promise<void> {
    const left = await this.attempt(origin, batch);
    this.waiting = [...left, ...this.waiting];
    this.schedule();
  }

  /** Returns the commands that are to be sent again at once; those that moved come back by themselves. */
  private async attempt(origin: string, batch: readonly Waiting[]): Promise<readonly Waiting[]> {
    const [first] = batch;
    if (!first) return [];
    try {
      const commands = batch.map(({ command }) => command);
      const answers = await this.calls.send(origin, first.spool, commands);
      this.directory.answered(origin);
      for (const [index, waiting] of batch.entries()) this.take(waiting, answers[index], origin);
      return [];
    } catch (thrown) {
      if (thrown instanceof MovedError) {
        for (const waiting of batch) void this.follow(waiting, thrown.owner, origin);
        return [];
      }
      if (thrown instanceof VendoError) {
        for (const waiting of batch) settle(waiting, thrown);
        return [];
      }
      this.directory.failed(origin);
      return batch;
    } finally {
      this.inFlight.set(origin, this.inFlightTo(origin) - 1);
    }
  }

  private take(waiting: Waiting, answer: ReserveAnswer | undefined, origin: string): void {
    if (answer?.status === 'moved') void this.follow(waiting, answer.owner, origin);
    else settle(waiting, answer ?? unavailable());
  }

  /** The first hint is followed at once; who is sent round in circles, or nowhere, pauses. */
  private async follow(waiting: Waiting, owner: string | null, origin: string): Promise<void> {
    this.directory.moved(waiting.shard, owner);
    waiting.moves += 1;
    const elsewhere = owner !== null && originOf(owner) !== origin;
    if (!elsewhere || waiting.moves > 1) await this.clock.sleep(pauseMs(waiting.moves - 1));
    if (waiting.settled || this.waiting.includes(waiting)) return;
    this.waiting.push(waiting);
    this.schedule();
  }

  /** Whether this command's ledger did not answer, so that it stays here until another is named or this one is back. */
  private isStuck({ shard }: Waiting): boolean {
    return this.directory.isSilent(this.directory.ask(shard));
  }

  private async search(): Promise<void> {
    if (this.searching) return;
    this.searching = true;
    for (let turn = 0; this.open().some((waiting) => this.isStuck(waiting)); turn++) {
      await this.clock.sleep(pauseMs(turn));
      for (const origin of this.directory.ledgers)
        void (this.directory.isSilent(origin) ? this.probe(origin) : this.askForOwners(origin));
    }
    this.searching = false;
  }

  /** Tries a silent ledger with the oldest command that is stuck, one that waits for it where there is one. The command stays in the queue. */
  private async probe(origin: string): Promise<void> {
    const stuck = this.open().filter((waiting) => this.isStuck(waiting));
    const oldest = stuck.find(({ shard }) => this.directory.ask(shard) === origin) ?? stuck[0];
    if (!oldest || this.inFlightTo(origin) >= IN_FLIGHT_MAX) return;
    this.inFlight.set(origin, this.inFlightTo(origin) + 1);
    await this.attempt(origin, [oldest]);
    this.schedule();
  }

  private async askForOwners(origin: string): Promise<void> {
    const [first] = this.open();
    if (!first || this.asking.has(origin)) return;
    this.asking.add(origin);
    await this.calls.findOwners(origin, first.spool).catch(() => undefined);
    this.asking.delete(origin);
  }
}

function pauseMs(turn: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** turn, LONGEST_PAUSE_MS);
}

function settle(waiting: Waiting, end: ReserveDecision | Error): void {
  if (waiting.settled) return;
  waiting.settled = true;
  if (end instanceof Error) waiting.reject(end);
  else waiting.resolve(end);
}

function unavailable(): VendoError {
  return new VendoError('billing_unavailable');
}
