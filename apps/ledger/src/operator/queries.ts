import { Inject } from '@nestjs/common';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import type { OpenHold, OverdueJob, ParkedRecord, SpoolState } from '@vendo/ledger-api';
import type pg from 'pg';
import { OPERATOR_POOL } from './operator-pool.js';
import { parkedId } from './parked-records.js';

const ROWS_MAX = 1_000;

export class OpenHoldsQuery extends Query<OpenHold[]> {
  constructor(readonly tenantId: string) {
    super();
  }
}
export class SpoolsQuery extends Query<SpoolState[]> {}
export class ParkedQuery extends Query<ParkedRecord[]> {}
export class OverdueJobsQuery extends Query<OverdueJob[]> {}

/** A tenant's open holds, oldest first, at most 1,000. */
@QueryHandler(OpenHoldsQuery)
export class OpenHoldsHandler implements IQueryHandler<OpenHoldsQuery> {
  constructor(@Inject(OPERATOR_POOL) private readonly pool: pg.Pool) {}

  async execute({ tenantId }: OpenHoldsQuery): Promise<OpenHold[]> {
    const { rows } = await this.pool.query<{
      hold_id: string;
      subject: string;
      amount: string;
      daily: string;
      monthly: string;
      spool_id: string;
      rate_version: string;
      reserved_at_ms: string;
    }>(`select * from ledger.holds where tenant_id = $1 order by hold_id limit ${ROWS_MAX}`, [tenantId]);
    return rows.map((row) => ({
      hold_id: row.hold_id,
      subject: row.subject,
      amount_micros: Number(row.amount),
      windows: { daily: row.daily, monthly: row.monthly },
      spool_id: row.spool_id,
      rate_version: Number(row.rate_version),
      reserved_at: new Date(Number(row.reserved_at_ms)).toISOString(),
    }));
  }
}

/** The spools, those that beat last first, at most 1,000, with what expired under each without a report. */
@QueryHandler(SpoolsQuery)
export class SpoolsHandler implements IQueryHandler<SpoolsQuery> {
  constructor(@Inject(OPERATOR_POOL) private readonly pool: pg.Pool) {}

  execute(): Promise<SpoolState[]> {
    return spoolStates(this.pool);
  }
}

/** @param id only this one. */
export async function spoolStates(pool: pg.Pool, id: string | null = null): Promise<SpoolState[]> {
  const { rows } = await pool.query<{
    id: string;
    host: string;
    owner: string | null;
    beat_at: Date;
    open_holds: string;
    expired_holds: string;
    expired_micros: string;
    written_off_at: Date | null;
    written_off_note: string | null;
  }>(
    `select s.id, s.host, s.owner, s.beat_at, s.written_off_at, s.written_off_note,
       coalesce(o.holds, 0) as open_holds,
       e.holds as expired_holds, e.micros as expired_micros
     from (select * from ledger.spools where $1::uuid is null or id = $1
           order by beat_at desc limit ${ROWS_MAX}) s
     left join (select spool_id, count(*) as holds from ledger.holds h
                -- A job's hold does not live with its spool.
                where not exists (select from ledger.jobs j where j.hold_id = h.hold_id)
                group by spool_id) o on o.spool_id = s.id
     left join lateral (
       select count(*) as holds, coalesce(sum((x.value::json ->> 'amount_micros')::bigint), 0) as micros
       from ledger.journal x
       where x.spool_id = s.id and x.kind = 'expired'
         and not exists (select from ledger.journal l where l.hold_id = x.hold_id and l.kind = 'late')
     ) e on true
     order by s.beat_at desc`,
    [id],
  );
  return rows.map(({ beat_at, open_holds, expired_holds, expired_micros, written_off_at, ...row }) => ({
    ...row,
    beat_at: beat_at.toISOString(),
    open_holds: Number(open_holds),
    expired_holds: Number(expired_holds),
    expired_micros: Number(expired_micros),
    written_off_at: written_off_at?.toISOString() ?? null,
  }));
}

/** What is parked, newest first, at most 1,000. */
@QueryHandler(ParkedQuery)
export class ParkedHandler implements IQueryHandler<ParkedQuery> {
  constructor(@Inject(OPERATOR_POOL) private readonly pool: pg.Pool) {}

  async execute(): Promise<ParkedRecord[]> {
    const { rows } = await this.pool.query<{
      id: string;
      topic: string;
      partition: number;
      off: string;
      tenant_id: string | null;
      hold_id: string | null;
      reason: string;
      parked_at: Date;
    }>(
      `select id, topic, partition, off, tenant_id, hold_id, reason, parked_at
       from ledger.parked where replayed_at is null order by id desc limit ${ROWS_MAX}`,
    );
    return rows.map(({ id, off, parked_at, ...row }) => ({
      ...row,
      id: parkedId(id),
      offset: off,
      parked_at: parked_at.toISOString(),
    }));
  }
}

/** Jobs whose hold has expired and whose report has not come, the newest first, at most 1,000. */
@QueryHandler(OverdueJobsQuery)
export class OverdueJobsHandler implements IQueryHandler<OverdueJobsQuery> {
  constructor(@Inject(OPERATOR_POOL) private readonly pool: pg.Pool) {}

  async execute(): Promise<OverdueJob[]> {
    const { rows } = await this.pool.query<{
      hold_id: string;
      tenant_id: string;
      job: { provider: string; model: string; upstream_id: string; hold_micros: number };
      started_at: Date;
      expired_at: Date;
      abandoned_at: Date | null;
    }>(
      `select j.hold_id, j.tenant_id, j.job, j.started_at, x.at as expired_at, j.abandoned_at
       from ledger.jobs j join ledger.journal x on x.hold_id = j.hold_id and x.kind = 'expired'
       where (j.ended_at is null or j.abandoned_at is not null)
         and not exists (select from ledger.journal l where l.hold_id = j.hold_id and l.kind = 'late')
       order by j.started_at desc limit ${ROWS_MAX}`,
    );
    return rows.map(({ job, started_at, expired_at, abandoned_at, ...row }) => ({
      ...row,
      provider: job.provider,
      model: job.model,
      upstream_id: job.upstream_id,
      hold_micros: job.hold_micros,
      started_at: started_at.toISOString(),
      expired_at: expired_at.toISOString(),
      abandoned_at: abandoned_at?.toISOString() ?? null,
    }));
  }
}
