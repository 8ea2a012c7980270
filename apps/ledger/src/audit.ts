import path from 'node:path';
import { configFields, createPool, parseConfig } from '@vendo/runtime';
import type pg from 'pg';
import { z } from 'zod';

/** What the database says about invariants 1-3 of docs/architecture.md. `violations` are sentences with ids; empty is good. */
export interface AuditReport {
  ok: boolean;
  violations: string[];
  tenants: number;
  entries: number;
  openHolds: number;
  balanceMicros: string;
  heldMicros: string;
}

/** Each returns one row per violation, its text in column `what`. */
const CHECKS: readonly string[] = [
  // 1: balance, held, and postings that sum to zero
  `select format('tenant %s: balance %s, postings %s', t.tenant_id, w.balance, t.posted) as what
   from (select tenant_id, sum(wallet_micros) as posted, max(seq) as seq from ledger.journal
         where tenant_id is not null group by tenant_id) t
   left join ledger.wallets w on w.tenant_id = t.tenant_id
   where w.balance is distinct from t.posted or w.seq is distinct from t.seq`,
  `select format('tenant %s: the last entry says %s held, open holds %s', w.tenant_id, j.held, w.held) as what
   from ledger.wallets w join (
     select distinct on (tenant_id) tenant_id, (value::json #>> '{after,held_micros}')::bigint as held
     from ledger.journal where tenant_id is not null order by tenant_id, seq desc) j on j.tenant_id = w.tenant_id
   where w.held <> j.held`,
  `select format('shard %s position %s: postings do not sum to zero', shard, position) as what
   from ledger.journal where wallet_micros + counter_micros <> 0`,
  `select format('tenant %s seq %s: balance after is %s, postings %s', tenant_id, seq, said, posted) as what
   from (select tenant_id, seq, (value::json #>> '{after,balance_micros}')::bigint as said,
           sum(wallet_micros) over (partition by tenant_id order by seq) as posted
         from ledger.journal where tenant_id is not null) j where said <> posted`,
  `select format('shard %s: %s rows up to position %s', s.shard, j.n, s.position) as what
   from ledger.shards s join (select shard, count(*) - 1 as n, max(position) as last from ledger.journal group by shard) j
     on j.shard = s.shard where j.n <> s.position or j.last <> s.position`,
  `select format('tenant %s: %s rows up to seq %s', tenant_id, count(*), max(seq)) as what
   from ledger.journal where tenant_id is not null group by tenant_id having count(*) <> max(seq)`,
  // 2: at the moment of admission
  `select format('hold %s was admitted above the balance', hold_id) as what
   from (select hold_id, (value::json ->> 'amount_micros')::bigint as amount, value::json -> 'after' as after
         from ledger.journal where kind = 'opened') j
   where amount > 0 and (after ->> 'held_micros')::bigint > (after ->> 'balance_micros')::bigint`,
  `select format('hold %s was admitted above the %s cap', hold_id, w ->> 'period') as what
   from ledger.journal j, json_array_elements(j.value::json #> '{after,windows}') as w(w)
   where kind = 'opened' and (j.value::json ->> 'amount_micros')::bigint > 0 and w ->> 'cap_micros' is not null
     and (w ->> 'spent_micros')::bigint + (w ->> 'held_micros')::bigint > (w ->> 'cap_micros')::bigint`,
  `select format('window %s of %s: %s spent, settlements %s', j.name, j.subject, coalesce(c.spent, 0), j.spent) as what
   from (
     select tenant_id, (value::json ->> 'subject')::uuid as subject, w.name, sum(-wallet_micros) as spent
     from ledger.journal, lateral (values (value::json #>> '{windows,daily}'), (value::json #>> '{windows,monthly}')) w(name)
     where kind in ('settled', 'late', 'adjusted') group by 1, 2, 3) j
   full join ledger.window_spending c
     on j.tenant_id = c.tenant_id and j.subject = c.subject and j.name = c.window_name
   where coalesce(c.spent, 0) <> coalesce(j.spent, 0)`,
  `select format('window %s of %s: the last entry says %s held, open holds %s', j.name, j.subject, j.held, coalesce(c.held, 0)) as what
   from (select distinct on (tenant_id, subject, name) *
         from (select tenant_id, seq, (w ->> 'subject')::uuid as subject, w ->> 'window' as name,
                 (w ->> 'held_micros')::bigint as held
               from ledger.journal, json_array_elements(value::json #> '{after,windows}') as w(w)
               where tenant_id is not null) told
         order by tenant_id, subject, name, seq desc) j
   left join ledger.cap_windows c
     on c.tenant_id = j.tenant_id and c.subject = j.subject and c.window_name = j.name
   where coalesce(c.held, 0) <> j.held`,
  // 3: every hold ends exactly once, late at most once, and never both settled and late
  `select format('hold %s: %s', hold_id, string_agg(kind, ',' order by shard, position)) as what
   from ledger.journal where hold_id is not null group by hold_id
   having count(*) filter (where kind = 'opened') > 1
     or count(*) filter (where kind in ('settled', 'released', 'expired')) > 1
     or count(*) filter (where kind = 'late') > 1
     or (bool_or(kind = 'late') and bool_or(kind = 'settled'))
     or count(distinct tenant_id) > 1`,
  `select format('hold %s: corrected to %s', hold_id, -sum(wallet_micros)) as what
   from ledger.journal where hold_id is not null group by hold_id
   having bool_or(kind = 'adjusted') and (sum(wallet_micros) > 0 or not bool_or(kind in ('settled', 'late')))`,
  `select format('hold %s is open in one place and ended in the other', coalesce(h.hold_id, j.hold_id)) as what
   from ledger.holds h full join (
     select hold_id from ledger.journal where hold_id is not null group by hold_id
     having bool_or(kind = 'opened') and not bool_or(kind <> 'opened')) j on j.hold_id = h.hold_id
   where h.hold_id is null or j.hold_id is null`,
];

/** Reads the whole ledger on one snapshot and changes nothing. For tests and operators of small ledgers: it reads every row. */
export async function audit(pool: pg.Pool): Promise<AuditReport> {
  const client = await pool.connect();
  try {
    await client.query('begin transaction isolation level repeatable read read only');
    const violations: string[] = [];
    for (const check of CHECKS) {
      const { rows } = await client.query<{ what: string }>(check);
      violations.push(...rows.map(({ what }) => what));
    }
    const totals = await client.query<{
      tenants: string;
      entries: string;
      open: string;
      balance: string;
      held: string;
    }>(
      `select count(*) as tenants, coalesce(sum(balance), 0) as balance, coalesce(sum(held), 0) as held,
         (select count(*) from ledger.journal where kind <> 'genesis') as entries,
         (select count(*) from ledger.holds) as open
       from ledger.wallets`,
    );
    const [row] = totals.rows;
    return {
      ok: violations.length === 0,
      violations,
      tenants: Number(row?.tenants ?? 0),
      entries: Number(row?.entries ?? 0),
      openHolds: Number(row?.open ?? 0),
      balanceMicros: row?.balance ?? '0',
      heldMicros: row?.held ?? '0',
    };
  } finally {
    await client.query('rollback').catch(() => undefined);
    client.release();
  }
}

/** `DATABASE_URL=... node dist/apps/ledger/src/audit.js`: prints the report as JSON; exit 1 when something is wrong. */
async function main(): Promise<void> {
  const { DATABASE_URL } = parseConfig(z.object({ DATABASE_URL: configFields.databaseUrl }), process.env);
  const pool = createPool(DATABASE_URL, { app: 'vendo audit', max: 1 });
  const report = await audit(pool);
  await pool.end();
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  process.exitCode = report.ok ? 0 : 1;
}

if (process.argv[1] !== undefined && path.resolve(process.argv[1]) === import.meta.filename)
  main().catch((thrown: unknown) => {
    process.stderr.write(`${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
    process.exitCode = 1;
  });
