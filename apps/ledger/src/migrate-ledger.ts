import path from 'node:path';
import { migrate } from '@vendo/runtime';
import type pg from 'pg';

/** Brings the schema `ledger` and the view `log.ledger_events` up to date; the schema `log` comes first (migrateLog). */
export function migrateLedger(pool: pg.Pool): Promise<void> {
  return migrate(pool, 'ledger', path.join(import.meta.dirname, 'migrations'));
}
