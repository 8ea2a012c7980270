export { freePort } from '../free-port.js';
export {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  startEmbeddedPostgres,
} from './embedded-postgres.js';
export { type KafkaForTests, kafkaForTests } from './kafka-broker.js';
export { createTestDatabase, type TestDatabase } from './test-database.js';
export { DISK, makeSuiteFolder, testFolder } from './test-folder.js';
