/**
 * Sessions of the writer: without the right to change the journal, and never holding rows for long. The open transaction
 * of a stopped owner is ended by the server before its lease has run out.
 */
export const WRITER_SESSION = {
  role: 'vendo_ledger',
  lock_timeout: '2s',
  statement_timeout: '2s',
  idle_in_transaction_session_timeout: '2s',
  // The statements of a batch are planned once, not at each batch, and by index, whatever the tables' statistics say
  // on the day they were empty.
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  // Up to Postgres 17 a scan that is off costs ten billion in the plan: a server with LLVM would compile such a statement
  // anew at each execution, a quarter of a second for half a millisecond of work.
  jit: 'off',
};
