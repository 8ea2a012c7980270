import type pg from 'pg';
import { endWatch, type Generation, inTransaction, type ReadModelTable, schemaOf } from './generations.js';

const CATCH_UP_MS = 800;
const LOOK_EVERY_MS = 10;
const LOCK_WITHIN_MS = 700;

/**
 * For the connections that fold a rebuild: no commit waits for the disk. A crash takes back the last moments of rows and
 * checkpoints alike, and they are folded again.
 */
export const REBUILD_SETTINGS = { synchronous_commit: 'off' };

/**
 * Makes a rebuild the live generation, in one transaction: the tables change places and the pointer moves. A reader sees
 * one or the other, because a statement that reads a table keeps the swap away until it ends.
 * The live generation stands still meanwhile, less than a second. False when the rebuild does not catch up with it in
 * that time, or somebody reads or vacuums the tables all the time: try again.
 * @param mayMove decides at the last moment, where nobody writes into either generation.
 */
export async function swapGenerations(
  pool: pg.Pool,
  rebuild: Generation,
  tables: readonly ReadModelTable[],
  sleep: (ms: number) => Promise<void>,
  mayMove: (tx: pg.PoolClient) => Promise<boolean>,
): Promise<boolean> {
  try {
    return await inTransaction(pool, async (tx) => {
      // What rebuilds commit may be lost in a crash (see `REBUILD_SETTINGS`), but not once it is live.
      await tx.query('set local synchronous_commit to on');
      const live = await lockGenerations(tx, rebuild);
      if (live === null) return false;
      const old = { projection: rebuild.projection, generation: live };
      await holdCheckpoints(tx, old);
      if (!(await caughtUp(tx, rebuild, live, sleep))) return false;
      await holdCheckpoints(tx, rebuild);
      await tx.query(`set local lock_timeout to '${LOCK_WITHIN_MS}ms'`);
      // Nobody writes from here on, not even by hand; everybody reads.
      await lockTables(tx, rebuild, tables, 'share row exclusive');
      if (!(await mayMove(tx))) return false;
      await lockTables(tx, rebuild, tables, 'access exclusive');
      await endWatch(tx, rebuild);
      await moveTables(tx, old, rebuild, tables);
      await movePointer(tx, old, rebuild);
      return true;
    });
  } catch (thrown) {
    if (isLockNotAvailable(thrown)) return false;
    throw thrown;
  }
}

/** The live generation's number; null when the rebuild is not what it was. */
async function lockGenerations(tx: pg.PoolClient, rebuild: Generation): Promise<number | null> {
  const { rows } = await tx.query<{ generation: number; state: string }>(
    `select generation, state from read.generations where projection = $1 order by generation for update`,
    [rebuild.projection],
  );
  const still = rows.some(
    ({ generation, state }) => generation === rebuild.generation && state === rebuild.state,
  );
  return still ? (rows.find(({ state }) => state === 'live')?.generation ?? null) : null;
}

/** Whoever folds a generation moves its checkpoint first, so it waits here and has touched no table yet. */
async function holdCheckpoints(
  tx: pg.PoolClient,
  { projection, generation }: Omit<Generation, 'state'>,
): Promise<void> {
  await tx.query(
    'select from read.checkpoints where projection = $1 and generation = $2 order by partition for update',
    [projection, generation],
  );
}

async function caughtUp(
  tx: pg.PoolClient,
  { projection, generation }: Generation,
  live: number,
  sleep: (ms: number) => Promise<void>,
): Promise<boolean> {
  for (let waited = 0; waited <= CATCH_UP_MS; waited += LOOK_EVERY_MS) {
    const { rowCount } = await tx.query(
      `select from read.checkpoints live left join read.checkpoints rebuilt
         on rebuilt.projection = live.projection and rebuilt.generation = $3 and rebuilt.partition = live.partition
       where live.projection = $1 and live.generation = $2
         and (rebuilt.next_offset is null or rebuilt.next_offset < live.next_offset or rebuilt.position < live.position)
       limit 1`,
      [projection, live, generation],
    );
    if (rowCount === 0) return true;
    await sleep(LOOK_EVERY_MS);
  }
  return false;
}

/**
 * Waits a little for the readers of now, while those who come later wait for us. Less than `deadlock_timeout` (1 s): where
 * a reader and we wait for each other, we give up before the server ends the reader.
 */
async function lockTables(
  tx: pg.PoolClient,
  rebuild: Generation,
  tables: readonly ReadModelTable[],
  mode: 'share row exclusive' | 'access exclusive',
): Promise<void> {
  const names = tables.flatMap(({ name }) => [`read.${name}`, `${schemaOf(rebuild)}.${name}`]);
  await tx.query(`lock table ${names.join(', ')} in ${mode} mode`);
}

async function moveTables(
  tx: pg.PoolClient,
  old: Omit<Generation, 'state'>,
  rebuild: Generation,
  tables: readonly ReadModelTable[],
): Promise<void> {
  await tx.query(`create schema if not exists ${schemaOf(old)}`);
  for (const { name } of tables) {
    await tx.query(`alter table read.${name} set schema ${schemaOf(old)}`);
    await tx.query(`alter table ${schemaOf(rebuild)}.${name} set schema read`);
  }
}

/** The old generation is folded no more: without checkpoints nobody can, and what it had parked is parked in the new one. */
async function movePointer(
  tx: pg.PoolClient,
  old: Omit<Generation, 'state'>,
  rebuild: Generation,
): Promise<void> {
  const key = [old.projection, old.generation];
  await tx.query("update read.generations set state = 'old' where projection = $1 and generation = $2", key);
  await tx.query("update read.generations set state = 'live' where projection = $1 and generation = $2", [
    rebuild.projection,
    rebuild.generation,
  ]);
  await tx.query('delete from read.checkpoints where projection = $1 and generation = $2', key);
  await tx.query('delete from read.parked where projection = $1 and generation = $2', key);
}

function isLockNotAvailable(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && thrown.code === '55P03';
}
