import { randomUUID } from 'node:crypto';
import { expect } from '@jest/globals';
import { type EventLog, openEventLog } from '@vendo/event-log';
import { type EventRecord, encodeEvent, shardOf, type Topic, type VendoEvent } from '@vendo/events';
import { connectionName, migrateReadModels, REBUILD_SETTINGS } from '@vendo/read-models';
import { createLogger, createPool, Health, Metrics, SystemClock } from '@vendo/runtime';
import { createTestDatabase, type TestDatabase } from '@vendo/testing';
import type pg from 'pg';
import type { Projection } from './projection.js';
import { Projector } from './projector.js';

export const PARTITIONS = 2;

export interface RunningProjector {
  id: string;
  metrics: Metrics;
  stop(): Promise<void>;
}

/** Projections on a real database behind a log in memory: what every projection's spec stands on. */
export class ProjectionStand {
  readonly health = new Health();
  logger = createLogger('spec', 'silent');

  private constructor(
    readonly pool: pg.Pool,
    readonly log: EventLog,
    private readonly projections: readonly Projection[],
    readonly partitions: number,
    private readonly database: TestDatabase,
  ) {}

  static async open(projections: readonly Projection[], partitions = PARTITIONS): Promise<ProjectionStand> {
    const database = await createTestDatabase();
    const pool = createPool(database.url, { app: 'projection spec', max: 8 });
    await migrateReadModels(pool);
    const surroundings = { logger: createLogger('spec', 'silent'), clock: new SystemClock() };
    const log = openEventLog({ kind: 'memory' }, surroundings);
    await log.createTopics(partitions);
    return new ProjectionStand(pool, log, projections, partitions, database);
  }

  get url(): string {
    return this.database.url;
  }

  /** Appends one record after the other to the partition of its tenant. */
  async append(topic: Topic, records: readonly EventRecord[]): Promise<void> {
    for (const record of records)
      await this.log.append(topic, shardOf(record.key, this.partitions), [record]);
  }

  /** A projector from the stored checkpoints, until `done` (by default: all is read); then it is stopped. */
  async project(
    done: () => Promise<boolean> = () => this.caughtUp(),
    projections: readonly Projection[] = this.projections,
  ): Promise<void> {
    const projector = await this.start(projections);
    try {
      await eventually(done);
    } finally {
      await projector.stop();
    }
  }

  /** One more projector, with connections of its own, until it is stopped. */
  async start(projections: readonly Projection[] = this.projections): Promise<RunningProjector> {
    const id = randomUUID();
    const app = connectionName(id);
    const pool = createPool(this.database.url, { app, max: 8 });
    const rebuildPool = createPool(this.database.url, { app, max: 4, settings: REBUILD_SETTINGS });
    const surroundings = { clock: new SystemClock(), logger: this.logger, metrics: new Metrics('spec') };
    const parts = { id, log: this.log, pool, rebuildPool, health: this.health, ...surroundings };
    const projector = new Projector(parts, projections, this.partitions);
    const stopping = new AbortController();
    await projector.ready(stopping.signal);
    const running = projector.run(stopping.signal);
    return {
      id,
      metrics: surroundings.metrics,
      async stop() {
        stopping.abort();
        await running;
        await Promise.all([pool.end(), rebuildPool.end()]);
      },
    };
  }

  /** Rows without the order of the disk; bigints and numerics are text. */
  async rows(sql: string): Promise<Record<string, unknown>[]> {
    const { rows } = await this.pool.query<Record<string, unknown>>(sql);
    return rows;
  }

  /** Every generation that is folded has read everything. */
  async caughtUp(): Promise<boolean> {
    for (const { name, topic } of this.projections)
      for (let partition = 0; partition < this.partitions; partition += 1) {
        const { rows } = await this.pool.query<{ next: string | null }>(
          'select min(next_offset) as next from read.checkpoints where projection = $1 and partition = $2',
          [name, partition],
        );
        const head = await this.log.head(topic, partition);
        if (head > 1n && rows[0]?.next !== String(head)) return false;
      }
    return true;
  }

  async close(): Promise<void> {
    await this.log.close();
    await this.pool.end();
    await this.database.drop();
  }
}

export async function eventually(condition: () => Promise<boolean>, withinMs = 20_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('it did not come to pass');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A record of a gateway; the same fact written twice has the same id. */
export function gatewayRecord(
  tenantId: string,
  event: Pick<VendoEvent<'UsageMeasured.v2'>, 'type' | 'data'>,
): EventRecord {
  return encodeEvent({ ...event, id: event.data.id, tenantId, at: event.data.ended_at }, '/gateway');
}

/** Bytes that no schema knows, under a known or unknown type. */
export function brokenRecord(
  tenantId: string,
  type: string,
  extensions: Record<string, string> = {},
): EventRecord {
  return {
    key: tenantId,
    headers: { ce_type: type, ce_id: randomUUID(), ce_subject: tenantId, ...extensions },
    value: Buffer.from('{"half":'),
  };
}

/** Expects exactly these parked records, by tenant and reason, in the order they were parked. */
export async function expectParked(
  stand: ProjectionStand,
  expected: { tenant_id: string; reason: unknown }[],
): Promise<void> {
  expect(
    await stand.rows('select tenant_id, reason from read.parked order by partition, record_offset'),
  ).toEqual(expected);
}
