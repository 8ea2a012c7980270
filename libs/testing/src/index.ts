export {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  freePort,
  startEmbeddedPostgres,
} from './embedded-postgres.js';
export { createTestDatabase, type TestDatabase } from './test-database.js';
