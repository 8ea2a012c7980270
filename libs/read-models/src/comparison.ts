import { shardOf } from '@vendo/events';
import type { Clock } from '@vendo/runtime';
import type pg from 'pg';
import { type Change, takeChanges } from './changes.js';
import { type Generation, inTransaction, type ReadModelTable, schemaOf } from './generations.js';

/** Where two generations differ. `live` and `rebuilt` are counts and sums; null for what cannot be summed. */
export interface Difference {
  table: string;
  tenant_id: string;
  /** The UTC day; null in tables that have none. */
  day: string | null;
  /** `rows` when their counts differ. */
  column: string;
  live: string | null;
  rebuilt: string | null;
}

/** Both generations of one thing, each as the text of a FROM item with alias `t`, and what they have in common. */
export interface Pair {
  table: string;
  live: string;
  rebuilt: string;
  time: string | null;
  sums: readonly string[];
}

/** Part of a pair that is compared in one transaction: some tenants, and a day where the pair has days. */
export interface Slice {
  pair: Pair;
  tenants: readonly string[];
  day: string | null;
}

/** How long the live generation of a partition is held while the rebuild comes up, and while slices are compared. */
const CATCH_UP_MS = 700;
const HOLD_MS = 250;
const LOOK_EVERY_MS = 10;
/** A report names no more places than this; the rest is the same trouble. */
const DIFFERENCES_MAX = 100;
/** No differing (tenant, day) beyond these is looked at column by column. */
const GROUPS_MAX = 20;

/**
 * Compares a rebuild with the live generation: per table, tenant and day the number of rows, the sums, and the sum of a
 * hash of every row, which does not depend on their order.
 * A slice is compared while both stand at the same offset and position of its partition: the live one is held there,
 * for less than a second, and the rebuild comes up to it and not beyond.
 */
export class Comparison {
  constructor(
    private readonly pool: pg.Pool,
    private readonly rebuild: Generation,
    private readonly tables: readonly ReadModelTable[],
  ) {}

  /** All tenants of both generations, by partition. */
  async tenants(partitions: number): Promise<string[][]> {
    const found = new Set<string>();
    for (const pair of this.tables.map((table) => this.pairOf(table)))
      for (const side of [pair.live, pair.rebuilt])
        for (const tenant of await this.tenantsIn(side)) found.add(tenant);
    return Array.from({ length: partitions }, (_, partition) =>
      [...found].filter((tenant) => shardOf(tenant, partitions) === partition),
    );
  }

  /** The slices of some tenants, each small enough for one short transaction. */
  async slices(tenants: readonly string[]): Promise<Slice[]> {
    const slices: Slice[] = [];
    for (const pair of this.tables.map((table) => this.pairOf(table)))
      for (const day of pair.time === null ? [null] : await this.daysOf(pair, tenants))
        slices.push({ pair, tenants, day });
    return slices;
  }

  /** How many offsets the rebuild is behind the live generation, by partition; it is never ahead of it. */
  async behind(): Promise<Map<number, bigint>> {
    const { rows } = await this.pool.query<{ partition: number; behind: string }>(
      this.placesSql(''),
      this.key,
    );
    return new Map(rows.map(({ partition, behind }) => [partition, BigInt(behind)]));
  }

  /**
   * Compares slices of one partition from the `first` on, as many as fit into a moment in which the live generation is
   * held where it is. Null when the rebuild does not come up to it in that time: try again later.
   */
  compareSome(
    partition: number,
    slices: readonly Slice[],
    first: number,
    clock: Clock,
  ): Promise<{ next: number; differences: Difference[] } | null> {
    return this.together(partition, clock, async (tx) => {
      const together = clock.monotonicMs();
      const differences: Difference[] = [];
      let next = first;
      for (const slice of slices.slice(first)) {
        differences.push(...(await this.differences(tx, slice)));
        next += 1;
        if (clock.monotonicMs() - together > HOLD_MS) break;
      }
      return { next, differences };
    });
  }

  /** Compares what these tenants of a partition were changed in since they were compared. Null as above. */
  compareChanges(partition: number, tenants: readonly string[], clock: Clock): Promise<Difference[] | null> {
    return this.together(partition, clock, async (tx) => {
      const changes = await takeChanges(tx, this.rebuild, tenants);
      return this.changesThatDiffer(tx, changes);
    });
  }

  /** Compares what was changed and not compared again, and what is parked, where both generations stand still. */
  async compareRest(tx: pg.PoolClient): Promise<Difference[]> {
    const parked = await this.differences(tx, { pair: this.parkedPair(), tenants: [], day: null });
    return [...parked, ...(await this.changesThatDiffer(tx, await takeChanges(tx, this.rebuild, null)))];
  }

  /** Works in a transaction in which both generations stand at the same place of the partition. */
  private together<T>(
    partition: number,
    clock: Clock,
    work: (tx: pg.PoolClient) => Promise<T>,
  ): Promise<T | null> {
    return inTransaction(this.pool, async (tx) => {
      await tx.query(
        `select from read.checkpoints where projection = $1 and partition = $2
           and generation = (select generation from read.generations where projection = $1 and state = 'live') for update`,
        [this.rebuild.projection, partition],
      );
      const held = clock.monotonicMs();
      while (!(await this.isTogether(tx, partition))) {
        if (clock.monotonicMs() - held > CATCH_UP_MS) return null;
        await clock.sleep(LOOK_EVERY_MS);
      }
      return work(tx);
    });
  }

  private async isTogether(tx: pg.PoolClient, partition: number): Promise<boolean> {
    const { rows } = await tx.query<{ together: boolean }>(this.placesSql(' and rebuilt.partition = $3'), [
      ...this.key,
      partition,
    ]);
    return rows[0]?.together ?? false;
  }

  private get key(): unknown[] {
    return [this.rebuild.projection, this.rebuild.generation];
  }

  private placesSql(where: string): string {
    return `select rebuilt.partition, live.next_offset - rebuilt.next_offset as behind,
        (live.next_offset, live.position) = (rebuilt.next_offset, rebuilt.position)
          and live.log_id is not distinct from rebuilt.log_id as together
      from read.checkpoints rebuilt
      join read.generations on generations.projection = rebuilt.projection and generations.state = 'live'
      join read.checkpoints live on live.projection = rebuilt.projection
        and live.generation = generations.generation and live.partition = rebuilt.partition
      where rebuilt.projection = $1 and rebuilt.generation = $2${where}`;
  }

  private async differences(tx: pg.PoolClient, slice: Slice): Promise<Difference[]> {
    const { pair, day } = slice;
    const side = (relation: string): string =>
      `(select tenant_id, ${foldOf(pair)} from ${relation} where ${filterOf(slice)} group by tenant_id)`;
    const { rows } = await tx.query<{ tenant_id: string; live: string[] | null; rebuilt: string[] | null }>(
      `select tenant_id, live.fold as live, rebuilt.fold as rebuilt
       from ${side(pair.live)} live full join ${side(pair.rebuilt)} rebuilt using (tenant_id)
       where live.fold is distinct from rebuilt.fold order by 1 limit ${GROUPS_MAX}`,
      valuesOf(slice),
    );
    const found: Difference[] = [];
    for (const { tenant_id, live, rebuilt } of rows) {
      const at = { table: pair.table, tenant_id, day };
      if (live?.[0] !== rebuilt?.[0])
        found.push({ ...at, column: 'rows', live: live?.[0] ?? '0', rebuilt: rebuilt?.[0] ?? '0' });
      else found.push(...(await this.columnsThatDiffer(tx, { ...slice, tenants: [tenant_id] }, at)));
    }
    return found;
  }

  /** By tenant and minute first, because a whole day may be too much to be read while everything stands still. */
  private async changesThatDiffer(tx: pg.PoolClient, changes: readonly Change[]): Promise<Difference[]> {
    const found: Difference[] = [];
    for (const pair of this.tables.map((table) => this.pairOf(table))) {
      const mine = changes.filter(({ table }) => table === pair.table);
      const fold = (relation: string): string =>
        `lateral (select ${foldOf(pair)} from ${relation} where t.tenant_id = change.tenant_id${
          pair.time === null
            ? ''
            : ` and t.${pair.time} >= change.minute and t.${pair.time} < change.minute + interval '1 minute'`
        })`;
      const { rows } = await tx.query<{ tenant_id: string; day: string | null }>(
        `select distinct change.tenant_id, to_char(change.minute at time zone 'UTC', 'YYYY-MM-DD') as day
         from unnest($1::uuid[], $2::timestamptz[]) as change (tenant_id, minute)
         cross join ${fold(pair.live)} live cross join ${fold(pair.rebuilt)} rebuilt
         where live.fold is distinct from rebuilt.fold order by 1, 2 limit ${GROUPS_MAX}`,
        [mine.map(({ tenant_id }) => tenant_id), mine.map(({ minute }) => minute)],
      );
      for (const { tenant_id, day } of rows)
        found.push(...(await this.differences(tx, { pair, tenants: [tenant_id], day })));
    }
    return found;
  }

  private async columnsThatDiffer(
    tx: pg.PoolClient,
    slice: Slice,
    at: Pick<Difference, 'table' | 'tenant_id' | 'day'>,
  ): Promise<Difference[]> {
    const { pair } = slice;
    if (pair.table === 'parked') return [{ ...at, column: 'record_offset', live: null, rebuilt: null }];
    const { rows: columns } = await tx.query<{ name: string }>(
      `select attname as name from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped`,
      [`read.${pair.table}`],
    );
    const found: Difference[] = [];
    for (const { name } of columns) {
      const isSum = pair.sums.includes(name);
      const value = isSum ? `sum(t.${name})` : `sum(hashtextextended(t.${name}::text, 0)::numeric)`;
      const of = (relation: string): string =>
        `(select ${value}::text from ${relation} where ${filterOf(slice)})`;
      const { rows } = await tx.query<{ live: string | null; rebuilt: string | null }>(
        `select ${of(pair.live)} as live, ${of(pair.rebuilt)} as rebuilt`,
        valuesOf(slice),
      );
      const [row] = rows;
      if (row && row.live !== row.rebuilt)
        found.push({
          ...at,
          column: name,
          live: isSum ? row.live : null,
          rebuilt: isSum ? row.rebuilt : null,
        });
    }
    return found.length > 0
      ? found
      : [{ ...at, column: 'rows that are mixed up', live: null, rebuilt: null }];
  }

  private pairOf({ name, time, sums }: ReadModelTable): Pair {
    return {
      table: name,
      live: `read.${name} t`,
      rebuilt: `${schemaOf(this.rebuild)}.${name} t`,
      time,
      sums,
    };
  }

  /** What is parked is no row of a table, and must be the same records. */
  private parkedPair(): Pair {
    const { projection, generation } = this.rebuild;
    const of = (which: string): string =>
      `(select tenant_id, record_offset from read.parked
        where projection = '${projection}' and generation = ${which}) t`;
    const live = `(select generation from read.generations where projection = '${projection}' and state = 'live')`;
    return {
      table: 'parked',
      live: of(live),
      rebuilt: of(String(generation)),
      time: null,
      sums: ['record_offset'],
    };
  }

  /** One step of the index per tenant, not one per row. */
  private async tenantsIn(relation: string): Promise<string[]> {
    const { rows } = await this.pool.query<{ tenant_id: string }>(
      `with recursive found as (
         (select tenant_id from ${relation} order by tenant_id limit 1)
         union all
         select (select t.tenant_id from ${relation} where t.tenant_id > found.tenant_id order by t.tenant_id limit 1)
         from found where found.tenant_id is not null)
       select tenant_id from found where tenant_id is not null`,
    );
    return rows.map(({ tenant_id }) => tenant_id);
  }

  private async daysOf({ live, rebuilt, time }: Pair, tenants: readonly string[]): Promise<string[]> {
    const of = (relation: string): string =>
      `select date_trunc('day', ${time}, 'UTC') as day from ${relation} where tenant_id = any($1::uuid[])`;
    const { rows } = await this.pool.query<{ day: string }>(
      `select to_char(day at time zone 'UTC', 'YYYY-MM-DD') as day from (${of(live)} union ${of(rebuilt)}) days order by 1`,
      [tenants],
    );
    return rows.map(({ day }) => day);
  }
}

/** The first differences of many, and how many there are. */
export function reportOf(differences: readonly Difference[]): { count: number; first: Difference[] } {
  return { count: differences.length, first: differences.slice(0, DIFFERENCES_MAX) };
}

/** Number of rows first, then the sums, then the hash. */
function foldOf({ sums }: Pair): string {
  const folds = [
    'count(*)',
    ...sums.map((name) => `sum(t.${name})`),
    'sum(hashtextextended(t::text, 0)::numeric)',
  ];
  return `array[${folds.map((fold) => `${fold}::text`).join(', ')}] as fold`;
}

function filterOf({ pair, day }: Slice): string {
  if (pair.table === 'parked') return 'true';
  if (day === null) return 'tenant_id = any($1::uuid[])';
  const start = `($2::timestamp at time zone 'UTC')`;
  return `tenant_id = any($1::uuid[]) and ${pair.time} >= ${start} and ${pair.time} < ${start} + interval '1 day'`;
}

function valuesOf({ pair, tenants, day }: Slice): unknown[] {
  if (pair.table === 'parked') return [];
  return day === null ? [tenants] : [tenants, day];
}
