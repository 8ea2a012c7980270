import { SystemClock } from '@vendo/runtime';
import { type BatchCommit, type BatchQuestion, Journal, type TakenShard } from '../journal/journal.js';
import { Leases, type Member } from '../journal/leases.js';
import type { WriterPorts } from './ledger-under-test.js';

/**
 * Stops a ledger at every border that it has, as SIGSTOP would: what it has sent is carried out, what it would do next
 * waits, and its monotonic clock runs on. One that is never resumed is dead.
 */
export class Stop {
  private gate: { open: Promise<void>; resume(): void } | null = null;
  /** Called before each statement of a batch's commit. */
  beforeCommit: () => void = () => undefined;

  stop(): void {
    if (this.gate) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.gate = { open: promise, resume: resolve };
  }

  resume(): void {
    this.gate?.resume();
    this.gate = null;
  }

  async pass(): Promise<void> {
    while (this.gate) await this.gate.open;
  }

  /** Does the work, but neither begins nor tells its end while stopped. */
  async through<T>(work: () => Promise<T>): Promise<T> {
    await this.pass();
    try {
      return await work();
    } finally {
      await this.pass();
    }
  }
}

/** The same ports and a clock, behind a stop. */
export function stoppable({ journal, leases }: WriterPorts, stop: Stop) {
  return {
    ports: { journal: new StoppableJournal(journal, stop), leases: new StoppableLeases(leases, stop) },
    clock: new StoppableClock(stop),
  };
}

class StoppableClock extends SystemClock {
  constructor(private readonly stop: Stop) {
    super();
  }
  override async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await super.sleep(ms, signal);
    await this.stop.pass();
  }
}

class StoppableJournal extends Journal {
  constructor(
    private readonly real: Journal,
    private readonly stop: Stop,
  ) {
    super();
  }
  load(taken: readonly TakenShard[]) {
    return this.stop.through(() => this.real.load(taken));
  }
  read(question: BatchQuestion) {
    return this.stop.through(() => this.real.read(question));
  }
  commit(batch: BatchCommit) {
    this.stop.beforeCommit();
    return this.stop.through(() => this.real.commit(batch));
  }
}

class StoppableLeases extends Leases {
  constructor(
    private readonly real: Leases,
    private readonly stop: Stop,
  ) {
    super();
  }
  look(self: Member, fit: boolean) {
    return this.stop.through(() => this.real.look(self, fit));
  }
  take(self: Member, shards: readonly number[]) {
    return this.stop.through(() => this.real.take(self, shards));
  }
  giveBack(self: Member, shards: readonly number[]) {
    return this.stop.through(() => this.real.giveBack(self, shards));
  }
  leave(self: Member) {
    return this.stop.through(() => this.real.leave(self));
  }
}
