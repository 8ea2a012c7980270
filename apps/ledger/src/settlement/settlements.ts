import { EventLog, LogMismatchError, OffsetOutOfRangeError } from '@vendo/event-log';
import { GATEWAY_TOPIC } from '@vendo/events';
import type { Clock, Health, Logger } from '@vendo/runtime';
import { ShardLoops } from '../writer/shard-loops.js';
import { StateDroppedError } from '../writer/work.js';
import type { Writer } from '../writer/writer.js';
import { readReport } from './read-report.js';

const RETRY_MS = 100;

/**
 * Reads gateway.events for the writer, one loop per owned shard, each from the offset that is committed. A loop that goes
 * on a moment too long does no harm: the writer takes no reports of a shard that is not its own, and an offset moves
 * only from where it was read. A partition whose log is not the expected one is stopped and told in the health; it is
 * never reset.
 */
export class Settlements {
  private readonly loops = new ShardLoops((partition, signal) => this.read(partition, signal));

  constructor(
    private readonly log: EventLog,
    private readonly writer: Writer,
    private readonly clock: Clock,
    private readonly health: Health,
    private readonly logger: Logger,
  ) {}

  gained(shards: readonly number[]): void {
    this.loops.begin(shards);
  }

  lost(shards: readonly number[]): void {
    this.loops.end(shards);
    for (const shard of shards) this.health.up(`settlements-${shard}`);
  }

  stop(): Promise<void> {
    return this.loops.stop();
  }

  private async read(partition: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.readUntilDropped(partition, signal);
      } catch (thrown) {
        if (thrown instanceof LogMismatchError || thrown instanceof OffsetOutOfRangeError)
          return this.giveUp(partition, thrown, signal);
        if (!(thrown instanceof StateDroppedError) && !signal.aborted)
          this.logger.error({ err: thrown, partition }, 'settlements: reading failed, trying again');
      }
      await this.clock.sleep(RETRY_MS, signal);
    }
  }

  private async readUntilDropped(partition: number, signal: AbortSignal): Promise<void> {
    const from = this.writer.offsets().find((offset) => offset.partition === partition);
    if (!from) return;
    const position = { next: from.next, logId: from.logId };
    for await (const { records, next, logId } of this.log.consume(GATEWAY_TOPIC, partition, position, signal))
      await this.writer.settle(
        records.map((record, index) =>
          readReport(record, partition, logId, records[index + 1]?.offset ?? next),
        ),
      );
  }

  private giveUp(partition: number, error: Error, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.logger.fatal({ err: error, partition }, 'settlements: partition stopped');
    this.health.down(`settlements-${partition}`, `${error.name}: an operator must look at this partition`);
  }
}
