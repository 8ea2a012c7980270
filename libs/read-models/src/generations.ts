import type pg from 'pg';

/** A table of a projection, as the comparison of two generations looks at it. Every one has a column `tenant_id`. */
export interface ReadModelTable {
  name: string;
  /** The timestamptz whose UTC day a row belongs to; null where a tenant has few rows, which are compared at once. */
  time: string | null;
  /** Columns whose sums a report shows. */
  sums: readonly string[];
}

export type GenerationState = 'building' | 'blocked' | 'accepted' | 'live' | 'old';

export interface Generation {
  projection: string;
  generation: number;
  state: GenerationState;
}

/** A rebuild that cannot be begun, accepted or dropped as things stand; the message says why. */
export class RebuildError extends Error {
  override name = 'RebuildError';
}

/** Where the tables of a generation stand that is not the live one. */
export function schemaOf({ projection, generation }: Omit<Generation, 'state'>): string {
  if (!/^[a-z_]+$/.test(projection)) throw new RangeError(`not a projection's name: ${projection}`);
  return `read_${projection}_${generation}`;
}

/**
 * Begins a transaction in which a table's bare name is the table of this generation: of its own schema while it is not
 * live, of `read` while it is. A swap moves the tables, so the same names stay right. First move or hold the checkpoint:
 * that proves that the generation is still folded.
 */
export async function beginIn(client: pg.PoolClient, place: Omit<Generation, 'state'>): Promise<void> {
  await client.query(`begin; set local search_path to ${schemaOf(place)}, read`);
}

/** A projection that was never folded begins with generation 1, whose tables a migration made. */
export async function beginGenerations(pool: pg.Pool, projections: readonly string[]): Promise<void> {
  await pool.query(
    `insert into read.generations (projection, generation, state) select unnest($1::text[]), 1, 'live'
     on conflict do nothing`,
    [projections],
  );
}

/** The generations that projectors follow: the live ones and the rebuilds. */
export async function followedGenerations(pool: pg.Pool): Promise<Generation[]> {
  const { rows } = await pool.query<Generation>(
    `select projection, generation, state from read.generations where state <> 'old' order by 1, 2`,
  );
  return rows;
}

/** Every generation of one projection, with what its comparison found. */
export async function generationsOf(
  pool: pg.Pool,
  projection: string,
): Promise<(Generation & { report: unknown })[]> {
  const { rows } = await pool.query<Generation & { report: unknown }>(
    'select projection, generation, state, report from read.generations where projection = $1 order by generation',
    [projection],
  );
  return rows;
}

/**
 * Makes the tables of the next generation, empty and in the shape of the live ones; the projectors find and fold it.
 * The old generation that the last swap left is dropped. Throws RebuildError.
 */
export async function startRebuild(
  pool: pg.Pool,
  projection: string,
  tables: readonly ReadModelTable[],
): Promise<number> {
  await dropGeneration(pool, projection, 'old');
  return inTransaction(pool, async (tx) => {
    const { rows } = await tx.query<{ generation: number; state: GenerationState }>(
      'select generation, state from read.generations where projection = $1 order by generation desc for update',
      [projection],
    );
    const [newest] = rows;
    if (!newest) throw new RebuildError(`no projector has run projection ${projection} yet`);
    if (newest.state !== 'live')
      throw new RebuildError(`generation ${newest.generation} of ${projection} is ${newest.state}`);
    const next = { projection, generation: newest.generation + 1 };
    await tx.query(`create schema ${schemaOf(next)}`);
    for (const { name } of tables) await createLike(tx, name, schemaOf(next));
    await tx.query(
      `insert into read.generations (projection, generation, state) values ($1, $2, 'building')`,
      [projection, next.generation],
    );
    return next.generation;
  });
}

/** `like including indexes` would name the indexes anew, and migrations name them: so each is made by its definition. */
async function createLike(tx: pg.PoolClient, table: string, schema: string): Promise<void> {
  await tx.query(`create table ${schema}.${table} (like read.${table} including all excluding indexes)`);
  const { rows } = await tx.query<{ sql: string }>(
    `select format('alter table %s.%I add constraint %I %s', $2::text, $1::text, conname, pg_get_constraintdef(oid)) as sql
     from pg_constraint where conrelid = format('read.%I', $1::text)::regclass and contype in ('p', 'u')
     union all
     select replace(pg_get_indexdef(indexrelid), ' ON read.', ' ON ' || $2::text || '.') from pg_index
     where indrelid = format('read.%I', $1::text)::regclass
       and not exists (select from pg_constraint where conindid = indexrelid)`,
    [table, schema],
  );
  for (const { sql } of rows) await tx.query(sql);
}

/** An operator has read the report of a blocked rebuild and wants it live all the same; answers which. Throws RebuildError. */
export async function acceptRebuild(pool: pg.Pool, projection: string): Promise<number> {
  const { rows } = await pool.query<{ generation: number }>(
    `update read.generations set state = 'accepted' where projection = $1 and state = 'blocked' returning generation`,
    [projection],
  );
  const [accepted] = rows;
  if (!accepted) throw new RebuildError(`no rebuild of ${projection} is blocked`);
  return accepted.generation;
}

/** Gives a rebuild up. Throws RebuildError. */
export async function dropRebuild(pool: pg.Pool, projection: string): Promise<void> {
  for (const state of ['building', 'blocked', 'accepted'] as const)
    if (await dropGeneration(pool, projection, state)) return;
  throw new RebuildError(`${projection} is not being rebuilt`);
}

/** Drops what the last swap or a rebuild left; false when there is none in this state. */
export async function dropGeneration(
  pool: pg.Pool,
  projection: string,
  state: Exclude<GenerationState, 'live'>,
): Promise<boolean> {
  for (const one of await generationsOf(pool, projection)) if (one.state === state) await endWatch(pool, one);
  return inTransaction(pool, async (tx) => {
    const { rows } = await tx.query<{ generation: number }>(
      'delete from read.generations where projection = $1 and state = $2 returning generation',
      [projection, state],
    );
    const [dropped] = rows;
    if (!dropped) return false;
    const key = [projection, dropped.generation];
    // The checkpoints first: whoever still folds this generation writes no row without one.
    await tx.query('delete from read.checkpoints where projection = $1 and generation = $2', key);
    await tx.query('delete from read.parked where projection = $1 and generation = $2', key);
    await tx.query(`drop schema ${schemaOf({ projection, ...dropped })} cascade`);
    return true;
  });
}

/** Ends what `watchChanges` began, table by table as well; in a transaction that has locked the tables, it ends with that. */
export async function endWatch(
  db: pg.Pool | pg.PoolClient,
  rebuild: Omit<Generation, 'state'>,
): Promise<void> {
  const schema = schemaOf(rebuild);
  const { rows } = await db.query<{ name: string }>(
    'select proname as name from pg_proc where pronamespace = to_regnamespace($1)',
    [schema],
  );
  // With each function goes its trigger on both tables.
  for (const { name } of rows) await db.query(`drop function ${schema}.${name} cascade`);
  await db.query(`drop table if exists ${schema}.changes`);
}

/** Stores what the comparison found, and stops the swap. False when somebody else has decided meanwhile. */
export async function blockRebuild(pool: pg.Pool, rebuild: Generation, report: unknown): Promise<boolean> {
  const { rowCount } = await pool.query(
    `update read.generations set state = 'blocked', report = $3
     where projection = $1 and generation = $2 and state = 'building'`,
    [rebuild.projection, rebuild.generation, JSON.stringify(report)],
  );
  return rowCount === 1;
}

export async function inTransaction<T>(
  pool: pg.Pool,
  work: (tx: pg.PoolClient) => Promise<T>,
  begin: (tx: pg.PoolClient) => Promise<unknown> = (tx) => tx.query('begin'),
): Promise<T> {
  const client = await pool.connect();
  let failed: Error | undefined;
  const onBreak = (broken: Error): void => {
    failed = broken;
  };
  // A connection that breaks between two queries says so by an event, and the next query fails as well.
  client.on('error', onBreak);
  try {
    await begin(client);
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (thrown) {
    await client.query('rollback').catch(onBreak);
    throw thrown;
  } finally {
    client.off('error', onBreak);
    // A connection that could not roll back is closed, never given to the next one.
    client.release(failed);
  }
}
