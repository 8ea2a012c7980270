import { shardOf } from '@vendo/events';
import type pg from 'pg';
import { v7 as uuidv7 } from 'uuid';

export type Reserve = (tenant: string) => Promise<void>;

/** What one would write first: a transaction for every reserve, on 16 connections, a wallet with one cap in it and a journal in no order. */
export async function plainTransaction(pool: pg.Pool, tenants: readonly string[]): Promise<Reserve> {
  await pool.query(`create schema plain;
    create table plain.wallets (tenant uuid primary key, balance bigint, held bigint, daily bigint, used bigint);
    create table plain.holds (id uuid primary key, tenant uuid, amount bigint);
    create table plain.journal (id bigint generated always as identity primary key, tenant uuid, hold uuid unique, value text)`);
  await pool.query('insert into plain.wallets select unnest($1::uuid[]), 1000000000, 0, 1000000000, 0', [
    tenants,
  ]);
  return (tenant) =>
    inTransaction(pool, async (client) => {
      const hold = uuidv7();
      const { rowCount } = await client.query(
        `update plain.wallets set held = held + 10, used = used + 10
         where tenant = $1 and balance - held >= 10 and daily - used >= 10`,
        [tenant],
      );
      if (rowCount !== 1) throw new Error('refused');
      await client.query('insert into plain.holds values ($1, $2, 10)', [hold, tenant]);
      await client.query('insert into plain.journal (tenant, hold, value) values ($1, $2, $3)', [
        tenant,
        hold,
        JSON.stringify({ hold, amount_micros: 10, after: { held_micros: 10 } }),
      ]);
    });
}

/**
 * A transaction for every reserve that keeps what the ledger keeps: both cap windows, and the ledger's own journal with
 * its indexes, gap-free positions per shard and gap-free seqs per tenant. The head is locked as late as it can be.
 */
export async function sameRowsTransaction(pool: pg.Pool, tenants: readonly string[]): Promise<Reserve> {
  await pool.query(`create schema same;
    create table same.heads (like ledger.shards including all) with (fillfactor = 10);
    insert into same.heads (shard) select generate_series(0, 15);
    create table same.wallets (tenant uuid primary key, balance bigint, held bigint, seq bigint) with (fillfactor = 50);
    create table same.windows (tenant uuid, name text, spent bigint, held bigint, cap bigint, primary key (tenant, name))
      with (fillfactor = 50);
    create table same.holds (like ledger.holds including all);
    create table same.journal (like ledger.journal including all)`);
  await pool.query('insert into same.wallets select unnest($1::uuid[]), 1000000000, 0, 0', [tenants]);
  await pool.query(
    `insert into same.windows select tenant, name, 0, 0, 1000000000
     from unnest($1::uuid[]) tenant, unnest(array['2026-11-21', '2026-11']) name`,
    [tenants],
  );
  const value = JSON.stringify({ text: 'as long as the text of a HoldOpened'.padEnd(640, '.') });
  return (tenant) =>
    inTransaction(pool, async (client) => {
      const hold = uuidv7();
      const wallet = await client.query<{ seq: string }>(
        `update same.wallets set held = held + 10, seq = seq + 1
         where tenant = $1 and balance - held >= 10 returning seq`,
        [tenant],
      );
      const windows = await client.query(
        'update same.windows set held = held + 10 where tenant = $1 and name = any($2) and spent + held + 10 <= cap',
        [tenant, ['2026-11-21', '2026-11']],
      );
      if (wallet.rowCount !== 1 || windows.rowCount !== 2) throw new Error('refused');
      await client.query(
        `insert into same.holds values ($1, $2, $2, 10, '2026-11-21', '2026-11', $2, 1, 1)`,
        [hold, tenant],
      );
      const shard = shardOf(tenant);
      const head = await client.query<{ position: string }>(
        'update same.heads set position = position + 1 where shard = $1 returning position',
        [shard],
      );
      await client.query(
        `insert into same.journal (shard, position, tenant_id, seq, type, kind, hold_id, spool_id, at, value)
         values ($1, $2, $3, $4, 'HoldOpened.v1', 'opened', $5, $3, now(), $6)`,
        [shard, head.rows[0]?.position, tenant, wallet.rows[0]?.seq, hold, value],
      );
    });
}

async function inTransaction(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<void>): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    await work(client);
    await client.query('commit');
  } finally {
    client.release();
  }
}
