/**
 * Question: what does the gateway add to a call at 50 a second, with a durable hold, caps and the journal on?
 * Compared in the same run: the same call to the sandbox directly, every second one, so both see the same machine.
 * Open loop; a call counts from the moment it was due. JSON: to the last byte of 1 KB. SSE: to the first byte.
 * Budget: the added p50 is at most three direct calls and three durable commits of the same Postgres, because a call
 * now makes three hops and waits for one commit; the added p99 is at most 50 ms.
 * Medians of three rounds.
 */
import { createPool } from '@vendo/runtime';
import { Caller, type CallTimes, openLoop } from './calls.js';
import { median, quantile, report } from './figures.js';
import { type ProductUnderLoad, withProduct } from './product-under-load.js';

const QUESTION = 'What does the gateway add to a call, at 50 calls a second?';
const PER_SECOND = 50;
const ROUNDS = 3;
const WARM_UP_MS = 3_000;
const ROUND_MS = 6_000;
const COMMITS = 200;

/** How long one small durable commit takes: what no hold can be quicker than. */
async function commitMs(databaseUrl: string): Promise<number> {
  const pool = createPool(databaseUrl, { app: 'bench', max: 1 });
  await pool.query('create table public.bench_commits (at timestamptz)');
  const times: number[] = [];
  for (let turn = 0; turn < COMMITS; turn += 1) {
    const startedMs = performance.now();
    await pool.query('insert into public.bench_commits values (now())');
    times.push(performance.now() - startedMs);
  }
  await pool.end();
  return median(times);
}

interface Added {
  direct: { p50: number; p99: number };
  gateway: { p50: number; p99: number };
  added: { p50: number; p99: number };
}

function addedOf(rounds: CallTimes[][][], time: 'firstByteMs' | 'lastByteMs'): Added {
  const of = (kind: number, share: number): number =>
    median(
      rounds.map((kinds) =>
        quantile(
          (kinds[kind] ?? []).map((call) => call[time]),
          share,
        ),
      ),
    );
  const [gateway, direct] = [0, 1].map((kind) => ({ p50: of(kind, 0.5), p99: of(kind, 0.99) }));
  if (!gateway || !direct) throw new Error('no calls');
  return { direct, gateway, added: { p50: gateway.p50 - direct.p50, p99: gateway.p99 - direct.p99 } };
}

async function rounds(
  caller: Caller,
  { throughGateway, direct }: ProductUnderLoad,
  what: 'json' | 'stream',
): Promise<CallTimes[][][]> {
  const kinds = [throughGateway(what), direct(what)];
  const all: CallTimes[][][] = [];
  await openLoop(caller, kinds, { perSecond: 2 * PER_SECOND, forMs: WARM_UP_MS });
  for (let round = 0; round < ROUNDS; round += 1)
    all.push(await openLoop(caller, kinds, { perSecond: 2 * PER_SECOND, forMs: ROUND_MS }));
  return all;
}

await withProduct(async (under) => {
  const caller = new Caller();
  const durableCommitMs = await commitMs(under.product.urls.database);
  const jsonLastByteMs = addedOf(await rounds(caller, under, 'json'), 'lastByteMs');
  const sseFirstByteMs = addedOf(await rounds(caller, under, 'stream'), 'firstByteMs');
  await caller.close();
  report(QUESTION, { durableCommitMs, jsonLastByteMs, sseFirstByteMs }, [
    {
      what: 'JSON, added p50, ms',
      figure: jsonLastByteMs.added.p50,
      most: 3 * (jsonLastByteMs.direct.p50 + durableCommitMs),
    },
    { what: 'JSON, added p99, ms', figure: jsonLastByteMs.added.p99, most: 50 },
    {
      what: 'SSE first byte, added p50, ms',
      figure: sseFirstByteMs.added.p50,
      most: 3 * (sseFirstByteMs.direct.p50 + durableCommitMs),
    },
    { what: 'SSE first byte, added p99, ms', figure: sseFirstByteMs.added.p99, most: 50 },
  ]);
});
