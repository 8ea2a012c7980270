-- The two statements of a micro-batch: one read without locks, one commit. Both are one round trip.

-- What a batch needs and memory lacks, on one snapshot. Amounts are text, because JSON numbers end at 2^53.
create function ledger.read_batch(
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
      join ledger.journal j on j.tenant_id = k.tenant_id and j.idempotency_key = k.key;
  end if;
  return json_build_object('nowMs', floor(extract(epoch from clock_timestamp()) * 1000)::bigint,
    'wallets', v_wallets, 'caps', v_caps, 'windows', v_windows, 'holds', v_holds,
    'holdWindows', v_hold_windows, 'credits', v_credits);
end $$;

-- One micro-batch, all or nothing. Raises VL001 when a head is not where the writer read it (another owner, or another
-- write since), with the shards in the detail, and VL002 when a consumer offset is not where it was read.
create function ledger.commit_batch(
  p_clock_ms bigint,
  h_shard int[], h_epoch bigint[], h_position bigint[], h_count int[],
  j_shard int[], j_position bigint[], j_tenant uuid[], j_seq bigint[], j_type text[], j_kind text[],
  j_hold uuid[], j_key text[], j_spool uuid[], j_micros bigint[], j_value text[],
  w_tenant uuid[], w_shard int[], w_balance bigint[],
  c_tenant uuid[], c_subject uuid[], c_daily bigint[], c_monthly bigint[],
  u_tenant uuid[], u_subject uuid[], u_window text[], u_period text[], u_spent bigint[],
  u_warned boolean[], u_tripped boolean[],
  o_hold uuid[], o_tenant uuid[], o_subject uuid[], o_amount bigint[], o_daily text[], o_monthly text[],
  o_spool uuid[], o_rate_version bigint[], o_reserved_at_ms bigint[],
  e_tenant uuid[], e_hold uuid[],
  m_spool uuid[], m_partition int[], m_number bigint[],
  f_topic text, f_partition int[], f_expected bigint[], f_next bigint[], f_log_id text[],
  p_partition int[], p_off bigint[], p_tenant uuid[], p_hold uuid[], p_reason text[],
  p_key text[], p_headers text[], p_value text[]
) returns void language plpgsql as $$
declare
  moved int[];
  moved_count int;
  batch_at timestamptz := to_timestamp(p_clock_ms / 1000.0);
begin
  with locked as (
    select s.shard, h.n from ledger.shards s
      join unnest(h_shard, h_epoch, h_position, h_count) h(shard, epoch, position, n)
        on s.shard = h.shard and s.epoch = h.epoch and s.position = h.position
      order by s.shard for update of s
  ), moving as (
    update ledger.shards s set position = s.position + l.n, clock_ms = greatest(s.clock_ms, p_clock_ms)
      from locked l where s.shard = l.shard returning s.shard
  ) select coalesce(array_agg(shard), '{}') into moved from moving;
  if cardinality(moved) <> cardinality(h_shard) then
    raise exception 'fenced' using errcode = 'VL001',
      detail = (select string_agg(shard::text, ',') from unnest(h_shard) shard where shard <> all(moved));
  end if;

  if cardinality(f_partition) > 0 then
    update ledger.consumer_offsets c set next = f.next, log_id = f.log_id
      from unnest(f_partition, f_expected, f_next, f_log_id) f(partition, expected, next, log_id)
      where c.topic = f_topic and c.partition = f.partition and c.next = f.expected
        and (c.log_id is null or c.log_id = f.log_id);
    get diagnostics moved_count = row_count;
    if moved_count <> cardinality(f_partition) then
      raise exception 'a consumer offset moved' using errcode = 'VL002';
    end if;
  end if;
  if cardinality(m_spool) > 0 then
    insert into ledger.spool_marks as m (spool_id, partition, number)
      select * from unnest(m_spool, m_partition, m_number)
      on conflict (spool_id, partition) do update set number = excluded.number;
  end if;
  if cardinality(p_off) > 0 then
    insert into ledger.parked (topic, partition, off, tenant_id, hold_id, reason, key, headers, value, parked_at)
      select f_topic, partition, off, tenant_id, hold_id, reason, key, headers::json, decode(value, 'base64'), batch_at
      from unnest(p_partition, p_off, p_tenant, p_hold, p_reason, p_key, p_headers, p_value)
        p(partition, off, tenant_id, hold_id, reason, key, headers, value);
  end if;

  if cardinality(j_shard) > 0 then
    insert into ledger.journal (shard, position, tenant_id, seq, type, kind, hold_id, idempotency_key, spool_id,
        wallet_micros, counter_micros, at, value)
      select shard, position, tenant_id, seq, type, kind, hold_id, key, spool_id,
        micros, -micros, batch_at, value
      from unnest(j_shard, j_position, j_tenant, j_seq, j_type, j_kind, j_hold, j_key, j_spool, j_micros, j_value)
        j(shard, position, tenant_id, seq, type, kind, hold_id, key, spool_id, micros, value);
  end if;
  if cardinality(w_tenant) > 0 then
    insert into ledger.balances (tenant_id, shard, balance)
      select * from unnest(w_tenant, w_shard, w_balance)
      on conflict (tenant_id) do update set balance = excluded.balance;
  end if;
  if cardinality(c_subject) > 0 then
    insert into ledger.caps (tenant_id, subject, daily, monthly)
      select * from unnest(c_tenant, c_subject, c_daily, c_monthly)
      on conflict (tenant_id, subject) do update set daily = excluded.daily, monthly = excluded.monthly;
  end if;
  if cardinality(u_subject) > 0 then
    insert into ledger.window_spending (tenant_id, subject, window_name, period, spent, warned, tripped)
      select * from unnest(u_tenant, u_subject, u_window, u_period, u_spent, u_warned, u_tripped)
      on conflict (tenant_id, subject, window_name) do update set
        spent = excluded.spent, warned = excluded.warned, tripped = excluded.tripped;
  end if;
  if cardinality(o_hold) > 0 then
    insert into ledger.holds (hold_id, tenant_id, subject, amount, daily, monthly, spool_id, rate_version, reserved_at_ms)
      select * from unnest(o_hold, o_tenant, o_subject, o_amount, o_daily, o_monthly, o_spool, o_rate_version,
        o_reserved_at_ms);
  end if;
  if cardinality(e_hold) > 0 then
    delete from ledger.holds h using unnest(e_tenant, e_hold) e(tenant_id, hold_id)
      where h.tenant_id = e.tenant_id and h.hold_id = e.hold_id;
  end if;
end $$;

grant usage on schema ledger, log to vendo_ledger;
grant select, insert on ledger.journal to vendo_ledger;
grant select, update on ledger.shards, ledger.consumer_offsets to vendo_ledger;
grant select, insert, update on ledger.balances, ledger.caps, ledger.window_spending, ledger.spools, ledger.spool_marks
  to vendo_ledger;
grant select on ledger.wallets, ledger.cap_windows to vendo_ledger;
grant select, insert on ledger.parked to vendo_ledger;
grant select, insert, delete on ledger.holds to vendo_ledger;
grant select on log.ledger_events to vendo_ledger;
