-- Which topics exist, on which kind of log, and the id in the genesis record of each partition.
-- On Kafka a row is not ready until its genesis record is known to be written.
create table log.topics (
  topic text not null,
  partition int not null,
  log_id text not null,
  kind text not null check (kind in ('postgres', 'kafka')),
  ready boolean not null,
  primary key (topic, partition)
);

-- The next offset of each partition. Its row lock is held to commit, so offsets are gap-free and in commit order.
-- The low fillfactor keeps the updates on their page (HOT).
create table log.heads (
  topic text not null,
  partition int not null,
  next_offset bigint not null,
  primary key (topic, partition)
) with (fillfactor = 10);

create table log.records (
  topic text not null,
  partition int not null,
  "offset" bigint not null,
  key text not null,
  headers jsonb not null,
  value bytea not null,
  primary key (topic, partition, "offset")
);
