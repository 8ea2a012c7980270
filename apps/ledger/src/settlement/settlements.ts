import { EventLog, LogMismatchError, OffsetOutOfRangeError } from '@vendo/event-log';
import { GATEWAY_TOPIC } from '@vendo/events';
import type { Clock, Health, Logger } from '@vendo/runtime';
import { StateDroppedError, type Writer } from '../writer/writer.js';
import { readReport } from './read-report.js';

const RETRY_MS = 100;

/**
 * Reads gateway.events for the writer, one loop per partition, each from the offset that the writer has committed.
 * A partition whose log is not the expected one is stopped and told in the health; it is never reset.
 */
export class Settlements {
  private readonly stopping = new AbortController();
  private loops: Promise<void>[] = [];

  constructor(
    private readonly log: EventLog,
    private readonly writer: Writer,
    private readonly clock: Clock,
    private readonly health: Health,
    private readonly logger: Logger,
  ) {}

  start(): void {
    this.loops = (this.writer.offsets() ?? []).map(({ partition }) => this.read(partition));
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.all(this.loops);
  }

  private async read(partition: number): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      try {
        await this.readUntilDropped(partition, signal);
      } catch (thrown) {
        if (thrown instanceof LogMismatchError || thrown instanceof OffsetOutOfRangeError)
          return this.giveUp(partition, thrown);
        if (!(thrown instanceof StateDroppedError) && !signal.aborted)
          this.logger.error({ err: thrown, partition }, 'settlements: reading failed, trying again');
      }
      await this.clock.sleep(RETRY_MS, signal);
    }
  }

  private async readUntilDropped(partition: number, signal: AbortSignal): Promise<void> {
    const from = this.writer.offsets()?.find((offset) => offset.partition === partition);
    if (!from) return;
    const position = { next: from.next, logId: from.logId };
    for await (const { records, next, logId } of this.log.consume(GATEWAY_TOPIC, partition, position, signal))
      await this.writer.settle(
        records.map((record, index) =>
          readReport(record, partition, logId, records[index + 1]?.offset ?? next),
        ),
      );
  }

  private giveUp(partition: number, error: Error): void {
    this.logger.fatal({ err: error, partition }, 'settlements: partition stopped');
    this.health.down(`settlements-${partition}`, `${error.name}: an operator must look at this partition`);
  }
}
