-- What providers keep for a tenant in an account that tenants may share: only who made an object may name it.
create table registry.stored_objects (
  provider text not null,
  connection_id uuid not null,
  object_id text not null check (length(object_id) between 1 and 256),
  tenant_id uuid not null,
  -- Of a job: the data of its JobStarted, by which its report is charged.
  job json,
  -- Of what was charged and may be given back: the data of the UsageCorrected that does so.
  refund json,
  -- When the job's report was charged, or the refund given; what comes later says nothing new.
  ended_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  primary key (provider, connection_id, object_id),
  foreign key (tenant_id, connection_id) references registry.connections (tenant_id, id)
);
