/**
 * Question: how many durable reserves a second, with caps and journal on, at 64 callers?
 * Compared in the same run: one transaction per reserve, once as one would write it first (`plain`) and once with what
 * the ledger keeps (`sameRows`: both windows, the ledger's journal with gap-free positions).
 * Budget: the batch API over HTTP makes at least 8x of the plain one, and one hot tenant is not slower than many.
 * The callers over HTTP run in a thread of their own, as gateways run in processes of their own.
 * Run: node dist/bench/reserves.bench.js (after swc also built bench/); needs no running Postgres.
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { createPool, SystemClock, startApp } from '@vendo/runtime';
import { startEmbeddedPostgres } from '@vendo/testing';
import { v4 as uuidv4, v7 as uuidv7 } from 'uuid';
import { audit } from '../apps/ledger/src/audit.js';
import { LedgerModule } from '../apps/ledger/src/ledger.module.js';
import { Writer } from '../apps/ledger/src/writer/writer.js';
import { HttpLedgerClient } from '../libs/ledger-api/src/http.ledger-client.js';
import { report } from './figures.js';
import { plainTransaction, type Reserve, sameRowsTransaction } from './transaction-per-reserve.js';

const QUESTION = 'How many durable reserves a second, with caps and journal on, at 64 callers?';
const CALLERS = 64;
const TENANTS = 200;
const ROUND_MS = Number(process.env.BENCH_MS ?? 3_000);
const TOKEN = 'internal-token-of-the-bench';

interface Callers {
  url: string;
  tenants: string[];
  subject: string;
  spool: { id: string; host: string };
}

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

/** Reserves per second over HTTP, by callers in this thread. */
async function rateOverHttp({ url, tenants, subject, spool }: Callers): Promise<number> {
  const client = new HttpLedgerClient([url], TOKEN, new SystemClock());
  const figure = await rate(async (tenant_id) => {
    const command = { hold_id: uuidv7(), tenant_id, subject, amount_micros: 10, rate_version: 1 };
    const answer = await client.reserve(spool, command);
    if (answer.status !== 'open') throw new Error(`reserve: ${JSON.stringify(answer)}`);
  }, tenants);
  await client.close();
  return figure;
}

async function inThread(callers: Callers): Promise<number> {
  const [figure] = (await once(new Worker(import.meta.filename, { workerData: callers }), 'message')) as [
    number,
  ];
  return figure;
}

async function main(): Promise<void> {
  const folder = await mkdtemp(path.join('/var/tmp', 'vendo-bench-'));
  const server = await startEmbeddedPostgres({ folder: path.join(folder, 'postgres') });
  const pool = createPool(server.url, { app: 'bench', max: 16 });
  const app = await startApp({
    module: LedgerModule.from({
      DATABASE_URL: server.url,
      KAFKA_BROKERS: undefined,
      LEDGER_PORT: 0,
      LEDGER_HOST: '127.0.0.1',
      VENDO_SPOOL_SILENCE_MS: 60_000,
      VENDO_INTERNAL_TOKEN: TOKEN,
      VENDO_LOG_LEVEL: 'error',
    }),
    host: '127.0.0.1',
    port: 0,
  });
  const tenants = Array.from({ length: TENANTS }, () => uuidv4());
  const callers = {
    url: await app.getUrl(),
    tenants,
    subject: uuidv4(),
    spool: { id: uuidv7(), host: 'bench' },
  };
  await fund(callers);

  const writer = app.get(Writer);
  const direct: Reserve = async (tenantId) => {
    const answer = await writer.submit({
      type: 'reserve',
      holdId: uuidv7(),
      tenantId,
      subject: callers.subject,
      amount: 10n,
      spoolId: callers.spool.id,
      rateVersion: 1,
    });
    if (answer.status !== 'done') throw new Error(`reserve: ${answer.status}`);
  };
  const hot = tenants.slice(0, 1);
  const plain = await plainTransaction(pool, tenants);
  const sameRows = await sameRowsTransaction(pool, tenants);
  const figures = {
    callers: CALLERS,
    plain: await rate(plain, tenants),
    plainHot: await rate(plain, hot),
    sameRows: await rate(sameRows, tenants),
    sameRowsHot: await rate(sameRows, hot),
    writer: await rate(direct, tenants),
    writerHot: await rate(direct, hot),
    http: await inThread(callers),
    httpHot: await inThread({ ...callers, tenants: hot }),
  };
  const { ok, entries } = await audit(pool);
  const writerToPlain = figures.writer / figures.plain;
  const httpToSameRows = figures.http / figures.sameRows;
  report(QUESTION, { ...figures, writerToPlain, httpToSameRows, entries }, [
    { what: 'over HTTP, times the plain transaction', figure: figures.http / figures.plain, least: 8 },
    { what: 'over HTTP, one hot tenant, times many', figure: figures.httpHot / figures.http, least: 0.9 },
    { what: 'violations that the audit finds', figure: ok ? 0 : 1, most: 0 },
  ]);

  await app.close();
  await pool.end();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
  process.exit();
}

async function fund({ url, tenants, subject }: Callers): Promise<void> {
  const client = new HttpLedgerClient([url], TOKEN, new SystemClock());
  const credit = { amount_micros: 1e12, source: 'bench', note: null, idempotency_key: 'k' };
  for (const tenant_id of tenants) {
    await client.grantCredit({ tenant_id, ...credit });
    await client.setCaps({ tenant_id, subject, daily_micros: 1e12, monthly_micros: 1e12 });
  }
  await client.close();
}

if (isMainThread) await main();
else parentPort?.postMessage(await rateOverHttp(workerData as Callers));
