import { VendoError } from '@vendo/errors';
import type { Clock } from '@vendo/runtime';
import type { ReserveAnswer, ReserveCommand, SpoolRef } from './schemas.js';

const GIVE_UP_MS = 6_000;
const IN_FLIGHT_MAX = 2;
const COMMANDS_MAX = 1_000;
const FIRST_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 800;

/** Sends one request. Resolves with the answers in order; throws VendoError when the ledger refused the request itself, anything else when it may be sent again. */
export type SendReserves = (
  spool: SpoolRef,
  commands: readonly ReserveCommand[],
) => Promise<readonly ReserveAnswer[]>;

interface Waiting {
  command: ReserveCommand;
  settled: boolean;
  resolve(answer: ReserveAnswer): void;
  reject(error: Error): void;
}

/**
 * The reserves of one spool: those of a tick travel together, at most 2 requests are in flight, and what had no answer
 * is sent again, unchanged, until each command's own 6 s are over.
 */
export class ReserveLane {
  private waiting: Waiting[] = [];
  private inFlight = 0;
  private scheduled = false;

  constructor(
    private readonly spool: SpoolRef,
    private readonly send: SendReserves,
    private readonly clock: Clock,
  ) {}

  ask(command: ReserveCommand): Promise<ReserveAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<ReserveAnswer>();
    const waiting: Waiting = {
      command,
      settled: false,
      resolve,
      reject,
    };
    const timer = setTimeout(() => settle(waiting, unavailable()), GIVE_UP_MS);
    void promise.then(
      () => clearTimeout(timer),
      () => clearTimeout(timer),
    );
    this.waiting.push(waiting);
    this.schedule();
    return promise;
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
    this.waiting = this.waiting.filter(({ settled }) => !settled);
    while (this.inFlight < IN_FLIGHT_MAX && this.waiting.length > 0)
      void this.carry(this.waiting.splice(0, COMMANDS_MAX));
  }

  private async carry(batch: Waiting[]): Promise<void> {
    this.inFlight += 1;
    let open = batch;
    for (let pauseMs = FIRST_PAUSE_MS; open.length > 0; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      if (await this.attempt(open)) break;
      await this.clock.sleep(pauseMs);
      open = open.filter(({ settled }) => !settled);
    }
    this.inFlight -= 1;
    this.flush();
  }

  /** True when every command of the request has its end. */
  private async attempt(batch: readonly Waiting[]): Promise<boolean> {
    try {
      const answers = await this.send(
        this.spool,
        batch.map(({ command }) => command),
      );
      for (const [index, waiting] of batch.entries()) settle(waiting, answers[index] ?? unavailable());
      return true;
    } catch (thrown) {
      if (!(thrown instanceof VendoError)) return false;
      for (const waiting of batch) settle(waiting, thrown);
      return true;
    }
  }
}

function settle(waiting: Waiting, end: ReserveAnswer | Error): void {
  if (waiting.settled) return;
  waiting.settled = true;
  if (end instanceof Error) waiting.reject(end);
  else waiting.resolve(end);
}

function unavailable(): VendoError {
  return new VendoError('billing_unavailable');
}
