import type { EventLog } from '@vendo/event-log';
import { SHARD_COUNT } from '@vendo/events';
import { beginGenerations, Leases } from '@vendo/read-models';
import type { Clock, Health, Logger, Metrics } from '@vendo/runtime';
import type pg from 'pg';
import { ChargeWatch } from './charge-watch.js';
import { Follower } from './follower.js';
import type { Projection } from './projection.js';
import { Rebuilder } from './rebuilder.js';
import { Replayer } from './replayer.js';
import { Roster } from './roster.js';

export interface ProjectorParts {
  /** Names this projector among the others; its pools are called `connectionName(id)`. */
  id: string;
  log: EventLog;
  pool: pg.Pool;
  /** Small: what rebuilds may take of the database. */
  rebuildPool: pg.Pool;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  health: Health;
}

/** Everything that a projector does, beside others that do the same. */
export class Projector {
  private readonly roster: Roster;

  constructor(
    private readonly parts: ProjectorParts,
    private readonly projections: readonly Projection[],
    private readonly partitions: number = SHARD_COUNT,
  ) {
    const { id, pool, rebuildPool } = parts;
    const follower = new Follower(parts, projections, partitions);
    const alone = [
      new ChargeWatch(parts).duty,
      new Replayer(parts, projections).duty,
      new Rebuilder({ ...parts, pool: rebuildPool }, projections, partitions).duty,
    ];
    this.roster = new Roster({ ...parts, leases: new Leases(pool, id) }, async () => [
      ...(await follower.duties()),
      ...alone,
    ]);
  }

  /** Resolves when the topics exist; the ledger creates them. Throws LogMismatchError when they are on another kind of log. */
  async ready(signal: AbortSignal): Promise<void> {
    await this.parts.log.ready(this.partitions, signal);
    await beginGenerations(
      this.parts.pool,
      this.projections.map(({ name }) => name),
    );
  }

  /** Resolves when the signal aborts and all work has ended; never throws. */
  run(signal: AbortSignal): Promise<void> {
    return this.roster.run(signal);
  }
}
