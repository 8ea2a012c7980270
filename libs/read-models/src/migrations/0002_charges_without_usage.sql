-- Charges whose usage event was not there yet when they were folded. A work list beside the read models, not one of them:
-- it is the one place where both topics meet, and a row goes when its usage event has come.
create table read.charges_without_usage (
  hold_id uuid primary key,
  tenant_id uuid not null,
  charged_at timestamptz(3) not null,
  noticed_at timestamptz(3) not null default clock_timestamp()
);
