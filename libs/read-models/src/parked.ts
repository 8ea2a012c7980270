import type { Topic } from '@vendo/events';
import type pg from 'pg';
import type { Place } from './checkpoints.js';

/** A record that a generation of a projection set aside, whole. */
export interface ParkedRow extends Place {
  topic: Topic;
  offset: bigint;
  tenantId: string;
  headers: Record<string, string>;
  value: Buffer;
  reason: string;
}

/** Stores what could not be folded; a repeat changes nothing. */
export async function park(tx: pg.PoolClient, row: ParkedRow): Promise<void> {
  await tx.query(
    `insert into read.parked (projection, generation, topic, partition, record_offset, tenant_id, headers, value, reason)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing`,
    [
      row.projection,
      row.generation,
      row.topic,
      row.partition,
      row.offset,
      storable(row.tenantId),
      JSON.stringify(row.headers),
      row.value,
      storable(row.reason),
    ],
  );
}

/** Which of these tenants have a parked record, so that later ones of theirs must follow it. */
export async function parkedTenants(
  tx: pg.PoolClient,
  { projection, generation }: Place,
  tenantIds: readonly string[],
): Promise<Set<string>> {
  const { rows } = await tx.query<{ tenant_id: string }>(
    'select distinct tenant_id from read.parked where projection = $1 and generation = $2 and tenant_id = any($3)',
    [projection, generation, tenantIds.map(storable)],
  );
  return new Set(rows.map(({ tenant_id }) => tenant_id));
}

/** Postgres text cannot hold a NUL, and a foreign record may. */
function storable(text: string): string {
  return text.replaceAll('\0', '');
}
