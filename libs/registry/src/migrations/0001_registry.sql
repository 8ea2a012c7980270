-- Rows are marked, never deleted. `changed_at` is what gateways poll: set by the database, whoever writes.
create function registry.touch() returns trigger language plpgsql as $$
begin
  new.changed_at := clock_timestamp();
  return new;
end $$;

create function registry.refuse() returns trigger language plpgsql as $$
begin
  raise exception '% on registry.% is not allowed', tg_op, tg_table_name using errcode = 'restrict_violation';
end $$;

create table registry.tenants (
  id uuid primary key,
  name text not null,
  is_test boolean not null default false,
  created_at timestamptz not null default clock_timestamp(),
  changed_at timestamptz not null default clock_timestamp()
);

create table registry.apps (
  id uuid primary key,
  tenant_id uuid not null references registry.tenants (id),
  display_name text not null,
  created_at timestamptz not null default clock_timestamp(),
  changed_at timestamptz not null default clock_timestamp(),
  unique (tenant_id, id)
);

create table registry.connections (
  id uuid primary key,
  tenant_id uuid not null references registry.tenants (id),
  provider text not null,
  profile text not null,
  status text not null default 'active' check (status in ('active', 'needs_reauth', 'error', 'revoked')),
  display_name text,
  sealed_credential bytea,
  created_at timestamptz not null default clock_timestamp(),
  changed_at timestamptz not null default clock_timestamp(),
  unique (tenant_id, id),
  unique (tenant_id, id, provider)
);

create table registry.keys (
  id uuid primary key,
  tenant_id uuid not null references registry.tenants (id),
  scope text not null check (scope in ('app', 'connection')),
  app_id uuid,
  connection_id uuid,
  key_hash bytea not null unique check (length(key_hash) = 32),
  prefix text not null check (length(prefix) <= 13),
  display_name text,
  expires_at timestamptz,
  revoked_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  changed_at timestamptz not null default clock_timestamp(),
  check ((scope = 'app') = (app_id is not null)),
  check ((scope = 'connection') = (connection_id is not null)),
  -- A key, its app and its connection are of one tenant: the database itself refuses anything else.
  foreign key (tenant_id, app_id) references registry.apps (tenant_id, id),
  foreign key (tenant_id, connection_id) references registry.connections (tenant_id, id)
);

create table registry.bindings (
  id uuid primary key,
  tenant_id uuid not null references registry.tenants (id),
  app_id uuid not null,
  provider_slug text not null,
  connection_id uuid not null,
  -- The oldest binding of an app and provider decides.
  created_order bigint generated always as identity,
  deleted_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  changed_at timestamptz not null default clock_timestamp(),
  foreign key (tenant_id, app_id) references registry.apps (tenant_id, id),
  foreign key (tenant_id, connection_id, provider_slug) references registry.connections (tenant_id, id, provider)
);
create unique index bindings_live on registry.bindings (app_id, provider_slug, connection_id) where deleted_at is null;

create index keys_changed on registry.keys (changed_at);
create index connections_changed on registry.connections (changed_at);
create index bindings_changed on registry.bindings (changed_at);
create index keys_app on registry.keys (app_id);
create index connections_tenant on registry.connections (tenant_id, provider);

-- One counter over rates and margins. Writers lock its row to their commit, so versions commit in order.
create table registry.rate_version (
  single boolean primary key default true check (single),
  version integer not null default 0
);
insert into registry.rate_version default values;

create table registry.rates (
  id uuid primary key,
  provider text not null,
  model text not null,
  meter text not null,
  tier text not null default 'standard',
  context_from integer not null default 0 check (context_from >= 0),
  unit_cost_usd numeric not null check (unit_cost_usd >= 0),
  per numeric not null check (per > 0),
  free boolean not null default false,
  effective_from timestamptz not null,
  version integer not null,
  -- Where the price is from; catalogue_key is the identity of a row of the catalogue file.
  source text,
  catalogue_key text unique,
  created_at timestamptz not null default clock_timestamp(),
  check ((unit_cost_usd = 0) = free)
);
create index rates_version on registry.rates (version);

create table registry.margins (
  id uuid primary key,
  tenant_id uuid references registry.tenants (id),
  integration text,
  meter text,
  margin_pct numeric not null check (margin_pct >= 0),
  effective_from timestamptz not null,
  version integer not null,
  created_at timestamptz not null default clock_timestamp(),
  check (integration is null or meter is null)
);
create index margins_version on registry.margins (version);

-- The default margin, in force from the beginning.
insert into registry.margins (id, margin_pct, effective_from, version)
  values ('00000000-0000-7000-8000-000000000000', 20, '1970-01-01T00:00:00Z', 0);

create table registry.audit (
  id uuid primary key,
  at timestamptz not null default clock_timestamp(),
  who text not null,
  action text not null,
  subject text not null,
  before jsonb,
  after jsonb
);
create index audit_subject on registry.audit (subject, action);

create table registry.rate_misses (
  hour timestamptz not null,
  tenant_id uuid not null,
  provider text not null,
  model text not null,
  -- Empty when the whole model has no price.
  meter text not null default '',
  count bigint not null,
  primary key (hour, tenant_id, provider, model, meter)
);

do $$
declare name text;
begin
  foreach name in array array['tenants', 'apps', 'connections', 'keys', 'bindings'] loop
    execute format('create trigger touch before insert or update on registry.%I for each row execute function registry.touch()', name);
    execute format('create trigger keep before delete or truncate on registry.%I for each statement execute function registry.refuse()', name);
  end loop;
  foreach name in array array['rates', 'margins', 'audit'] loop
    execute format('create trigger keep before update or delete or truncate on registry.%I for each statement execute function registry.refuse()', name);
  end loop;
end $$;
