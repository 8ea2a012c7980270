import type { Auditor } from './books.js';
import type { SeenAnswer } from './streams.js';

/** One thing that was killed or stopped, and what clients were answered between the last and this. */
export interface Hit {
  part: string;
  signal: string;
  /** Streams of 10 s or more that were open at it. */
  open: number;
  answers: SeenAnswer[];
}

interface Row {
  answers: number;
  usageEvents: number;
  settlements: number;
  lost: number;
  doubled: number;
}

export interface KillTable {
  text: string;
  /** All of them must be 0. */
  faults: { lost: number; doubled: number; overspent: number; openHolds: number };
}

/** For answers that were received in full: usage events and settlements of each, counted in the database. */
const BILLED = `
  select count(*)::int as answers, coalesce(sum(usage), 0)::int as "usageEvents",
    coalesce(sum(settled), 0)::int as settlements,
    count(*) filter (where usage = 0 or settled = 0)::int as lost,
    count(*) filter (where usage > 1 or settled > 1)::int as doubled
  from (select count(distinct u.hold_id) as usage, count(j.hold_id) as settled
    from unnest($1::text[]) with ordinality a(id, n)
    left join read.usage_events u on u.upstream_request_id = a.id
    left join ledger.journal j on j.hold_id = u.hold_id and j.kind in ('settled', 'late')
    group by a.n) billed`;

/** Holds that were admitted when balance minus open holds did not cover them: folded here from the journal's rows alone. */
const OVERSPENT = `
  select count(*)::int as n from (
    select kind, amount,
      sum(wallet_micros) over wallet as balance,
      sum(case kind when 'opened' then amount when 'late' then 0 else -amount end) over wallet as held
    from (select j.tenant_id, j.seq, j.kind, j.wallet_micros,
        coalesce((o.value::json ->> 'amount_micros')::bigint, 0) as amount
      from ledger.journal j left join ledger.journal o on o.hold_id = j.hold_id and o.kind = 'opened'
      where j.tenant_id is not null) entries
    window wallet as (partition by tenant_id order by seq)) admissions
  where kind = 'opened' and amount > 0 and held > balance`;

/** @param all every answer of the run, those of before and after the hits too. */
export async function tableOf(
  hits: readonly Hit[],
  all: readonly SeenAnswer[],
  auditor: Auditor,
): Promise<KillTable> {
  const lines = ['hit                  times  streams≥  in full   usage  settled    lost doubled'];
  for (const [name, group] of Object.entries(
    Object.groupBy(hits, ({ part, signal }) => `${signal} ${part}`),
  )) {
    const streams = Math.min(...(group ?? []).map(({ open }) => open));
    const row = await billed(group?.flatMap(({ answers }) => answers) ?? [], auditor);
    lines.push(line(name, group?.length ?? 0, streams, row));
  }
  const total = await billed(all, auditor);
  const [overspent] = await auditor.rows<{ n: number }>(OVERSPENT);
  const openHolds = (await auditor.openHolds()).length;
  const faults = {
    lost: total.lost,
    doubled: total.doubled,
    overspent: overspent?.n ?? Number.NaN,
    openHolds,
  };
  lines.push(
    line('all', hits.length, Math.min(...hits.map(({ open }) => open)), total),
    `overspent ${faults.overspent}, open holds ${openHolds}`,
  );
  return { text: lines.join('\n'), faults };
}

async function billed(answers: readonly SeenAnswer[], auditor: Auditor): Promise<Row> {
  const ids = answers.filter(({ complete }) => complete).map(({ requestId }) => requestId);
  const [row] = await auditor.rows<Row>(BILLED, [ids]);
  if (!row) throw new Error('the database counts nothing');
  return row;
}

function line(name: string, times: number, streams: number, row: Row): string {
  const cells = [times, streams, row.answers, row.usageEvents, row.settlements, row.lost, row.doubled];
  const widths = [5, 9, 8, 7, 8, 7, 7];
  return [name.padEnd(20), ...cells.map((cell, index) => String(cell).padStart(widths[index] ?? 8))].join(
    ' ',
  );
}
