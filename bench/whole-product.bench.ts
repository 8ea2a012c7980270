/**
 * Question: how many whole calls a second does the product carry on one machine, and what CPU do they cost?
 * A whole call: held, forwarded, answered, measured, priced, settled, projected; gateway, ledger, projector, sandbox,
 * Postgres and the load share the machine. 32 clients, closed loop, JSON of 1 KB and SSE of 100 words apart. The CPU is
 * each process's own count.
 * Budget: the books of the last call are in the read models 2 s after its answer; the gateway needs at most 2 ms of CPU
 * for a JSON call and 4 ms for a stream.
 */
import { createPool } from '@vendo/runtime';
import type pg from 'pg';
import { Caller, closedLoop } from './calls.js';
import { quantile, report } from './figures.js';
import { type ProductUnderLoad, withProduct } from './product-under-load.js';

const QUESTION = 'How many whole calls a second at 32 clients, and at what CPU?';
const CLIENTS = 32;
const WARM_UP_MS = 3_000;
const ROUND_MS = 10_000;
const PARTS = ['gateway', 'ledger', 'projector', 'sandbox'] as const;

interface Load {
  callsPerSecond: number;
  latencyMs: { p50: number; p99: number };
  /** CPU per call, by process, milliseconds. */
  cpuMs: Record<(typeof PARTS)[number], number>;
  /** From the last answer until balance and usage tell all calls. */
  caughtUpMs: number;
}

async function cpuMs(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const [, seconds] = /^vendo_process_cpu_seconds_total\{.*?\} (\S+)/m.exec(text) ?? [];
  if (seconds === undefined) throw new Error(`${url} does not tell its CPU time`);
  return Number(seconds) * 1_000;
}

function cpuOfAll({ product }: ProductUnderLoad): Promise<number[]> {
  return Promise.all(PARTS.map((part) => cpuMs(product.urls[part])));
}

/** Resolves when every call of the customer is in usage and balance. */
async function caughtUp(pool: pg.Pool, { product, customer }: ProductUnderLoad): Promise<void> {
  await product.waitUntil(
    async () => {
      const { rows } = await pool.query<{ same: boolean }>(
        `select not exists (select from ledger.holds where tenant_id = $1)
           and o.opened = (select count(*) from read.usage_events where tenant_id = $1)
           and o.opened = (select count(*) from read.wallet_entries where tenant_id = $1 and kind = 'settlement') as same
         from (select count(*) as opened from ledger.journal where tenant_id = $1 and kind = 'opened') o`,
        [customer.tenantId],
      );
      return rows[0]?.same;
    },
    'all calls in the read models',
    60_000,
  );
}

async function load(under: ProductUnderLoad, pool: pg.Pool, what: 'json' | 'stream'): Promise<Load> {
  const caller = new Caller();
  const kind = under.throughGateway(what);
  await closedLoop(caller, kind, { clients: CLIENTS, forMs: WARM_UP_MS });
  await caughtUp(pool, under);
  const cpuBefore = await cpuOfAll(under);
  const startedMs = performance.now();
  const calls = await closedLoop(caller, kind, { clients: CLIENTS, forMs: ROUND_MS });
  const endedMs = performance.now();
  await caughtUp(pool, under);
  const caughtUpMs = performance.now() - endedMs;
  const cpuAfter = await cpuOfAll(under);
  await caller.close();
  const latencies = calls.map(({ lastByteMs }) => lastByteMs);
  const perCall = PARTS.map((part, at) => [
    part,
    ((cpuAfter[at] ?? 0) - (cpuBefore[at] ?? 0)) / calls.length,
  ]);
  return {
    callsPerSecond: (calls.length * 1_000) / (endedMs - startedMs),
    latencyMs: { p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) },
    cpuMs: Object.fromEntries(perCall) as Load['cpuMs'],
    caughtUpMs,
  };
}

await withProduct(async (under) => {
  const pool = createPool(under.product.urls.database, { app: 'bench', max: 1 });
  const json = await load(under, pool, 'json');
  const stream = await load(under, pool, 'stream');
  await pool.end();
  report(QUESTION, { clients: CLIENTS, json, stream }, [
    { what: 'gateway CPU of a JSON call, ms', figure: json.cpuMs.gateway, most: 2 },
    { what: 'gateway CPU of a stream, ms', figure: stream.cpuMs.gateway, most: 4 },
    { what: 'JSON calls told after the last answer, ms', figure: json.caughtUpMs, most: 2_000 },
    { what: 'streams told after the last answer, ms', figure: stream.caughtUpMs, most: 2_000 },
  ]);
});
