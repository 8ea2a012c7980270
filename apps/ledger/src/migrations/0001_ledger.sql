-- The ledger's tables. Amounts are micro-USD; `clock_ms` and `at` are the ledger's clock.
create schema if not exists log;

-- Roles belong to the whole server, so another database of it may make this one at the same moment.
do $$
begin
  if not exists (select from pg_roles where rolname = 'vendo_ledger') then
    create role vendo_ledger nologin;
  end if;
exception when duplicate_object or unique_violation then null;
end $$;
do $$
begin
  if not pg_has_role(current_user, 'vendo_ledger', 'member') then
    execute format('grant vendo_ledger to %I', current_user);
  end if;
end $$;

-- Head rows: the fence of every commit. Sixteen, for good.
create table ledger.shards (
  shard int primary key,
  epoch bigint not null default 0,
  position bigint not null default 0,
  clock_ms bigint not null default 0,
  owner text
) with (fillfactor = 10);
insert into ledger.shards (shard) select generate_series(0, 15);

-- Settled credit. What is held and the last seq are not stored a second time: see the view ledger.wallets.
create table ledger.balances (
  tenant_id uuid primary key,
  shard int not null,
  balance bigint not null
) with (fillfactor = 50);

create table ledger.caps (
  tenant_id uuid not null,
  subject uuid not null,
  daily bigint,
  monthly bigint,
  primary key (tenant_id, subject)
);

-- A window has a row here once something was spent or told in it; what is held in it: see the view ledger.cap_windows.
create table ledger.window_spending (
  tenant_id uuid not null,
  subject uuid not null,
  window_name text collate "C" not null,
  period text not null,
  spent bigint not null check (spent >= 0),
  warned boolean not null,
  tripped boolean not null,
  primary key (tenant_id, subject, window_name)
) with (fillfactor = 50);

-- The open ones. A hold id is one hold for good, whatever the tenant: the journal's unique index says so.
create table ledger.holds (
  hold_id uuid not null,
  tenant_id uuid not null,
  subject uuid not null,
  amount bigint not null check (amount >= 0),
  daily text collate "C" not null,
  monthly text collate "C" not null,
  spool_id uuid not null,
  rate_version bigint not null,
  reserved_at_ms bigint not null,
  primary key (tenant_id, hold_id)
);

-- Append-only. Position is gap-free per shard, seq per tenant. A row's postings go between wallet and counter-account.
-- An entry is named by tenant and seq; `log_id` is the random name of a shard's genesis.
create table ledger.journal (
  shard int not null,
  position bigint not null,
  log_id text check ((log_id is null) = (kind <> 'genesis')),
  tenant_id uuid,
  seq bigint,
  type text not null,
  kind text not null check (kind in
    ('genesis', 'opened', 'settled', 'released', 'expired', 'late', 'credit', 'cap')),
  hold_id uuid,
  idempotency_key text,
  spool_id uuid,
  wallet_micros bigint not null default 0,
  counter_micros bigint not null default 0,
  at timestamptz not null,
  value text not null,
  primary key (shard, position),
  check ((tenant_id is null) = (kind = 'genesis') and (seq is null) = (kind = 'genesis')),
  check (wallet_micros + counter_micros = 0)
);
create unique index journal_seq on ledger.journal (tenant_id, seq) where tenant_id is not null;
-- A hold is opened once, ends once, is late once.
create unique index journal_hold on ledger.journal
  (hold_id, (case when kind in ('settled', 'released', 'expired') then 'ended' else kind end))
  where hold_id is not null;
create unique index journal_credit on ledger.journal (tenant_id, idempotency_key)
  where idempotency_key is not null;
create index journal_expired on ledger.journal (spool_id) where kind = 'expired';

insert into ledger.journal (shard, position, log_id, type, kind, at, value)
  select shard, 0, gen_random_uuid(), 'Genesis', 'genesis', clock_timestamp(), '{}'
  from generate_series(0, 15) shard;

create function ledger.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'the journal is append-only' using errcode = 'insufficient_privilege';
end $$;
create trigger journal_keeps_rows before update or delete on ledger.journal
  for each row execute function ledger.refuse_change();
create trigger journal_keeps_all before truncate on ledger.journal
  for each statement execute function ledger.refuse_change();

create table ledger.spools (
  id uuid primary key,
  host text not null,
  owner text,
  beat_at timestamptz not null
);

-- The last number applied; never deleted.
create table ledger.spool_marks (
  spool_id uuid not null,
  partition int not null,
  number bigint not null,
  primary key (spool_id, partition)
) with (fillfactor = 50);

create table ledger.consumer_offsets (
  topic text not null,
  partition int not null,
  next bigint not null default 0,
  log_id text,
  primary key (topic, partition)
) with (fillfactor = 10);
insert into ledger.consumer_offsets (topic, partition) select 'gateway.events', generate_series(0, 15);

-- Records that could not be applied, whole.
create table ledger.parked (
  id bigint generated always as identity primary key,
  topic text not null,
  partition int not null,
  off bigint not null,
  tenant_id uuid,
  hold_id uuid,
  reason text not null,
  key text not null,
  headers json not null,
  value bytea not null,
  parked_at timestamptz not null,
  unique (topic, partition, off)
);

-- A wallet whole: what is held is the sum of its open holds, and seq is its last entry's.
create view ledger.wallets as
  select b.tenant_id, b.shard, b.balance,
    (select coalesce(sum(h.amount), 0)::bigint from ledger.holds h where h.tenant_id = b.tenant_id) as held,
    (select max(j.seq) from ledger.journal j where j.tenant_id = b.tenant_id) as seq
  from ledger.balances b;

-- The cap windows that something was spent or is held in.
create view ledger.cap_windows as
  select tenant_id, subject, window_name, period, sum(spent)::bigint as spent, sum(held)::bigint as held,
    sum(open_holds) as open_holds, bool_or(warned) as warned, bool_or(tripped) as tripped
  from (
    select tenant_id, subject, window_name, period, spent, 0::bigint as held, 0 as open_holds, warned, tripped
      from ledger.window_spending
    union all
    select tenant_id, subject, daily, 'daily', 0, amount, 1, false, false from ledger.holds
    union all
    select tenant_id, subject, monthly, 'monthly', 0, amount, 1, false, false from ledger.holds
  ) parts
  group by tenant_id, subject, window_name, period;

-- The journal as topic ledger.events of the postgres event log.
create view log.ledger_events as
  select shard as part, position as off, coalesce(tenant_id::text, '') as key,
    case when kind = 'genesis' then jsonb_build_object('ce_type', type, 'ce_id', log_id)
    else jsonb_build_object(
      'ce_specversion', '1.0',
      'ce_id', tenant_id::text || '/' || seq::text,
      'ce_source', '/ledger',
      'ce_type', type,
      'ce_subject', tenant_id::text,
      'ce_time', to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
      'content-type', 'application/json',
      'ce_position', position::text,
      'ce_seq', seq::text)
    end as headers,
    convert_to(value, 'UTF8') as value
  from ledger.journal;
