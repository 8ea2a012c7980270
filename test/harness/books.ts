import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { GATEWAY_TOPIC } from '@vendo/events';
import pg from 'pg';
import { KafkaTopics, type TopicRecord } from './kafka-topics.js';
import type { SeenAnswer } from './streams.js';

const AUDIT = path.resolve('dist/apps/ledger/src/audit.js');
const run = promisify(execFile);

/** Where the product stands when nothing is on its way any more. */
export interface Books {
  /** Sentences with ids; empty is good. */
  violations: string[];
  usageEvents: number;
  settlements: number;
  expired: number;
  openHolds: number;
}

/**
 * What is said of the log of the gateways, folded here in SQL a second time: this file shares no code with the
 * projector. Each returns one row per violation, its text in column `what`.
 */
const MEASURED = `select distinct on (u ->> 'id') (u ->> 'id')::uuid as hold_id, u
  from (select convert_from(value, 'UTF8')::jsonb as u, partition, "offset" from log.records
        where topic = 'gateway.events' and headers ->> 'ce_type' in ('UsageMeasured.v1', 'UsageMeasured.v2')) r
  order by u ->> 'id', partition, "offset"`;

const CORRECTED = `select distinct on (u ->> 'hold_id', u ->> 'n') (u ->> 'hold_id')::uuid as hold_id, u
  from (select convert_from(value, 'UTF8')::jsonb as u, partition, "offset" from log.records
        where topic = 'gateway.events' and headers ->> 'ce_type' = 'UsageCorrected.v1') r
  order by u ->> 'hold_id', u ->> 'n', partition, "offset"`;

const ENDED = `select hold_id, tenant_id, kind, (value::json ->> 'cost_micros')::bigint as cost
  from ledger.journal where kind in ('settled', 'late', 'released', 'expired')`;

const DIFFERENCE = (what: string, told: string, folded: string): string =>
  `select format('${what}: read model has %s, fold has %s', t, f) as what
   from (${told}) told(t) full join (${folded}) folded(f) on t = f where t is null or f is null`;

const CHECKS: readonly string[] = [
  // 4: usage events and settlements are the same calls at the same cost
  `select format('hold %s: measured at %s, settled at %s', coalesce(m.hold_id, s.hold_id), m.u ->> 'cost_micros', s.cost) as what
   from (select * from (${MEASURED}) all_measured where (u ->> 'cost_micros')::bigint > 0) m
   full join (select hold_id, sum(cost) as cost from (${ENDED}) e where kind in ('settled', 'late') group by hold_id) s
     on s.hold_id = m.hold_id
   where (m.u ->> 'cost_micros')::bigint is distinct from s.cost`,
  `select format('hold %s was measured and has no end', m.hold_id) as what
   from (${MEASURED}) m where not exists (select from (${ENDED}) e where e.hold_id = m.hold_id)`,
  // a hold that expired without a report has been announced to finance, and has no usage event
  `select format('hold %s expired, announced: %s, measured: %s, late: %s', e.hold_id, announced, measured, late) as what
   from (select hold_id,
       exists (select from log.records where topic = 'gateway.events' and headers ->> 'ce_type' = 'HoldReserved.v1'
         and convert_from(value, 'UTF8')::jsonb ->> 'hold_id' = j.hold_id::text) as announced,
       exists (select from (${MEASURED}) m where m.hold_id = j.hold_id and (m.u ->> 'cost_micros')::bigint > 0) as measured,
       exists (select from (${ENDED}) l where l.hold_id = j.hold_id and kind = 'late') as late
     from ledger.journal j where kind = 'expired') e
   where measured <> late`,
  `select format('hold %s: corrected by %s, adjusted by %s', coalesce(c.hold_id, j.hold_id), c.cost, j.cost) as what
   from (select hold_id, sum((u ->> 'cost_micros')::bigint) as cost from (${CORRECTED}) all_corrected group by hold_id) c
   full join (select hold_id, sum((value::json ->> 'cost_micros')::bigint) as cost from ledger.journal
              where kind = 'adjusted' group by hold_id) j on j.hold_id = c.hold_id
   where c.cost is distinct from j.cost`,
  // 5: usage
  DIFFERENCE(
    'usage event',
    `select jsonb_build_object('id', hold_id, 'tenant', tenant_id, 'app', app_id, 'key', key_id, 'connection', connection_id,
       'provider', provider, 'route', route, 'model', model, 'upstream', upstream_request_id, 'status', status,
       'outcome', outcome, 'evidence', evidence, 'lines', lines::jsonb, 'provider_cost', provider_cost_micros,
       'cost', cost_micros, 'rates', rate_version, 'hold', hold_micros, 'stream', stream,
       'reserved', extract(epoch from reserved_at), 'ended', extract(epoch from ended_at)) from read.usage_events`,
    `select jsonb_build_object('id', u -> 'id', 'tenant', u -> 'tenant_id', 'app', u -> 'app_id', 'key', u -> 'key_id',
       'connection', u -> 'connection_id', 'provider', u -> 'provider', 'route', u -> 'route', 'model', u -> 'model',
       'upstream', u -> 'upstream_request_id', 'status', u -> 'status', 'outcome', u -> 'outcome',
       'evidence', u -> 'evidence', 'lines', u -> 'lines', 'provider_cost', u -> 'provider_cost_micros',
       'cost', u -> 'cost_micros', 'rates', u -> 'rate_version', 'hold', u -> 'hold_micros', 'stream', u -> 'stream',
       'reserved', extract(epoch from (u ->> 'reserved_at')::timestamptz),
       'ended', extract(epoch from (u ->> 'ended_at')::timestamptz)) from (${MEASURED}) m`,
  ),
  DIFFERENCE(
    'usage by the hour',
    `select jsonb_build_array(hour, tenant_id, app_id, connection_id, provider, model, meter, quantity::float8, cost_micros)
     from read.usage_hourly`,
    `select jsonb_build_array(date_trunc('hour', (u ->> 'reserved_at')::timestamptz), u -> 'tenant_id', u -> 'app_id',
       u -> 'connection_id', u -> 'provider', coalesce(line -> 'model', u -> 'model'), line -> 'meter',
       sum((line ->> 'quantity')::numeric)::float8, sum((line ->> 'cost_micros')::bigint)::bigint)
     from (select u from (${MEASURED}) m union all select u from (${CORRECTED}) c) facts,
       jsonb_array_elements(u -> 'lines') line
     group by date_trunc('hour', (u ->> 'reserved_at')::timestamptz), u -> 'tenant_id', u -> 'app_id',
       u -> 'connection_id', u -> 'provider', coalesce(line -> 'model', u -> 'model'), line -> 'meter'`,
  ),
  DIFFERENCE(
    'calls by the hour',
    `select jsonb_build_array(hour, tenant_id, app_id, connection_id, provider, model, calls) from read.usage_calls_hourly`,
    `select jsonb_build_array(date_trunc('hour', (u ->> 'reserved_at')::timestamptz), u -> 'tenant_id', u -> 'app_id',
       u -> 'connection_id', u -> 'provider', u -> 'model', count(*)) from (${MEASURED}) m
     group by date_trunc('hour', (u ->> 'reserved_at')::timestamptz), u -> 'tenant_id', u -> 'app_id',
       u -> 'connection_id', u -> 'provider', u -> 'model'`,
  ),
  // 5: wallet
  DIFFERENCE(
    'balance',
    `select jsonb_build_array(tenant_id, shard, balance_micros, held_micros, seq, position) from read.wallet_balances`,
    `select distinct on (tenant_id) jsonb_build_array(tenant_id, shard, sum(wallet_micros) over (partition by tenant_id),
       (select coalesce(sum(amount), 0) from ledger.holds h where h.tenant_id = j.tenant_id), seq, position)
     from ledger.journal j where tenant_id is not null order by tenant_id, seq desc`,
  ),
  DIFFERENCE(
    'entry',
    `select jsonb_build_array(tenant_id, seq, kind, amount_micros, balance_after_micros, hold_id, late) from read.wallet_entries`,
    `select jsonb_build_array(tenant_id, seq, case kind when 'credit' then 'credit' when 'adjusted' then 'correction' else 'settlement' end, wallet_micros,
       sum(wallet_micros) over (partition by tenant_id order by seq), hold_id, kind = 'late')
     from ledger.journal where kind in ('credit', 'settled', 'late', 'adjusted')`,
  ),
  DIFFERENCE(
    'spend window',
    `select jsonb_build_array(tenant_id, subject, period, cap_window, spent_micros, held_micros) from read.spend_windows
     where spent_micros <> 0 or held_micros <> 0`,
    `select jsonb_build_array(tenant_id, subject, period, window_name, spent, held) from ledger.cap_windows
     where spent <> 0 or held <> 0`,
  ),
  `select format('read model %s parked offset %s of %s: %s', projection, record_offset, topic, reason) as what from read.parked`,
  `select format('the ledger parked offset %s: %s', off, reason) as what from ledger.parked`,
];

/** Where each partition of the log of the gateways ends; on Kafka that is asked of the broker, `$1`. */
const HEADS = {
  postgres: `select topic, partition, next_offset from log.heads where $1::jsonb is null`,
  kafka: `select * from jsonb_to_recordset($1::jsonb) as ends(topic text, partition int, next_offset bigint)`,
};

/** Nothing is on its way: every record is consumed by ledger and projector, every journal row is folded. */
const ON_ITS_WAY = `
  select format('ledger stands at %s of %s/%s', c.next, h.partition, h.next_offset) as what
    from heads h join ledger.consumer_offsets c using (topic, partition)
    where h.next_offset > greatest(c.next, 1) 
  union all
  select format('%s stands at %s of %s/%s', c.projection, c.next_offset, h.partition, h.next_offset)
    from heads h join read.checkpoints c using (topic, partition) where h.next_offset > greatest(c.next_offset, 1)
  union all
  select format('%s stands at position %s of %s/%s', c.projection, c.position, s.shard, s.position)
    from ledger.shards s join read.checkpoints c on c.partition = s.shard and c.topic = 'ledger.events'
    where s.position > c.position`;

/** Reads the books of a product directly in its database, as an auditor who trusts no app of it. */
export class Auditor {
  private readonly pool: pg.Pool;

  private readonly topics: KafkaTopics | null;

  /** @param kafkaBrokers that the product's events travel over; null: over Postgres. */
  constructor(
    private readonly databaseUrl: string,
    kafkaBrokers: string | null,
  ) {
    this.pool = new pg.Pool({ connectionString: databaseUrl, max: 1 });
    this.pool.on('error', () => undefined);
    this.topics = kafkaBrokers === null ? null : new KafkaTopics(kafkaBrokers);
  }

  async close(): Promise<void> {
    await this.pool.end();
  }

  async rows<Row extends pg.QueryResultRow>(sql: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.pool.query<Row>(sql, values)).rows;
  }

  openHolds(): Promise<{ hold_id: string; tenant_id: string }[]> {
    return this.rows('select hold_id, tenant_id from ledger.holds');
  }

  /** What consumers have yet to read, as sentences. */
  async onItsWay(): Promise<string[]> {
    return (await this.withHeads<{ what: string }>(ON_ITS_WAY)).map(({ what }) => what);
  }

  /** Every partition of both topics has a checkpoint: a projector that has just begun may have made none yet. */
  async projectionsBegun(): Promise<boolean> {
    const [row] = await this.withHeads<{ begun: boolean }>(
      `select (select count(*) from read.checkpoints)
         >= (select count(*) from heads where topic = 'gateway.events') + (select count(*) from ledger.shards) as begun`,
    );
    return row?.begun ?? false;
  }

  /** Invariants 1-5 of docs/architecture.md, when nothing is on its way. */
  async books(): Promise<Books> {
    if (this.topics) await this.mirror(await this.topics.read(GATEWAY_TOPIC));
    const violations = await this.ledgerAudit();
    for (const check of CHECKS)
      violations.push(...(await this.rows<{ what: string }>(check)).map(({ what }) => what));
    const [counts] = await this.rows<{ usage: number; settled: number; expired: number; open: number }>(
      `select (select count(*)::int from read.usage_events) as usage,
         (select count(*)::int from ledger.journal where kind in ('settled', 'late')) as settled,
         (select count(*)::int from ledger.journal where kind = 'expired') as expired,
         (select count(*)::int from ledger.holds) as open`,
    );
    const { usage = 0, settled = 0, expired = 0, open = 0 } = counts ?? {};
    return { violations, usageEvents: usage, settlements: settled, expired, openHolds: open };
  }

  /** Of the answers that a client received in full: those that have not exactly one usage event and one settlement. */
  async unbilled(seen: readonly SeenAnswer[]): Promise<string[]> {
    const complete = seen.filter(({ complete }) => complete).map(({ requestId }) => requestId);
    const rows = await this.rows<{ what: string }>(
      `select format('answer %s: %s usage events, %s settlements', a.id,
           count(distinct u.hold_id), count(j.hold_id)) as what
       from unnest($1::text[]) with ordinality a(id, n)
       left join read.usage_events u on u.upstream_request_id = a.id
       left join ledger.journal j on j.hold_id = u.hold_id and j.kind in ('settled', 'late')
       group by a.id, a.n having count(distinct u.hold_id) <> 1 or count(j.hold_id) <> 1`,
      [complete],
    );
    return rows.map(({ what }) => what);
  }

  /** All read models as text, but for the times at which they were folded. */
  async readModels(): Promise<Record<string, string[]>> {
    const models: Record<string, string[]> = {};
    for (const table of READ_MODELS) {
      const rows = await this.rows<{ row: string }>(
        `select to_jsonb(t)::text as row from read.${table} t order by 1`,
      );
      models[table] = rows.map(({ row }) => row);
    }
    return models;
  }

  /** Forgets all read models: the projector must not run, and folds both topics from offset 0 when it starts. */
  async forgetReadModels(): Promise<void> {
    await this.rows(
      `truncate ${[...READ_MODELS, 'checkpoints', 'parked'].map((table) => `read.${table}`).join(', ')}`,
    );
  }

  /** @param sql reads `heads`. */
  private async withHeads<Row extends pg.QueryResultRow>(sql: string): Promise<Row[]> {
    const ends = this.topics && [...(await this.topics.ends(GATEWAY_TOPIC))];
    const heads = ends?.map(([partition, end]) => ({
      topic: GATEWAY_TOPIC,
      partition,
      next_offset: end.toString(),
    }));
    return this.rows<Row>(`with heads as (${HEADS[heads ? 'kafka' : 'postgres']}) ${sql}`, [
      heads ? JSON.stringify(heads) : null,
    ]);
  }

  /** Copies what Kafka carried to where the checks look for it: `log.records`, which is empty then. */
  private async mirror(records: readonly TopicRecord[]): Promise<void> {
    await this.rows('truncate log.records');
    for (let at = 0; at < records.length; at += 500) {
      const part = records.slice(at, at + 500);
      await this.rows(
        `insert into log.records (topic, partition, "offset", key, headers, value)
         select $1, r.p, r.o, r.k, r.h, r.v
         from unnest($2::int[], $3::bigint[], $4::text[], $5::jsonb[], $6::bytea[]) r(p, o, k, h, v)`,
        [
          GATEWAY_TOPIC,
          part.map(({ partition }) => partition),
          part.map(({ offset }) => offset),
          part.map(({ key }) => key),
          part.map(({ headers }) => JSON.stringify(headers)),
          part.map(({ value }) => value),
        ],
      );
    }
  }

  /** The ledger's own audit, as an operator runs it. */
  private async ledgerAudit(): Promise<string[]> {
    const env = { PATH: process.env.PATH ?? '', DATABASE_URL: this.databaseUrl };
    const { stdout } = await run(process.execPath, [AUDIT], { env }).catch((failed: { stdout?: string }) => {
      if (!failed.stdout) throw failed;
      return { stdout: failed.stdout };
    });
    return (JSON.parse(stdout) as { violations: string[] }).violations;
  }
}

const READ_MODELS = [
  'usage_events',
  'usage_hourly',
  'usage_calls_hourly',
  'wallet_balances',
  'wallet_entries',
  'spend_windows',
] as const;
