-- The `sub` of the identity provider whose first sight made the tenant; null for those that an operator made.
alter table registry.tenants add column external_subject text unique check (length(external_subject) between 1 and 255);
