import type { EventRecord } from '@vendo/events';
import type pg from 'pg';
import type { Place } from './checkpoints.js';

/** An operator wants this parked record folded again. */
export interface ReplayRequest extends Place {
  id: string;
  tenantId: string;
}

/** A parked record as it was read from the log. */
export interface ParkedRecord extends EventRecord {
  id: string;
  offset: bigint;
}

/** The oldest wishes, at most 100. */
export async function replayRequests(pool: pg.Pool): Promise<ReplayRequest[]> {
  const { rows } = await pool.query<Omit<ReplayRequest, 'tenantId'> & { tenant_id: string }>(
    `select id, projection, generation, partition, tenant_id from read.parked
     where replay_requested_at is not null order by replay_requested_at, id limit 100`,
  );
  return rows.map(({ tenant_id, ...row }) => ({ ...row, tenantId: tenant_id }));
}

/** The requested record; or, of a journal, the tenant's sequence in its order, from its first record, at most `limit`. */
export async function parkedSequence(
  tx: pg.PoolClient,
  request: ReplayRequest,
  order: 'facts' | 'journal',
  limit: number,
): Promise<ParkedRecord[]> {
  const { rows } = await tx.query<
    Omit<ParkedRecord, 'offset' | 'key'> & { record_offset: string; tenant_id: string }
  >(
    `select id, record_offset, tenant_id, headers, value from read.parked
     where projection = $1 and generation = $2 and tenant_id = $3 and ($4::bigint is null or id = $4)
     order by record_offset limit $5`,
    [
      request.projection,
      request.generation,
      request.tenantId,
      order === 'journal' ? null : request.id,
      limit,
    ],
  );
  return rows.map(({ record_offset, tenant_id, ...row }) => ({
    ...row,
    key: tenant_id,
    offset: BigInt(record_offset),
  }));
}

export async function unpark(tx: pg.PoolClient, ids: readonly string[]): Promise<void> {
  await tx.query('delete from read.parked where id = any($1::bigint[])', [ids]);
}

/** The record stays parked, now for this reason, and nobody tries again until an operator asks. */
export async function keepParked(
  tx: pg.PoolClient,
  request: ReplayRequest,
  id: string,
  reason: string,
): Promise<void> {
  await tx.query('update read.parked set replay_requested_at = null where id = any($1::bigint[])', [
    [request.id, id],
  ]);
  await tx.query('update read.parked set reason = $2 where id = $1', [id, reason.replaceAll('\0', '')]);
}

/** The replay goes on with what is left of the tenant's sequence, whoever does it. */
export async function passReplayOn(tx: pg.PoolClient, request: ReplayRequest): Promise<void> {
  await tx.query(
    `update read.parked set replay_requested_at = clock_timestamp() where id =
       (select id from read.parked where projection = $1 and generation = $2 and tenant_id = $3
        order by record_offset limit 1)`,
    [request.projection, request.generation, request.tenantId],
  );
}
