import { decodeEvent, GATEWAY_TOPIC } from '@vendo/events';
import { microsFromWire } from '@vendo/money';
import pg from 'pg';
import { adjustedHold, endedHold, openedHold } from '../wallet/evolve.js';
import type { CapLimits, Hold, WindowUse } from '../wallet/wallet.js';
import {
  type BatchCommit,
  type BatchFacts,
  type BatchQuestion,
  DataError,
  FencedError,
  Journal,
  type LoadedShard,
  OutageError,
  type StoredWallet,
  type TakenShard,
} from './journal.js';
import { commitArguments, jobArguments, replayArguments } from './rows.js';

/** The server's own timeouts are 2 s (10 s while loading); this one is for a server that has stopped answering at all. */
const ANSWER_WITHIN_MS = 3_000;
const LOAD_WITHIN_MS = 30_000;
const COMMIT_ARGUMENTS = 57;

interface OfShard {
  shard: number;
}

interface HeadRow extends OfShard {
  epoch: string;
  position: string;
  clock_ms: string;
}

interface HoldRow {
  hold_id: string;
  tenant_id: string;
  subject: string;
  amount: string;
  daily: string;
  monthly: string;
  spool_id: string;
  rate_version: string;
  reserved_at_ms: string;
  ttl_ms: string | null;
}

interface WindowJson {
  tenant: string;
  subject: string;
  period: WindowUse['period'];
  window: string;
  spent: string;
  held: string;
  warned: boolean;
  tripped: boolean;
}

interface FactsJson {
  nowMs: number;
  wallets: { tenant: string; balance: string; held: string; seq: number }[] | null;
  caps: { tenant: string; subject: string; daily: string | null; monthly: string | null }[] | null;
  windows: WindowJson[] | null;
  holds: { tenant: string; type: string; value: string }[] | null;
  holdWindows: WindowJson[] | null;
  credits: { tenant: string; seq: number; value: string }[] | null;
}

/** The journal in schema `ledger`; the pool's sessions run as role vendo_ledger with timeouts of 2 s. */
export class PostgresJournal extends Journal {
  constructor(private readonly pool: pg.Pool) {
    super();
  }

  load(taken: readonly TakenShard[]): Promise<LoadedShard[]> {
    return this.inTransaction(async (client) => {
      await client.query('set transaction isolation level repeatable read');
      await client.query(`set local statement_timeout = '10s'`);
      const heads = await client.query<HeadRow>(
        `select s.shard, s.epoch, s.position, s.clock_ms
         from ledger.shards s join unnest($1::int[], $2::bigint[]) t(shard, epoch)
           on s.shard = t.shard and s.epoch = t.epoch order by s.shard`,
        [taken.map(({ shard }) => shard), taken.map(({ epoch }) => epoch)],
      );
      const shards = [heads.rows.map(({ shard }) => shard)];
      const offsets = await client.query<{ partition: number; next: string; log_id: string | null }>(
        `select partition, next, log_id from ledger.consumer_offsets
         where topic = '${GATEWAY_TOPIC}' and partition = any($1)`,
        shards,
      );
      const holds = await client.query<HoldRow & OfShard>(
        `select b.shard, h.*, j.ttl_ms
         from ledger.holds h join ledger.balances b on b.tenant_id = h.tenant_id
           left join ledger.jobs j on j.hold_id = h.hold_id
         where b.shard = any($1)`,
        shards,
      );
      const jobs = await client.query<OfShard & { hold_id: string }>(
        'select shard, hold_id from ledger.jobs where ended_at is null and shard = any($1)',
        shards,
      );
      const marks = await client.query<OfShard & { spool_id: string; number: string }>(
        'select partition as shard, spool_id, number from ledger.spool_marks where partition = any($1)',
        shards,
      );
      const parked = await client.query<OfShard & { hold_id: string; off: string }>(
        `select partition as shard, hold_id, off from ledger.parked
         where hold_id is not null and replayed_at is null and partition = any($1)`,
        shards,
      );
      const rows = {
        offsets: offsets.rows,
        holds: byShard(holds),
        jobs: byShard(jobs),
        marks: byShard(marks),
        parked: byShard(parked),
      };
      return heads.rows.map((head) => loadedShard(head, rows));
    });
  }

  async read({ tenants, holds, credits }: BatchQuestion): Promise<BatchFacts> {
    const { rows } = await this.query<{ facts: FactsJson }>(
      'read_batch',
      'select ledger.read_batch($1, $2, $3, $4) as facts',
      [tenants, holds, credits.map(({ tenantId }) => tenantId), credits.map(({ key }) => key)],
    );
    const facts = rows[0]?.facts;
    if (!facts) throw new OutageError('read_batch answered nothing');
    return {
      nowMs: facts.nowMs,
      wallets: walletsOf(facts),
      holds: holdsOf(facts.holds ?? []),
      holdWindows: (facts.holdWindows ?? []).map((row) => ({ tenantId: row.tenant, use: windowOf(row) })),
      credits: (facts.credits ?? []).map(creditOf),
    };
  }

  async commit(batch: BatchCommit): Promise<void> {
    const commit = { name: 'commit_batch', text: COMMIT_SQL, values: commitArguments(batch, GATEWAY_TOPIC) };
    const hasJobs = batch.jobs.length > 0 || batch.endedJobs.length > 0;
    if (!hasJobs && batch.replays.length === 0)
      return void (await this.withClient((client) => client.query(commit), ANSWER_WITHIN_MS));
    await this.inTransaction(async (client) => {
      await client.query(commit);
      if (hasJobs) await client.query(NOTE_JOBS_SQL, jobArguments(batch));
      if (batch.replays.length > 0) await client.query(NOTE_REPLAYS_SQL, replayArguments(batch));
    }, ANSWER_WITHIN_MS);
  }

  private async query<Row extends pg.QueryResultRow>(
    name: string,
    text: string,
    values: unknown[],
  ): Promise<pg.QueryResult<Row>> {
    return this.withClient((client) => client.query<Row>({ name, text, values }), ANSWER_WITHIN_MS);
  }

  private inTransaction<T>(
    work: (client: pg.PoolClient) => Promise<T>,
    withinMs = LOAD_WITHIN_MS,
  ): Promise<T> {
    return this.withClient(async (client) => {
      await client.query('begin');
      const result = await work(client);
      await client.query('commit');
      return result;
    }, withinMs);
  }

  /** A session that has seen an error is closed: what it still does is then the server's to end. */
  private async withClient<T>(work: (client: pg.PoolClient) => Promise<T>, withinMs: number): Promise<T> {
    let client: pg.PoolClient | undefined;
    try {
      client = await this.pool.connect();
      const result = await within(withinMs, work(client));
      client.release();
      return result;
    } catch (thrown) {
      client?.release(true);
      throw toJournalError(thrown);
    }
  }
}

function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const timer = setTimeout(() => reject(new OutageError(`no answer from Postgres in ${ms} ms`)), ms);
  work.then(resolve, reject).finally(() => clearTimeout(timer));
  return promise;
}

const COMMIT_SQL = `select ledger.commit_batch(${Array.from({ length: COMMIT_ARGUMENTS }, (_, index) => `$${index + 1}`).join(', ')})`;
const NOTE_JOBS_SQL = 'select ledger.note_jobs($1, $2, $3, $4, $5, $6, $7, $8)';
const NOTE_REPLAYS_SQL = 'select ledger.note_replays($1, $2, $3)';

function toJournalError(thrown: unknown): Error {
  if (thrown instanceof FencedError || thrown instanceof OutageError) return thrown;
  if (!(thrown instanceof pg.DatabaseError))
    return new OutageError(thrown instanceof Error ? thrown.message : String(thrown), { cause: thrown });
  const { code = '', message, detail } = thrown;
  if ((code === 'VL001' || code === 'VL002') && detail)
    return new FencedError(`${message} (shards ${detail})`, detail.split(',').map(Number));
  if (code.startsWith('22') || code.startsWith('23'))
    return new DataError(`${code} ${message}`, { cause: thrown });
  return new OutageError(`${code} ${message}`, { cause: thrown });
}

function byShard<Row extends OfShard>({ rows }: { rows: Row[] }): Map<number, Row[]> {
  return Map.groupBy(rows, ({ shard }) => shard);
}

function loadedShard(
  { shard, epoch, position, clock_ms }: HeadRow,
  rows: {
    offsets: { partition: number; next: string; log_id: string | null }[];
    holds: Map<number, HoldRow[]>;
    jobs: Map<number, { hold_id: string }[]>;
    marks: Map<number, { spool_id: string; number: string }[]>;
    parked: Map<number, { hold_id: string; off: string }[]>;
  },
): LoadedShard {
  const offset = rows.offsets.find(({ partition }) => partition === shard);
  return {
    head: { shard, epoch: BigInt(epoch), position: BigInt(position), clockMs: Number(clock_ms) },
    offset: { partition: shard, next: BigInt(offset?.next ?? 0), logId: offset?.log_id ?? null },
    openHolds: (rows.holds.get(shard) ?? []).map(holdOfRow),
    openJobs: (rows.jobs.get(shard) ?? []).map(({ hold_id }) => hold_id),
    marks: (rows.marks.get(shard) ?? []).map(({ spool_id, number }) => ({
      spoolId: spool_id,
      number: Number(number),
    })),
    parkedHolds: (rows.parked.get(shard) ?? []).map(({ hold_id, off }) => ({
      holdId: hold_id,
      offset: BigInt(off),
    })),
  };
}

function holdOfRow(row: HoldRow): Hold {
  return {
    id: row.hold_id,
    tenantId: row.tenant_id,
    subject: row.subject,
    amount: BigInt(row.amount),
    windows: { daily: row.daily, monthly: row.monthly },
    spoolId: row.spool_id,
    rateVersion: Number(row.rate_version),
    reservedAtMs: Number(row.reserved_at_ms),
    ended: null,
    late: false,
    charged: 0n,
    corrections: [],
    job: row.ttl_ms === null ? null : { ttlMs: Number(row.ttl_ms) },
  };
}

function walletsOf(facts: FactsJson): StoredWallet[] {
  return (facts.wallets ?? []).map(({ tenant, balance, held, seq }) => ({
    tenantId: tenant,
    balance: BigInt(balance),
    held: BigInt(held),
    seq,
    caps: (facts.caps ?? [])
      .filter((row) => row.tenant === tenant)
      .map(({ subject, daily, monthly }) => ({
        subject,
        limits: { daily: bigintOrNull(daily), monthly: bigintOrNull(monthly) } satisfies CapLimits,
      })),
    windows: (facts.windows ?? []).filter((row) => row.tenant === tenant).map(windowOf),
  }));
}

function windowOf({ subject, period, window, spent, held, warned, tripped }: WindowJson): WindowUse {
  return { subject, period, window, spent: BigInt(spent), held: BigInt(held), warned, tripped };
}

/** Folds the journal rows of the named holds: opened first, however they come. */
function holdsOf(rows: { tenant: string; type: string; value: string }[]): Hold[] {
  const holds = new Map<string, Hold>();
  for (const { tenant, type, value } of rows.toSorted((a, b) => b.type.localeCompare(a.type))) {
    const event = decodeEvent({ headers: { ce_type: type }, value: Buffer.from(value) });
    if (event.type === 'HoldOpened.v1') holds.set(event.data.hold_id, openedHold(tenant, event.data));
    if (event.type === 'HoldEnded.v1')
      holds.set(event.data.hold_id, endedHold(tenant, holds.get(event.data.hold_id), event.data));
    if (event.type === 'Adjusted.v1')
      holds.set(event.data.hold_id, adjustedHold(tenant, holds.get(event.data.hold_id), event.data));
  }
  return [...holds.values()];
}

function creditOf({ tenant, seq, value }: { tenant: string; seq: number; value: string }) {
  const event = decodeEvent({ headers: { ce_type: 'CreditGranted.v1' }, value: Buffer.from(value) });
  if (event.type !== 'CreditGranted.v1') throw new OutageError('a credit row of the journal is no credit');
  const { entry_id, amount_micros, source, note, idempotency_key, after } = event.data;
  return {
    tenantId: tenant,
    key: idempotency_key,
    credit: {
      entryId: entry_id,
      amount: microsFromWire(amount_micros),
      source,
      note,
      balance: microsFromWire(after.balance_micros),
      seq,
    },
  };
}

function bigintOrNull(text: string | null): bigint | null {
  return text === null ? null : BigInt(text);
}
