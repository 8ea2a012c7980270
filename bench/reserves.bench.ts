/**
 * Question: how many durable reserves a second, with caps and journal on, at 64 callers?
 * Compared in the same run: one transaction per reserve (lock the wallet, insert hold and journal row, update).
 * Budget: the batch API over HTTP makes at least 8x of it, and one hot tenant is not slower than many.
 * Run: node dist/bench/reserves.bench.js (after swc also built bench/); needs no running Postgres.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { createPool, SystemClock, startApp } from '@vendo/runtime';
import { startEmbeddedPostgres } from '@vendo/testing';
import type pg from 'pg';
import { v4 as uuidv4, v7 as uuidv7 } from 'uuid';
import { audit } from '../apps/ledger/src/audit.js';
import { LedgerModule } from '../apps/ledger/src/ledger.module.js';
import { Writer } from '../apps/ledger/src/writer/writer.js';
import { HttpLedgerClient } from '../libs/ledger-api/src/http.ledger-client.js';

const CALLERS = 64;
const TENANTS = 200;
const ROUND_MS = Number(process.env.BENCH_MS ?? 3_000);
const BUDGET_RATIO = 8;
const TOKEN = 'internal-token-of-the-bench';

type Reserve = (tenant: string) => Promise<void>;

/** Reserves per second, all callers busy for the whole round, after a tenth of it to warm up. */
async function rate(reserve: Reserve, tenants: readonly string[]): Promise<number> {
  await burst(reserve, tenants, ROUND_MS / 10);
  const startedMs = performance.now();
  const done = await burst(reserve, tenants, ROUND_MS);
  return Math.round((done * 1_000) / (performance.now() - startedMs));
}

async function burst(reserve: Reserve, tenants: readonly string[], forMs: number): Promise<number> {
  const endMs = performance.now() + forMs;
  let done = 0;
  const call = async (caller: number): Promise<void> => {
    for (let turn = caller; performance.now() < endMs; turn += 7) {
      await reserve(tenants[turn % tenants.length] ?? '');
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, (_, caller) => call(caller)));
  return done;
}

/** What one would write first: a transaction for every reserve, on 16 connections. */
async function transactionPerReserve(pool: pg.Pool, tenants: readonly string[]): Promise<Reserve> {
  await pool.query(`create schema plain;
    create table plain.wallets (tenant uuid primary key, balance bigint, held bigint, daily bigint, used bigint);
    create table plain.holds (id uuid primary key, tenant uuid, amount bigint);
    create table plain.journal (id bigint generated always as identity primary key, tenant uuid, hold uuid unique, value text)`);
  await pool.query('insert into plain.wallets select unnest($1::uuid[]), 1000000000, 0, 1000000000, 0', [
    tenants,
  ]);
  return async (tenant) => {
    const client = await pool.connect();
    const hold = uuidv7();
    try {
      await client.query('begin');
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
      await client.query('commit');
    } finally {
      client.release();
    }
  };
}

const folder = await mkdtemp(path.join('/var/tmp', 'vendo-bench-'));
const server = await startEmbeddedPostgres({ folder: path.join(folder, 'postgres') });
const pool = createPool(server.url, { app: 'bench', max: 16 });
const app = await startApp({
  module: LedgerModule.from({
    DATABASE_URL: server.url,
    KAFKA_BROKERS: undefined,
    LEDGER_PORT: 0,
    LEDGER_HOST: '127.0.0.1',
    VENDO_INTERNAL_TOKEN: TOKEN,
    VENDO_LOG_LEVEL: 'error',
  }),
  host: '127.0.0.1',
  port: 0,
});
const client = new HttpLedgerClient(await app.getUrl(), TOKEN, new SystemClock());
const writer = app.get(Writer);

const tenants = Array.from({ length: TENANTS }, () => uuidv4());
const subject = uuidv4();
const spool = { id: uuidv7(), host: 'bench' };
for (const tenant_id of tenants) {
  await client.grantCredit({
    tenant_id,
    amount_micros: 1e12,
    source: 'bench',
    note: null,
    idempotency_key: 'k',
  });
  await client.setCaps({ tenant_id, subject, daily_micros: 1e12, monthly_micros: 1e12 });
}

const overHttp: Reserve = async (tenant_id) => {
  const hold_id = uuidv7();
  const answer = await client.reserve(spool, {
    hold_id,
    tenant_id,
    subject,
    amount_micros: 10,
    rate_version: 1,
  });
  if (answer.status !== 'open') throw new Error(`reserve: ${JSON.stringify(answer)}`);
};
const direct: Reserve = async (tenantId) => {
  const answer = await writer.submit({
    type: 'reserve',
    holdId: uuidv7(),
    tenantId,
    subject,
    amount: 10n,
    spoolId: spool.id,
    rateVersion: 1,
  });
  if (answer.status !== 'done') throw new Error(`reserve: ${answer.status}`);
};

const hot = tenants.slice(0, 1);
const plain = await transactionPerReserve(pool, tenants);
const figures = {
  callers: CALLERS,
  transactionPerReserve: await rate(plain, tenants),
  transactionPerReserveHot: await rate(plain, hot),
  writer: await rate(direct, tenants),
  writerHot: await rate(direct, hot),
  http: await rate(overHttp, tenants),
  httpHot: await rate(overHttp, hot),
};
const { ok, entries } = await audit(pool);
const ratio = figures.http / figures.transactionPerReserve;
process.stdout.write(
  `${JSON.stringify({ ...figures, ratioHttp: Number(ratio.toFixed(1)), ratioWriter: Number((figures.writer / figures.transactionPerReserve).toFixed(1)), auditOk: ok, entries }, null, 2)}\n`,
);

await client.close();
await app.close();
await pool.end();
await server.stop();
await rm(folder, { recursive: true, force: true });
process.exit(ok && ratio >= BUDGET_RATIO ? 0 : 1);
