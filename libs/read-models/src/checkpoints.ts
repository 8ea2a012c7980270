import type { Topic } from '@vendo/events';
import type pg from 'pg';

/** Where a projection stands on one partition. */
export interface Checkpoint {
  projection: string;
  topic: Topic;
  partition: number;
  /** The next offset to read. */
  next: bigint;
  /** The log that was read; null before the first read. */
  logId: string | null;
  /** The last journal position folded; 0 before the first, and always on a topic without positions. */
  position: bigint;
}

/** The stored checkpoint, made at the start of the partition when there is none. */
export async function loadCheckpoint(
  pool: pg.Pool,
  projection: string,
  topic: Topic,
  partition: number,
): Promise<Checkpoint> {
  const key = [projection, topic, partition];
  await pool.query(
    `insert into read.checkpoints (projection, topic, partition, next_offset, position)
     values ($1, $2, $3, 0, 0) on conflict do nothing`,
    key,
  );
  const { rows } = await pool.query<{ next_offset: string; log_id: string | null; position: string }>(
    `select next_offset, log_id, position from read.checkpoints
     where projection = $1 and topic = $2 and partition = $3`,
    key,
  );
  const [row] = rows;
  if (!row) throw new Error(`the checkpoint of ${projection} on ${topic}/${partition} was deleted`);
  return {
    projection,
    topic,
    partition,
    next: BigInt(row.next_offset),
    logId: row.log_id,
    position: BigInt(row.position),
  };
}

/** Moves a checkpoint, as part of the transaction that writes the rows. False: somebody else has moved it, roll back. */
export async function moveCheckpoint(tx: pg.PoolClient, from: Checkpoint, to: Checkpoint): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update read.checkpoints set next_offset = $4, log_id = $5, position = $6
     where projection = $1 and topic = $2 and partition = $3
       and next_offset = $7 and log_id is not distinct from $8 and position = $9`,
    [
      from.projection,
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
