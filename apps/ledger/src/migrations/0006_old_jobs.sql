-- Jobs are forgotten, and those whose hold has expired are listed.

create index jobs_ended on ledger.jobs (ended_at) where ended_at is not null;
-- What operators look at: no report has come.
create index jobs_unreported on ledger.jobs (started_at) where ended_at is null or abandoned_at is not null;

-- Forgets the jobs that ended 30 days ago, given up ones too; so many at a time. The journal keeps what they cost.
create function ledger.forget_jobs(p_limit int) returns void language sql as $$
  delete from ledger.jobs where hold_id in (
    select hold_id from ledger.jobs
      where ended_at < clock_timestamp() - interval '30 days'
      order by ended_at limit p_limit for update skip locked)
$$;

grant delete on ledger.jobs to vendo_ledger;
