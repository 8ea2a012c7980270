-- Several ledgers beside each other: ownership of a shard is a lease of 3 s, by the database's clock.

-- The ledgers that run, told by themselves about once a second. One that has not been seen for 3 s counts as gone.
create table ledger.members (
  id text primary key,
  -- Where gateways reach it; null until it listens.
  url text,
  seen_at timestamptz not null
);

-- `owner` is a member, whose row says where it is reached. A shard is free when its lease has run out or was given
-- back, which takes the name of its owner away and begins a new epoch.
alter table ledger.shards add column lease_until timestamptz not null default '-infinity';

-- The one place that says how long a lease is (LEASE_MS in writer/book.ts is the same for the owner's own clock).
create function ledger.lease_end() returns timestamptz language sql volatile as
  $$ select clock_timestamp() + interval '3 seconds' $$;

-- One micro-batch, all or nothing. Raises VL001 when a head is not where the writer read it (another owner, or another
-- write since), and VL002 when a consumer offset is not where it was read; both with the shards in the detail. Moving a
-- head, by nothing too, extends its lease: an owner that commits never loses it.
create or replace function ledger.commit_batch(
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
  batch_at timestamptz := to_timestamp(p_clock_ms / 1000.0);
begin
  with locked as (
    select s.shard, h.n from ledger.shards s
      join unnest(h_shard, h_epoch, h_position, h_count) h(shard, epoch, position, n)
        on s.shard = h.shard and s.epoch = h.epoch and s.position = h.position
      order by s.shard for update of s
  ), moving as (
    update ledger.shards s set position = s.position + l.n, clock_ms = greatest(s.clock_ms, p_clock_ms),
        lease_until = ledger.lease_end()
      from locked l where s.shard = l.shard returning s.shard
  ) select coalesce(array_agg(shard), '{}') into moved from moving;
  if cardinality(moved) <> cardinality(h_shard) then
    raise exception 'fenced' using errcode = 'VL001',
      detail = (select string_agg(shard::text, ',') from unnest(h_shard) shard where shard <> all(moved));
  end if;

  if cardinality(f_partition) > 0 then
    with moving as (
      update ledger.consumer_offsets c set next = f.next, log_id = f.log_id
        from unnest(f_partition, f_expected, f_next, f_log_id) f(partition, expected, next, log_id)
        where c.topic = f_topic and c.partition = f.partition and c.next = f.expected
          and (c.log_id is null or c.log_id = f.log_id)
        returning c.partition
    ) select coalesce(array_agg(partition), '{}') into moved from moving;
    if cardinality(moved) <> cardinality(f_partition) then
      raise exception 'a consumer offset moved' using errcode = 'VL002',
        detail = (select string_agg(partition::text, ',') from unnest(f_partition) partition where partition <> all(moved));
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

grant select, insert, update, delete on ledger.members to vendo_ledger;
