import base from './jest.config.mjs';

const log = process.env.VENDO_TEST_LOG || 'postgres';

/** Journeys that are about one log, or have the logs that they need themselves: they run once. */
const ONLY_ON = {
  postgres: [
    // The embedded default, which is on Postgres.
    'npm-start',
    // Nothing can be shipped without Postgres, and so much is left to adopt; on Kafka all has been shipped.
    'shared-spool',
    // Of clients at the gateway, which the log does not see.
    'slow-clients',
    // On Postgres, and on a Kafka of its own.
    'kill',
    'kill-on-kafka',
  ],
  kafka: ['kafka', 'kafka-outage'],
};
/** CI has no time for it; its long form is told by hand (CONTRIBUTING.md). */
const NOT_IN_CI = ['slow-clients'];
/**
 * Journeys that a busy machine does not break: some of them run beside each other, where each product has a log of its
 * own. They begin in this order, the longest first, so that none is left to run alone.
 */
export const AT_ONCE = [
  'kill-on-kafka',
  'kafka-outage',
  'kill',
  'sdks',
  'kafka',
  'npm-start',
  'fuzz',
  'rolling-restart',
  'rebuild',
  'outage',
  'shared-spool',
  'jobs',
  'killed-at',
  'race',
  'status-table',
  'isolation',
  'burst',
  'first-call',
  'tools',
];
/** How many: on Kafka each has a broker, KAFKA_BROKERS and KAFKA_BROKERS_2, and a third would start too slowly. */
const WORKERS = { postgres: 3, kafka: 2 };

/** `at_once` runs those of AT_ONCE, `in_turn` the others one after the other; unset, all run in turn. */
const which = process.env.VENDO_JOURNEYS || '';
if (!['', 'in_turn', 'at_once'].includes(which))
  throw new Error(`VENDO_JOURNEYS: ${which} is not at_once or in_turn`);
const atOnce = which === 'at_once';
if (atOnce && log === 'kafka' && !process.env.KAFKA_BROKERS_2)
  throw new Error('two products at once need a Kafka each: KAFKA_BROKERS_2 is unset');

const elsewhere = (places) => Object.entries(places).flatMap(([only, names]) => (only === log ? [] : names));
const left = [
  ...elsewhere(ONLY_ON),
  ...(process.env.CI ? NOT_IN_CI : []),
  ...(which === 'in_turn' ? AT_ONCE : []),
];
const run = AT_ONCE.filter((name) => !left.includes(name));
if (atOnce) process.stderr.write(`log: ${log}; run: ${run.join(', ')}\n`);
else if (left.length > 0) process.stderr.write(`log: ${log}; not run: ${[...new Set(left)].join(', ')}\n`);

const fileOf = (name) => `/${name}\\.e2e\\.spec\\.ts$`;

/**
 * The suite of `npm run test:journeys`: the whole product as its processes run it, on the log that VENDO_TEST_LOG names
 * (postgres, or kafka with KAFKA_BROKERS).
 */
export default {
  ...base,
  globalSetup: '<rootDir>/test/harness/jest-global-setup.mjs',
  globalTeardown: '<rootDir>/test/harness/jest-global-teardown.mjs',
  testRegex: atOnce ? run.map(fileOf) : 'test/.*\\.e2e\\.spec\\.ts$',
  testPathIgnorePatterns: ['/node_modules/', '/dist/', '/test/chaos/', ...left.map(fileOf)],
  reporters: ['default', '<rootDir>/test/harness/times-reporter.mjs'],
  ...(atOnce
    ? { testSequencer: '<rootDir>/test/harness/longest-first.mjs', maxWorkers: WORKERS[log] }
    : { maxWorkers: 1 }),
  testTimeout: 180_000,
};
