import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type pg from 'pg';
import { atBoot } from './at-boot.js';

/**
 * Brings one schema up to date from numbered SQL files (`0001_name.sql`, forward only, each in one transaction),
 * under an advisory lock so that several instances may start at once. The schema is created when it is missing.
 * `0001_name.after.sql` beside a migration holds assertions that run in the same transaction.
 * Throws ConfigError when Postgres refuses or does not answer (`atBoot`); throws when a file fails, or when the database knows a migration that the folder does not (an older program).
 */
export async function migrate(pool: pg.Pool, schema: string, folder: string): Promise<void> {
  const files = (await readdir(folder)).filter((name) => /^\d{4}_.+\.sql$/.test(name)).sort();
  const steps = files.filter((name) => !name.endsWith('.after.sql'));
  const client = await atBoot(() => pool.connect());
  try {
    await client.query('select pg_advisory_lock(hashtext($1))', [`vendo-migrate-${schema}`]);
    await client.query(`create schema if not exists ${schema}`);
    await client.query(
      `create table if not exists ${schema}.migrations (name text primary key, applied_at timestamptz not null default now())`,
    );
    const { rows } = await client.query<{ name: string }>(`select name from ${schema}.migrations`);
    const applied = new Set(rows.map(({ name }) => name));
    const unknown = [...applied].filter((name) => !steps.includes(name));
    if (unknown.length > 0)
      throw new Error(`schema ${schema} was migrated by a newer program: ${unknown.join(', ')}`);
    for (const step of steps.filter((name) => !applied.has(name))) {
      const after = step.replace(/\.sql$/, '.after.sql');
      const sql = await readFile(path.join(folder, step), 'utf8');
      const assertions = files.includes(after) ? await readFile(path.join(folder, after), 'utf8') : '';
      await client.query('begin');
      await client.query(sql);
      if (assertions) await client.query(assertions);
      await client.query(`insert into ${schema}.migrations (name) values ($1)`, [step]);
      await client.query('commit');
    }
  } catch (thrown) {
    await client.query('rollback').catch(() => undefined);
    throw thrown;
  } finally {
    await client
      .query('select pg_advisory_unlock(hashtext($1))', [`vendo-migrate-${schema}`])
      .catch(() => undefined);
    client.release();
  }
}
