export {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  freePort,
  startEmbeddedPostgres,
} from './embedded-postgres.js';
export { type KafkaForTests, kafkaForTests } from './kafka-broker.js';
export { createTestDatabase, type TestDatabase } from './test-database.js';
