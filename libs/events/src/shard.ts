import { createHash } from 'node:crypto';

/** Shards of the ledger and partitions of both topics. Written by the first migration; never changes in place. */
export const SHARD_COUNT = 16;

/** The shard of a tenant, and with it the partition of everything said about the tenant. Frozen by a golden test. */
export function shardOf(tenantId: string, shardCount: number = SHARD_COUNT): number {
  return createHash('sha256').update(tenantId).digest().readUInt32BE(0) % shardCount;
}
