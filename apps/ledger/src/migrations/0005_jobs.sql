-- Jobs: submitted now, reported later; and corrections of what was charged.

-- Told by gateways, asked for at the providers until somebody has reported the end. Who leases a row has it until `due_at`.
create table ledger.jobs (
  hold_id uuid primary key,
  tenant_id uuid not null,
  shard int not null,
  ttl_ms bigint not null,
  -- JobStarted as it was told.
  job json not null,
  started_at timestamptz not null,
  due_at timestamptz not null,
  ended_at timestamptz,
  -- Nobody has reported its end in 7 days, and nobody asks any more.
  abandoned_at timestamptz
);
create index jobs_due on ledger.jobs (due_at) where ended_at is null;

-- In the transaction of the batch that read of them. A job that is told again stays as it is.
create function ledger.note_jobs(
  p_clock_ms bigint, p_hold uuid[], p_tenant uuid[], p_shard int[], p_ttl_ms bigint[], p_job text[], p_ended boolean[],
  p_holds uuid[]
) returns void language plpgsql as $$
declare
  batch_at timestamptz := to_timestamp(p_clock_ms / 1000.0);
begin
  insert into ledger.jobs (hold_id, tenant_id, shard, ttl_ms, job, started_at, due_at, ended_at)
    select hold_id, tenant_id, shard, ttl_ms, job::json, batch_at,
      -- A client that asks for its result itself is faster.
      clock_timestamp() + interval '10 seconds', case when ended then batch_at end
    from unnest(p_hold, p_tenant, p_shard, p_ttl_ms, p_job, p_ended) j(hold_id, tenant_id, shard, ttl_ms, job, ended)
    on conflict (hold_id) do nothing;
  update ledger.jobs set ended_at = batch_at where hold_id = any(p_holds) and ended_at is null;
end $$;

-- Each comes again after a quarter of its age, between 10 seconds and an hour.
create function ledger.lease_jobs(p_limit int) returns setof json language sql as $$
  with due as materialized (
    select hold_id from ledger.jobs
      where ended_at is null and due_at <= clock_timestamp()
      order by due_at limit p_limit for update skip locked
  )
  update ledger.jobs j
    set due_at = clock_timestamp() + least(greatest((clock_timestamp() - j.started_at) / 4, interval '10 seconds'),
      interval '1 hour')
    from due where j.hold_id = due.hold_id
    returning j.job
$$;

-- Gives up the jobs whose end nobody has reported in 7 days. Returns them.
create function ledger.abandon_jobs() returns setof ledger.jobs language sql as $$
  update ledger.jobs set ended_at = clock_timestamp(), abandoned_at = clock_timestamp()
    where ended_at is null and started_at < clock_timestamp() - interval '7 days'
    returning *
$$;

-- A hold is corrected once per number, which stands where a credit has its key.
alter table ledger.journal drop constraint journal_kind_check;
alter table ledger.journal add constraint journal_kind_check check (kind in
  ('genesis', 'opened', 'settled', 'released', 'expired', 'late', 'adjusted', 'credit', 'cap'));
drop index ledger.journal_hold;
create unique index journal_hold on ledger.journal
  (hold_id, (case when kind in ('settled', 'released', 'expired') then 'ended'
                  when kind = 'adjusted' then 'adjusted ' || idempotency_key else kind end))
  where hold_id is not null;
drop index ledger.journal_credit;
create unique index journal_credit on ledger.journal (tenant_id, idempotency_key) where kind = 'credit';

-- As before, but that only a credit's key is one.
create or replace function ledger.read_batch(
  p_tenants uuid[], p_holds uuid[], p_credit_tenants uuid[], p_credit_keys text[]
) returns json language plpgsql stable as $$
declare
  floor_month text := to_char((clock_timestamp() at time zone 'UTC') - interval '1 month', 'YYYY-MM');
  v_owners uuid[];
  v_wallets json; v_caps json; v_windows json; v_holds json; v_hold_windows json; v_credits json;
begin
  if cardinality(p_tenants) > 0 then
    select json_agg(json_build_object('tenant', tenant_id, 'balance', balance::text, 'held', held::text, 'seq', seq))
      into v_wallets from ledger.wallets where tenant_id = any(p_tenants);
    select json_agg(json_build_object('tenant', tenant_id, 'subject', subject, 'daily', daily::text, 'monthly', monthly::text))
      into v_caps from ledger.caps where tenant_id = any(p_tenants);
    -- Windows since the last month, and those of open holds however old.
    select json_agg(json_build_object('tenant', w.tenant_id, 'subject', w.subject, 'period', w.period,
        'window', w.window_name, 'spent', w.spent::text, 'held', w.held::text, 'warned', w.warned, 'tripped', w.tripped))
      into v_windows from ledger.cap_windows w
      where w.tenant_id = any(p_tenants) and (w.window_name >= floor_month or w.open_holds > 0);
  end if;
  if cardinality(p_holds) > 0 then
    select json_agg(json_build_object('tenant', tenant_id, 'type', type, 'value', value)), array_agg(tenant_id)
      into v_holds, v_owners from ledger.journal where hold_id = any(p_holds);
    if v_holds is not null then
      select json_agg(json_build_object('tenant', w.tenant_id, 'subject', w.subject, 'period', w.period,
          'window', w.window_name, 'spent', w.spent::text, 'held', w.held::text, 'warned', w.warned, 'tripped', w.tripped))
        into v_hold_windows
        from (select distinct tenant_id, (value::json ->> 'subject')::uuid as subject,
                value::json #>> '{windows,daily}' as daily, value::json #>> '{windows,monthly}' as monthly
              from ledger.journal where hold_id = any(p_holds)) j
        -- The owners as values: only those reach the tables below the view, a join would read them whole.
        join ledger.cap_windows w on w.tenant_id = any(v_owners) and w.tenant_id = j.tenant_id
          and w.subject = j.subject and w.window_name in (j.daily, j.monthly);
    end if;
  end if;
  if cardinality(p_credit_keys) > 0 then
    select json_agg(json_build_object('tenant', j.tenant_id, 'seq', j.seq, 'value', j.value))
      into v_credits
      from unnest(p_credit_tenants, p_credit_keys) k(tenant_id, key)
      join ledger.journal j on j.tenant_id = k.tenant_id and j.idempotency_key = k.key
        and j.kind = 'credit';
  end if;
  return json_build_object('nowMs', floor(extract(epoch from clock_timestamp()) * 1000)::bigint,
    'wallets', v_wallets, 'caps', v_caps, 'windows', v_windows, 'holds', v_holds,
    'holdWindows', v_hold_windows, 'credits', v_credits);
end $$;

grant select, insert, update on ledger.jobs to vendo_ledger;
