import path from 'node:path';
import { migrate } from '@vendo/runtime';
import type pg from 'pg';

/** Brings the schema `log` up to date. The ledger calls it at start, before its own schema. */
export function migrateLog(pool: pg.Pool): Promise<void> {
  return migrate(pool, 'log', path.join(import.meta.dirname, 'migrations'));
}
