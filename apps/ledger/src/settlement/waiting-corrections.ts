import type { Clock, Logger } from '@vendo/runtime';
import type { ParkedRecords } from '../operator/parked-records.js';
import type { Writer } from '../writer/writer.js';

const LOOK_EVERY_MS = 2_000;

/**
 * A correction can come before the charge that it corrects, by another gateway's spool. It waits among the parked records;
 * this decides it again once its hold is charged.
 */
export class WaitingCorrections {
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();

  constructor(
    private readonly parked: ParkedRecords,
    private readonly writer: Writer,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  start(): void {
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      await this.clock.sleep(LOOK_EVERY_MS, signal);
      if (signal.aborted) return;
      await this.look().catch((thrown: unknown) =>
        this.logger.warn({ err: thrown }, 'waiting corrections: trying again'),
      );
    }
  }

  /** One round over the shards that are ours. Throws when Postgres does not answer. */
  async look(): Promise<void> {
    for (const { id, report } of await this.parked.corrections(this.writer.owned()))
      await this.writer.replay(id, report);
  }
}
