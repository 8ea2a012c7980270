-- As before, but that providers take turns: the jobs of one whose answers are slow keep no other's waiting.
create or replace function ledger.lease_jobs(p_limit int) returns setof json language sql as $$
  with due as (
    select hold_id, due_at, row_number() over (
        -- Of its text: nothing may keep a job from being leased, and JSON may hold what Postgres cannot read.
        partition by substring(job::text from '"provider":"([^"]*)"') order by due_at) as nth
      from ledger.jobs where ended_at is null and due_at <= clock_timestamp()
  ), chosen as materialized (
    select hold_id from ledger.jobs
      where hold_id in (select hold_id from due order by nth, due_at limit p_limit)
        and ended_at is null and due_at <= clock_timestamp()
      for update skip locked
  )
  update ledger.jobs j
    set due_at = clock_timestamp() + least(greatest((clock_timestamp() - j.started_at) / 4, interval '10 seconds'),
      interval '1 hour')
    from chosen where j.hold_id = chosen.hold_id
    returning j.job
$$;
