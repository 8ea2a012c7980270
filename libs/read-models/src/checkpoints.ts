import type { Topic } from '@vendo/events';
import type pg from 'pg';

/** One partition of one generation of a projection. */
export interface Place {
  projection: string;
  generation: number;
  partition: number;
}

/** Where a place stands. */
export interface Checkpoint extends Place {
  topic: Topic;
  /** The next offset to read. */
  next: bigint;
  /** The log that was read; null before the first read. */
  logId: string | null;
  /** The last journal position folded; 0 before the first, and always on a topic without positions. */
  position: bigint;
}

/**
 * The stored checkpoint, made at the start of the partition when there is none. Null when the generation is folded no
 * more: whoever comes late must not begin it again.
 */
export async function loadCheckpoint(pool: pg.Pool, place: Place, topic: Topic): Promise<Checkpoint | null> {
  const key = [place.projection, place.generation, topic, place.partition];
  await pool.query(
    `insert into read.checkpoints (projection, generation, topic, partition, next_offset, position)
     select projection, generation, $3, $4, 0, 0 from read.generations
     where projection = $1 and generation = $2 and state <> 'old' for share
     on conflict do nothing`,
    key,
  );
  const { rows } = await pool.query<{ next_offset: string; log_id: string | null; position: string }>(
    `select next_offset, log_id, position from read.checkpoints
     where projection = $1 and generation = $2 and topic = $3 and partition = $4`,
    key,
  );
  const [row] = rows;
  return row
    ? {
        ...place,
        topic,
        next: BigInt(row.next_offset),
        logId: row.log_id,
        position: BigInt(row.position),
      }
    : null;
}

/**
 * Moves a checkpoint, as the first thing in the transaction that writes the rows. False: somebody else has moved it, or
 * the generation is folded no more; roll back.
 */
export async function moveCheckpoint(tx: pg.PoolClient, from: Checkpoint, to: Checkpoint): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update read.checkpoints set next_offset = $5, log_id = $6, position = $7
     where projection = $1 and generation = $2 and topic = $3 and partition = $4
       and next_offset = $8 and log_id is not distinct from $9 and position = $10`,
    [
      from.projection,
      from.generation,
      from.topic,
      from.partition,
      to.next,
      to.logId,
      to.position,
      from.next,
      from.logId,
      from.position,
    ],
  );
  return rowCount === 1;
}

/** Keeps a place where it is until the transaction ends. False: its generation is folded no more. */
export async function holdCheckpoint(tx: pg.PoolClient, place: Place): Promise<boolean> {
  const { rowCount } = await tx.query(
    `select from read.checkpoints where projection = $1 and generation = $2 and partition = $3 for update`,
    [place.projection, place.generation, place.partition],
  );
  return rowCount === 1;
}

/** How far a rebuild may go: where the live generation stands on the partition; null for the live one itself. */
export async function rebuildLimit(pool: pg.Pool, place: Place): Promise<bigint | null> {
  const { rows } = await pool.query<{ next_offset: string }>(
    `select next_offset from read.checkpoints join read.generations using (projection, generation)
     where projection = $1 and state = 'live' and generation <> $2 and partition = $3`,
    [place.projection, place.generation, place.partition],
  );
  return rows[0] ? BigInt(rows[0].next_offset) : null;
}
