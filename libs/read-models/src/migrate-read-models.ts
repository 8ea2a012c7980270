import path from 'node:path';
import { migrate } from '@vendo/runtime';
import type pg from 'pg';

/** Brings schema `read` up to date. The projector alone calls it; see `migrate` for what it throws. */
export function migrateReadModels(pool: pg.Pool): Promise<void> {
  return migrate(pool, 'read', path.join(import.meta.dirname, 'migrations'));
}
