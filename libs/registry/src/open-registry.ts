import path from 'node:path';
import { atBoot, createPool, migrate } from '@vendo/runtime';
import { DataSource } from 'typeorm';
import { App } from './entities/app.js';
import { Audit } from './entities/audit.js';
import { Binding } from './entities/binding.js';
import { Connection } from './entities/connection.js';
import { Key } from './entities/key.js';
import { Margin } from './entities/margin.js';
import { Rate } from './entities/rate.js';
import { RateMiss } from './entities/rate-miss.js';
import { Tenant } from './entities/tenant.js';

/** Brings schema `registry` up to date. Several instances may start at once. */
export async function migrateRegistry(databaseUrl: string): Promise<void> {
  const pool = createPool(databaseUrl, { app: 'vendo-registry-migration', max: 1 });
  try {
    await migrate(pool, 'registry', path.join(import.meta.dirname, 'migrations'));
  } finally {
    await pool.end();
  }
}

/** An open DataSource over the registry's tables, which must exist. The caller destroys it. Throws as `atBoot`. */
export function openRegistry(databaseUrl: string): Promise<DataSource> {
  return atBoot(() => dataSource(databaseUrl).initialize());
}

function dataSource(databaseUrl: string): DataSource {
  return new DataSource({
    type: 'postgres',
    url: databaseUrl,
    applicationName: 'vendo-registry',
    entities: [Tenant, App, Key, Connection, Binding, Rate, Margin, RateMiss, Audit],
    synchronize: false,
    poolSize: 5,
    connectTimeoutMS: 2_000,
    // Gateways look 30 s back for what changed, so no writer may stay open for longer than 10 s.
    extra: { options: '-c transaction_timeout=10s -c lock_timeout=5s' },
    poolErrorHandler: () => undefined,
  });
}
