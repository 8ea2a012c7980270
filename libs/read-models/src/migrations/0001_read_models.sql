-- Read models: every table here is a fold of one topic from offset 0 and can be built again from it.

-- Where each projection stands on each partition; moved by compare-and-set in the transaction that writes the rows.
create table read.checkpoints (
  projection text not null,
  topic text not null,
  partition int not null,
  next_offset bigint not null,
  log_id text,
  -- Last journal position folded (ledger.events); 0 where the topic has none.
  position bigint not null,
  primary key (projection, topic, partition)
);

-- Records that a projection could not fold, whole, with the reason.
create table read.parked (
  id bigint generated always as identity primary key,
  projection text not null,
  topic text not null,
  partition int not null,
  record_offset bigint not null,
  tenant_id text not null,
  -- json, not jsonb: foreign headers may hold what jsonb refuses.
  headers json not null,
  value bytea not null,
  reason text not null,
  parked_at timestamptz(3) not null default clock_timestamp(),
  unique (projection, topic, partition, record_offset)
);
create index parked_by_tenant on read.parked (projection, tenant_id);

-- One row per UsageMeasured; columns named as the event's fields, its id is the hold id.
create table read.usage_events (
  hold_id uuid primary key,
  tenant_id uuid not null,
  app_id uuid,
  key_id uuid not null,
  connection_id uuid not null,
  provider text not null,
  route text not null,
  model text,
  upstream_request_id text,
  status int,
  outcome text not null,
  evidence text not null,
  -- json keeps the lines as they were written.
  lines json not null,
  provider_cost_micros bigint not null,
  cost_micros bigint not null,
  rate_version bigint not null,
  hold_micros bigint not null,
  reserved_at timestamptz(3) not null,
  started_at timestamptz(3) not null,
  ended_at timestamptz(3) not null,
  ttfb_ms double precision,
  stream boolean not null
);
create index usage_events_newest on read.usage_events (reserved_at desc, hold_id desc);
create index usage_events_of_tenant on read.usage_events (tenant_id, reserved_at desc, hold_id desc);
create index usage_events_of_app on read.usage_events (app_id, reserved_at desc, hold_id desc);
create index usage_events_of_connection on read.usage_events (connection_id, reserved_at desc, hold_id desc);

-- Lines summed by the UTC hour of reserved_at. `model` is the line's own where it names one.
create table read.usage_hourly (
  hour timestamptz(0) not null,
  tenant_id uuid not null,
  app_id uuid,
  connection_id uuid not null,
  provider text not null,
  model text,
  meter text not null,
  -- Excludes NaN too, which Postgres sorts above Infinity.
  quantity numeric not null check (quantity >= 0 and quantity < 'Infinity'),
  cost_micros bigint not null,
  unique nulls not distinct (tenant_id, hour, app_id, connection_id, provider, model, meter)
);

-- Calls apart from lines, because an event may have several lines or none. `model` is the event's.
create table read.usage_calls_hourly (
  hour timestamptz(0) not null,
  tenant_id uuid not null,
  app_id uuid,
  connection_id uuid not null,
  provider text not null,
  model text,
  calls bigint not null,
  unique nulls not distinct (tenant_id, hour, app_id, connection_id, provider, model)
);

-- The tenant after the newest journal row folded. Held is the sum of open holds; balance is settled credit.
create table read.wallet_balances (
  tenant_id uuid primary key,
  shard int not null,
  balance_micros bigint not null,
  held_micros bigint not null,
  seq bigint not null,
  position bigint not null,
  at timestamptz(3) not null
);

-- Every posting on a wallet, signed: the sum of a tenant's entries is its balance.
create table read.wallet_entries (
  tenant_id uuid not null,
  seq bigint not null,
  kind text not null check (kind in ('credit', 'settlement')),
  amount_micros bigint not null,
  balance_after_micros bigint not null,
  entry_id uuid,
  hold_id uuid,
  source text,
  note text,
  late boolean not null,
  at timestamptz(3) not null,
  primary key (tenant_id, seq)
);

-- Spent and held per cap subject and UTC window (`2026-11-21`, `2026-11`), with the cap that was in force.
create table read.spend_windows (
  subject uuid not null,
  period text not null check (period in ('daily', 'monthly')),
  cap_window text not null,
  tenant_id uuid not null,
  spent_micros bigint not null,
  held_micros bigint not null,
  cap_micros bigint,
  position bigint not null,
  primary key (subject, period, cap_window)
);
