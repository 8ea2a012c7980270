import { shardOf } from '@vendo/events';
import {
  blockRebuild,
  Comparison,
  changesByTenant,
  type Difference,
  endWatch,
  followedGenerations,
  type Generation,
  generationsOf,
  reportOf,
  swapGenerations,
  watchChanges,
} from '@vendo/read-models';
import type { Clock, Logger, Metrics } from '@vendo/runtime';
import type pg from 'pg';
import type { Duty } from './duty.js';
import type { Projection } from './projection.js';

const LOOK_EVERY_MS = 500;
/** Between two tries to find both generations at the same place, or the tables free to be swapped. */
const TRY_AGAIN_MS = 25;
/** A rebuild that is this close to the live generation is compared with it. */
const NEAR_OFFSETS = 100n;
/** So many changed minutes of tenants are compared while everything stands still. */
const FEW_CHANGES = 4_000;
/** Differences that a log line names. */
const TOLD_MAX = 20;

export interface RebuilderParts {
  pool: pg.Pool;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
}

/**
 * Brings every rebuild to its end: when it has caught up it is compared with the live generation, and swapped or blocked.
 * It keeps nothing between two looks, so whoever takes the duty over begins the comparison anew.
 */
export class Rebuilder {
  private readonly differing;
  private readonly swapped;
  readonly duty: Duty = { place: 'rebuilds', run: (signal) => this.run(signal) };

  constructor(
    private readonly parts: RebuilderParts,
    private readonly projections: readonly Projection[],
    private readonly partitions: number,
  ) {
    this.differing = parts.metrics.gauge(
      'vendo_projection_rebuild_differences',
      'Places where a blocked rebuild differs from the live generation',
      ['projection'],
    );
    this.swapped = parts.metrics.counter('vendo_projection_swaps_total', 'Rebuilds that became live', [
      'projection',
    ]);
    for (const { name } of projections) this.differing.set({ projection: name }, 0);
  }

  private async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.look(signal);
      } catch (thrown) {
        this.parts.logger.warn({ err: thrown }, 'the rebuild could not be looked after');
      }
      await this.parts.clock.sleep(LOOK_EVERY_MS, signal);
    }
    for (const { name } of this.projections) this.differing.set({ projection: name }, 0);
  }

  private async look(signal: AbortSignal): Promise<void> {
    const generations = await followedGenerations(this.parts.pool);
    for (const projection of this.projections) {
      const rebuild = generations.find(
        ({ projection: name, state }) => name === projection.name && state !== 'live',
      );
      this.differing.set({ projection: projection.name }, await this.countOf(rebuild));
      if (rebuild?.state === 'accepted') await this.swap(projection, rebuild, signal);
      if (rebuild?.state === 'building') await this.judge(projection, rebuild, signal);
    }
  }

  private async countOf(rebuild: Generation | undefined): Promise<number> {
    if (rebuild?.state !== 'blocked') return 0;
    const stored = await generationsOf(this.parts.pool, rebuild.projection);
    const { report } = stored.find(({ generation }) => generation === rebuild.generation) ?? {};
    return (report as { count?: number } | null)?.count ?? 0;
  }

  private async judge(projection: Projection, rebuild: Generation, signal: AbortSignal): Promise<void> {
    const differences = await this.compareAndSwap(projection, rebuild, signal);
    if (differences === null) return;
    await endWatch(this.parts.pool, rebuild);
    const report = reportOf(differences);
    if (!(await blockRebuild(this.parts.pool, rebuild, report))) return;
    this.differing.set({ projection: rebuild.projection }, report.count);
    this.parts.logger.error(
      { alert: 'rebuild_differs', ...rebuild, ...report, first: report.first.slice(0, TOLD_MAX) },
      'a rebuilt projection differs from the live one and was not swapped',
    );
  }

  /**
   * Compares everything, then again and again what was written meanwhile, until so little is left that it is compared
   * while both generations stand still, and the tables are swapped in the same transaction.
   * Null when they were, or when the signal aborts or the rebuild is given up before; else what differs.
   */
  private async compareAndSwap(
    projection: Projection,
    rebuild: Generation,
    signal: AbortSignal,
  ): Promise<Difference[] | null> {
    const { pool, clock } = this.parts;
    const comparison = new Comparison(pool, rebuild, projection.tables);
    const goesOn = async (): Promise<boolean> => {
      await clock.sleep(TRY_AGAIN_MS, signal);
      return !signal.aborted && (await this.isWanted(rebuild));
    };
    while (!(await this.isNear(comparison))) if (!(await goesOn())) return null;
    await watchChanges(pool, rebuild, projection.tables);
    let found = await this.compareAll(comparison, goesOn);
    while (found?.length === 0) {
      found = await this.compareChanges(comparison, rebuild, goesOn);
      if (found?.length !== 0) return found;
      let rest: Difference[] = [];
      const isEqual = async (tx: pg.PoolClient): Promise<boolean> => {
        rest = await comparison.compareRest(tx);
        return rest.length === 0;
      };
      if (await this.swap(projection, rebuild, signal, isEqual)) return null;
      if (rest.length > 0) return rest;
      if (!(await goesOn())) return null;
    }
    return found;
  }

  private async compareAll(
    comparison: Comparison,
    goesOn: () => Promise<boolean>,
  ): Promise<Difference[] | null> {
    const found: Difference[] = [];
    const tenants = await comparison.tenants(this.partitions);
    for (const [partition, mine] of tenants.entries()) {
      const slices = await comparison.slices(mine);
      for (let at = 0; at < slices.length; ) {
        const some = await comparison.compareSome(partition, slices, at, this.parts.clock);
        found.push(...(some?.differences ?? []));
        at = some?.next ?? at;
        if (!(await goesOn())) return null;
      }
    }
    return found;
  }

  /** Partition by partition, until few changes are left. */
  private async compareChanges(
    comparison: Comparison,
    rebuild: Generation,
    goesOn: () => Promise<boolean>,
  ): Promise<Difference[] | null> {
    const found: Difference[] = [];
    for (;;) {
      const changes = await changesByTenant(this.parts.pool, rebuild);
      if (found.length > 0 || sum(changes.values()) <= FEW_CHANGES) return found;
      const byPartition = Map.groupBy(changes.keys(), (tenant) => shardOf(tenant, this.partitions));
      for (const [partition, tenants] of byPartition)
        for (let some: Difference[] | null = null; some === null; ) {
          some = await comparison.compareChanges(partition, tenants, this.parts.clock);
          found.push(...(some ?? []));
          if (!(await goesOn())) return null;
        }
    }
  }

  /** The live generation is held for the comparison only when what is left is soon read. */
  private async isNear(comparison: Comparison): Promise<boolean> {
    const behind = await comparison.behind();
    return (
      behind.size === this.partitions && [...behind.values()].every((offsets) => offsets <= NEAR_OFFSETS)
    );
  }

  private async isWanted({ projection, generation, state }: Generation): Promise<boolean> {
    const now = await followedGenerations(this.parts.pool);
    return now.some(
      (one) => one.projection === projection && one.generation === generation && one.state === state,
    );
  }

  /** One try. */
  private async swap(
    projection: Projection,
    rebuild: Generation,
    signal: AbortSignal,
    mayMove: (tx: pg.PoolClient) => Promise<boolean> = async () => true,
  ): Promise<boolean> {
    const { pool, clock, logger } = this.parts;
    const sleep = (ms: number): Promise<void> => clock.sleep(ms, signal);
    if (!(await swapGenerations(pool, rebuild, projection.tables, sleep, mayMove))) return false;
    this.swapped.inc({ projection: rebuild.projection });
    logger.info({ ...rebuild, state: 'live' }, 'a rebuilt projection is live');
    return true;
  }
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
