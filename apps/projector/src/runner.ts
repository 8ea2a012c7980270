import { type EventLog, LogMismatchError, OffsetOutOfRangeError } from '@vendo/event-log';
import { type Checkpoint, loadCheckpoint } from '@vendo/read-models';
import type { Clock, Health, Logger, Metrics } from '@vendo/runtime';
import type pg from 'pg';
import { type Written, writeBatch } from './batch-writer.js';
import type { Projection } from './projection.js';
import { JournalGapError } from './triage.js';

const RETRY_AFTER_MS = 500;

export interface RunnerParts {
  log: EventLog;
  pool: pg.Pool;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  health: Health;
}

/** Follows every (projection, partition) from its checkpoint to the end of time, each in a loop of its own. */
export class Runner {
  private readonly folded;
  private readonly parked;
  private readonly stopped;
  private readonly lagSeconds;
  /** Loops that wait for an outage to pass, by place; one log line when the first begins and one when the last ends. */
  private readonly waiting = new Set<string>();

  constructor(
    private readonly parts: RunnerParts,
    private readonly projections: readonly Projection[],
    private readonly partitions: number,
  ) {
    const { metrics } = parts;
    this.folded = metrics.counter('vendo_projected_events_total', 'Events folded', ['projection']);
    this.parked = metrics.counter('vendo_projection_parked_total', 'Records parked', ['projection']);
    this.stopped = metrics.gauge(
      'vendo_projection_stopped_partitions',
      'Partitions that stopped for good: the log is not the one that was read before',
      ['projection'],
    );
    this.lagSeconds = metrics.histogram(
      'vendo_projection_lag_seconds',
      'From the oldest event of a batch to the commit of its rows',
      [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60],
      ['projection'],
    );
    for (const { name } of projections) this.stopped.set({ projection: name }, 0);
  }

  /** Resolves when the topics exist; the ledger creates them. Throws LogMismatchError when they are on another kind of log. */
  ready(signal: AbortSignal): Promise<void> {
    return this.parts.log.ready(this.partitions, signal);
  }

  /** Resolves when the signal aborts and every loop has ended; never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const loops = this.projections.flatMap((projection) =>
      Array.from({ length: this.partitions }, (_, partition) => this.follow(projection, partition, signal)),
    );
    await Promise.all(loops);
  }

  /** One partition of one projection. An outage is waited out; a log that is not the one read before stops it for good. */
  private async follow(projection: Projection, partition: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.consume(projection, partition, signal);
      } catch (thrown) {
        if (signal.aborted) return;
        if (isFatal(thrown)) return this.stop(projection, partition, thrown);
        this.wait(`${projection.name}/${partition}`, thrown);
        await this.parts.clock.sleep(RETRY_AFTER_MS, signal);
      }
    }
  }

  private async consume(projection: Projection, partition: number, signal: AbortSignal): Promise<void> {
    const { log, pool } = this.parts;
    let checkpoint = await loadCheckpoint(pool, projection.name, projection.topic, partition);
    this.goOn(`${projection.name}/${partition}`);
    for await (const batch of log.consume(projection.topic, partition, checkpoint, signal)) {
      if (checkpoint.logId !== null && checkpoint.logId !== batch.logId)
        throw new LogMismatchError(`log ${batch.logId} where ${checkpoint.logId} was read before`);
      const written = await writeBatch(pool, projection, checkpoint, batch);
      this.tell(projection, checkpoint, written);
      checkpoint = written.checkpoint;
    }
  }

  private tell(projection: Projection, { partition }: Checkpoint, { folded, parked }: Written): void {
    const labels = { projection: projection.name };
    if (folded.length > 0) {
      this.folded.inc(labels, folded.length);
      const oldest = Math.min(...folded.map(({ fact }) => Date.parse(fact.event.at)));
      this.lagSeconds.observe(labels, Math.max(0, (this.parts.clock.wallMs() - oldest) / 1_000));
    }
    for (const { record, reason } of parked) {
      this.parked.inc(labels);
      const place = { ...labels, topic: projection.topic, partition, offset: String(record.offset) };
      this.parts.logger.error({ ...place, tenant: record.key, reason }, 'record parked');
    }
  }

  private wait(loop: string, reason: unknown): void {
    this.waiting.add(loop);
    if (this.waiting.size > 1) return;
    this.parts.health.down('projections', 'waiting for the database or the log');
    this.parts.logger.warn({ loop, err: reason }, 'projection waits and tries again');
  }

  private goOn(loop: string): void {
    if (!this.waiting.delete(loop) || this.waiting.size > 0) return;
    this.parts.health.up('projections');
    this.parts.logger.info('projections go on');
  }

  private stop(projection: Projection, partition: number, reason: Error): void {
    const place = { projection: projection.name, topic: projection.topic, partition };
    this.stopped.inc({ projection: projection.name });
    this.parts.health.down(`${projection.name}/${partition}`, `${reason.name}: ${reason.message}`);
    this.parts.logger.fatal({ ...place, err: reason }, 'projection stopped; it never resets by itself');
  }
}

function isFatal(thrown: unknown): thrown is Error {
  return (
    thrown instanceof LogMismatchError ||
    thrown instanceof OffsetOutOfRangeError ||
    thrown instanceof JournalGapError
  );
}
