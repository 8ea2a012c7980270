-- A generation that was begun without this table would write its corrections into the live one.
do $$
begin
  if exists (select from read.generations where state in ('building', 'blocked', 'accepted')) then
    raise exception 'a rebuild is under way: let it end, or drop it, before this version is started';
  end if;
end $$;

-- One row per UsageCorrected: what a charged call was changed by. Its lines are added to the hour of the hold.
create table read.usage_corrections (
  hold_id uuid not null,
  n int not null,
  tenant_id uuid not null,
  app_id uuid,
  key_id uuid not null,
  connection_id uuid not null,
  provider text not null,
  route text not null,
  model text not null,
  reason text not null,
  lines json not null,
  -- Signed: negative gives back.
  provider_cost_micros bigint not null,
  cost_micros bigint not null,
  rate_version bigint not null,
  hold_micros bigint not null,
  reserved_at timestamptz(3) not null,
  primary key (hold_id, n)
);

-- A correction may be folded before the usage that it corrects, which another gateway told. NaN sorts above Infinity.
alter table read.usage_hourly drop constraint usage_hourly_quantity_check;
alter table read.usage_hourly add constraint usage_hourly_quantity_check
  check (quantity > '-Infinity' and quantity < 'Infinity');

alter table read.wallet_entries drop constraint wallet_entries_kind_check;
alter table read.wallet_entries add constraint wallet_entries_kind_check
  check (kind in ('credit', 'settlement', 'correction'));
