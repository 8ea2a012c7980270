import path from 'node:path';
// Jest loads its global setup outside of its own transformer, so this file reads what `npm run build` made.
import { migrateLedger } from '../../dist/apps/ledger/src/migrate-ledger.js';
import { migrateLog } from '../../dist/libs/event-log/src/index.js';
import { migrateReadModels } from '../../dist/libs/read-models/src/index.js';
import {
  migrateRegistry,
  openRegistry,
  readCatalogue,
  seedCatalogue,
} from '../../dist/libs/registry/src/index.js';
import { createPool } from '../../dist/libs/runtime/src/index.js';
import { makeSuiteFolder, startEmbeddedPostgres } from '../../dist/libs/testing/src/index.js';

/**
 * A database as the first start of a product leaves it, made once for all products of a run: each begins with a copy
 * (product-under-test.ts). The journey of `npm start` makes its own, as a newcomer does.
 */
export default async function setup() {
  const folder = await makeSuiteFolder('journeys');
  globalThis.journeysFolder = folder;
  const server = await startEmbeddedPostgres({ folder: path.join(folder, 'postgres') });
  try {
    await migrateAll(server.url);
  } finally {
    await server.stop();
  }
  process.env.VENDO_TEST_DATABASE = server.folder;
}

/** Each owner's schema in the order in which the apps bring them up to date, and the list prices. */
async function migrateAll(databaseUrl) {
  const pool = createPool(databaseUrl, { app: 'vendo-journeys', max: 1 });
  try {
    await migrateLog(pool);
    await migrateLedger(pool);
    await migrateReadModels(pool);
  } finally {
    await pool.end();
  }
  await migrateRegistry(databaseUrl);
  const registry = await openRegistry(databaseUrl);
  try {
    await seedCatalogue(registry, await readCatalogue());
  } finally {
    await registry.destroy();
  }
}
