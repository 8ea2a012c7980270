import { type EventLog, type LogBatch, LogMismatchError, OffsetOutOfRangeError } from '@vendo/event-log';
import {
  type Checkpoint,
  followedGenerations,
  loadCheckpoint,
  type Place,
  rebuildLimit,
} from '@vendo/read-models';
import type { Clock, Health, Logger, Metrics } from '@vendo/runtime';
import type pg from 'pg';
import { CheckpointMovedError, type Written, writeBatch } from './batch-writer.js';
import type { Duty } from './duty.js';
import type { Projection } from './projection.js';
import { JournalGapError } from './triage.js';

const RETRY_AFTER_MS = 500;
/** How often a rebuild looks how far it may go, and how long it lets few records become more: its work is not urgent. */
const BEHIND_LIVE_MS = 100;
const FEW_RECORDS = 100;

export interface FollowerParts {
  log: EventLog;
  pool: pg.Pool;
  /** Small: what rebuilds may take of the database. */
  rebuildPool: pg.Pool;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  health: Health;
}

/** What one loop follows. */
interface Followed {
  projection: Projection;
  place: Place;
  isRebuild: boolean;
}

/** Follows each (projection, generation, partition) from its checkpoint to the end of time, in a loop of its own. */
export class Follower {
  private readonly folded;
  private readonly parked;
  private readonly stopped;
  private readonly lagSeconds;
  /** Loops that wait for an outage to pass, by place; one log line when the first begins and one when the last ends. */
  private readonly waiting = new Set<string>();

  constructor(
    private readonly parts: FollowerParts,
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

  /** Every partition of every generation that is folded, each a duty of its own. Throws what pg throws. */
  async duties(): Promise<Duty[]> {
    const generations = await followedGenerations(this.parts.pool);
    return generations.flatMap(({ generation, state, ...of }) => {
      const projection = this.projections.find(({ name }) => name === of.projection);
      if (!projection) return [];
      const isRebuild = state !== 'live';
      return Array.from({ length: this.partitions }, (_, partition) => {
        const place = { projection: projection.name, generation, partition };
        // A rebuild that becomes live is another duty.
        return {
          place: isRebuild ? `${nameOf(place)} rebuild` : nameOf(place),
          run: (signal) => this.follow({ projection, place, isRebuild }, signal),
        };
      });
    });
  }

  /** An outage is waited out; a log that is not the one read before stops the place for good, until another projector has it. */
  private async follow(followed: Followed, signal: AbortSignal): Promise<void> {
    const name = nameOf(followed.place);
    while (!signal.aborted) {
      try {
        await this.consume(followed, signal);
      } catch (thrown) {
        if (signal.aborted) break;
        if (isFatal(thrown)) await this.stop(followed, thrown, signal);
        // Another one has this place now; the next turn says so.
        else if (!(thrown instanceof CheckpointMovedError)) this.wait(name, thrown);
        await this.parts.clock.sleep(RETRY_AFTER_MS, signal);
      }
    }
    this.goOn(name);
  }

  private async consume(followed: Followed, signal: AbortSignal): Promise<void> {
    const { projection, place } = followed;
    const pool = this.poolOf(followed);
    let checkpoint = await loadCheckpoint(pool, place, projection.topic);
    if (!checkpoint) throw new CheckpointMovedError(nameOf(place));
    this.goOn(nameOf(place));
    for await (const batch of this.parts.log.consume(projection.topic, place.partition, checkpoint, signal)) {
      if (checkpoint.logId !== null && checkpoint.logId !== batch.logId)
        throw new LogMismatchError(`log ${batch.logId} where ${checkpoint.logId} was read before`);
      for await (const part of this.behindLive(batch, followed, signal)) {
        const written = await writeBatch(pool, projection, checkpoint, part);
        this.tell(projection, checkpoint, written);
        checkpoint = written.checkpoint;
      }
      if (followed.isRebuild && batch.records.length < FEW_RECORDS)
        await this.parts.clock.sleep(BEHIND_LIVE_MS, signal);
    }
  }

  /** A rebuild has few connections of its own, so that the live generation waits for none. */
  private poolOf({ isRebuild }: Followed): pg.Pool {
    return isRebuild ? this.parts.rebuildPool : this.parts.pool;
  }

  /**
   * A rebuild never goes beyond the live generation, so that the two are together whenever the live one stands still:
   * its batches are cut where that one is, and the rest waits.
   */
  private async *behindLive(
    batch: LogBatch,
    followed: Followed,
    signal: AbortSignal,
  ): AsyncIterable<LogBatch> {
    if (!followed.isRebuild) return yield batch;
    let { records } = batch;
    while (!signal.aborted) {
      const limit = await rebuildLimit(this.poolOf(followed), followed.place);
      if (limit === null || limit >= batch.next) return yield { ...batch, records };
      const part = records.filter(({ offset }) => offset < limit);
      if (part.length > 0) yield { ...batch, records: part, next: limit };
      records = records.slice(part.length);
      await this.parts.clock.sleep(BEHIND_LIVE_MS, signal);
    }
  }

  private tell(
    projection: Projection,
    { generation, partition }: Checkpoint,
    { folded, parked }: Written,
  ): void {
    const labels = { projection: projection.name };
    if (folded.length > 0) {
      this.folded.inc(labels, folded.length);
      const oldest = Math.min(...folded.map(({ fact }) => Date.parse(fact.event.at)));
      this.lagSeconds.observe(labels, Math.max(0, (this.parts.clock.wallMs() - oldest) / 1_000));
    }
    for (const { record, reason } of parked) {
      this.parked.inc(labels);
      const place = {
        ...labels,
        generation,
        topic: projection.topic,
        partition,
        offset: String(record.offset),
      };
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

  /** Says so until the place is another projector's. */
  private async stop(followed: Followed, reason: Error, signal: AbortSignal): Promise<void> {
    const { projection, generation, partition } = followed.place;
    const { topic } = followed.projection;
    const part = nameOf({ projection, generation, partition });
    this.stopped.inc({ projection });
    this.parts.health.down(part, `${reason.name}: ${reason.message}`);
    this.parts.logger.fatal(
      { projection, generation, topic, partition, err: reason },
      'projection stopped; it never resets by itself',
    );
    await aborted(signal);
    this.stopped.dec({ projection });
    this.parts.health.up(part);
  }
}

function nameOf({ projection, generation, partition }: Place): string {
  return `${projection}/${generation}/${partition}`;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function isFatal(thrown: unknown): thrown is Error {
  return (
    thrown instanceof LogMismatchError ||
    thrown instanceof OffsetOutOfRangeError ||
    thrown instanceof JournalGapError
  );
}
