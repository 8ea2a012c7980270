import base from './jest.config.mjs';

const log = process.env.VENDO_TEST_LOG || 'postgres';

/** Journeys that say the same on either log, or have the logs that they need themselves: they run once. */
const ONLY_ON = {
  // What providers, SDKs and callers see, and what APIs and admission let in: the log has no part in it. A spool is
  // adopted at the ledger, and a client is slow at the gateway.
  postgres: [
    'npm-start',
    'sdks',
    'fuzz',
    'isolation',
    'race',
    'burst',
    'status-table',
    'shared-spool',
    'slow-clients',
    'tools',
    // On Postgres, and on a Kafka of its own.
    'kill',
    'kill-on-kafka',
  ],
  kafka: ['kafka', 'kafka-outage'],
};
/** Hold on either log. CI has the time to tell them on one. */
const IN_CI_ON = {
  postgres: ['rolling-restart', 'killed-at', 'rebuild', 'jobs', 'outage'],
  kafka: ['kill'],
};
/** CI has no time for them, and what they tell is told once more by hand (CONTRIBUTING.md). */
const NOT_IN_CI = ['shared-spool', 'slow-clients'];
/**
 * Journeys without a limit of time that a busy machine could break: two of them may run beside each other, where each
 * product has a log of its own. They begin in this order, the longest first, so that none is left to run alone.
 */
export const SIDE_BY_SIDE = [
  'kill-on-kafka',
  'sdks',
  'npm-start',
  'fuzz',
  'rolling-restart',
  'rebuild',
  'killed-at',
  'race',
  'status-table',
  'isolation',
  'burst',
  'first-call',
  'jobs',
  'tools',
];
/** `two` runs those of SIDE_BY_SIDE, `one` the others; unset, one after the other runs them all. */
const atOnce = process.env.VENDO_JOURNEYS_AT_ONCE || '';
if (!['', 'one', 'two'].includes(atOnce))
  throw new Error(`VENDO_JOURNEYS_AT_ONCE: ${atOnce} is not one or two`);
if (atOnce === 'two' && log === 'kafka')
  throw new Error('two products at once would share the topics of one Kafka');

const elsewhere = (places) => Object.entries(places).flatMap(([only, names]) => (only === log ? [] : names));
const left = [
  ...elsewhere(ONLY_ON),
  ...(process.env.CI ? [...elsewhere(IN_CI_ON), ...NOT_IN_CI] : []),
  ...(atOnce === 'one' ? SIDE_BY_SIDE : []),
];
if (atOnce === 'two') process.stderr.write(`log: ${log}; run: ${SIDE_BY_SIDE.join(', ')}\n`);
else if (left.length > 0) process.stderr.write(`log: ${log}; not run: ${[...new Set(left)].join(', ')}\n`);

const fileOf = (name) => `/${name}\\.e2e\\.spec\\.ts$`;

/**
 * The suite of `npm run test:journeys`: the whole product as its processes run it, one journey after the other, on the
 * log that VENDO_TEST_LOG names (postgres, or kafka with KAFKA_BROKERS).
 */
export default {
  ...base,
  globalSetup: '<rootDir>/test/harness/jest-global-setup.mjs',
  globalTeardown: '<rootDir>/test/harness/jest-global-teardown.mjs',
  testRegex: atOnce === 'two' ? SIDE_BY_SIDE.map(fileOf) : 'test/.*\\.e2e\\.spec\\.ts$',
  testPathIgnorePatterns: ['/node_modules/', '/dist/', '/test/chaos/', ...left.map(fileOf)],
  reporters: ['default', '<rootDir>/test/harness/times-reporter.mjs'],
  ...(atOnce === 'two'
    ? { testSequencer: '<rootDir>/test/harness/longest-first.mjs', maxWorkers: 2 }
    : { maxWorkers: 1 }),
  testTimeout: 180_000,
};
