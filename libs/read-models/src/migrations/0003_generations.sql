-- Several projectors share the work, and a projection can be folded again from offset 0 beside the live one.

-- The generations of each projection: the pointer that says which one schema `read` shows. The tables of the live one
-- stand in `read`, those of every other in `read_<projection>_<generation>`; a swap moves them, in one transaction.
create table read.generations (
  projection text not null,
  generation int not null,
  -- `blocked`: differs from the live one; `accepted`: an operator wants it all the same; `old`: folded no more.
  state text not null check (state in ('building', 'blocked', 'accepted', 'live', 'old')),
  created_at timestamptz(3) not null default clock_timestamp(),
  -- What the comparison with the live one found.
  report json,
  primary key (projection, generation)
);
create unique index one_live_generation on read.generations (projection) where state = 'live';
create unique index one_old_generation on read.generations (projection) where state = 'old';
create unique index one_rebuild on read.generations (projection) where state in ('building', 'blocked', 'accepted');
insert into read.generations (projection, generation, state) values ('usage', 1, 'live'), ('wallet', 1, 'live');

alter table read.checkpoints add column generation int not null default 1;
alter table read.checkpoints drop constraint checkpoints_pkey;
alter table read.checkpoints add primary key (projection, generation, topic, partition);

alter table read.parked add column generation int not null default 1;
-- An operator asks for the record to be folded again.
alter table read.parked add column replay_requested_at timestamptz(3);
alter table read.parked drop constraint parked_projection_topic_partition_record_offset_key;
alter table read.parked add unique (projection, generation, topic, partition, record_offset);
drop index read.parked_by_tenant;
create index parked_by_tenant on read.parked (projection, generation, tenant_id, record_offset);
create index parked_to_replay on read.parked (id) where replay_requested_at is not null;

-- The comparison of two generations goes tenant by tenant.
create index spend_windows_of_tenant on read.spend_windows (tenant_id);

-- Projectors that run, each alive until a time of the database's clock that it moves on with every beat.
create table read.projectors (
  id text primary key,
  alive_until timestamptz not null
);

-- Which projector does what; void when its owner is no longer alive.
create table read.leases (
  place text primary key,
  owner text not null
);
