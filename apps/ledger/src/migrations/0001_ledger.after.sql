do $$
begin
  assert (select count(*) from ledger.shards) = 16;
  assert (select count(*) from ledger.journal where kind = 'genesis') = 16;
  assert not has_table_privilege('public', 'ledger.journal', 'update');
end $$;
