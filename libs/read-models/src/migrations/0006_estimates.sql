-- The list of estimates reads the few events whose quantity no report gave, of all tenants and of one, by time; what its
-- totals sum stands in the index, so that they touch no event.
create index usage_events_estimates on read.usage_events (reserved_at desc, hold_id desc)
  include (tenant_id, provider, evidence, cost_micros) where evidence in ('counted', 'estimated');
create index usage_events_estimates_of_tenant on read.usage_events (tenant_id, reserved_at desc, hold_id desc)
  include (provider, evidence, cost_micros) where evidence in ('counted', 'estimated');
