-- The comparison of two generations goes by day and minute within a tenant.
create index wallet_entries_of_tenant_by_time on read.wallet_entries (tenant_id, at);
