import base from './jest.config.mjs';

const log = process.env.VENDO_TEST_LOG || 'postgres';

/** Journeys that say the same on either log, or are about one of them: they run once. */
const ONLY_ON = {
  // What providers, SDKs and callers see, and what APIs and admission let in: the log has no part in it. Ledger and
  // Postgres that stay away for long say the same on either, and a spool is adopted at the ledger.
  postgres: [
    'npm-start',
    'sdk-openai',
    'sdk-anthropic',
    'sdk-recorded',
    'tools',
    'fuzz',
    'isolation',
    'race',
    'burst',
    'outage',
    'status-table',
    'shared-spool',
    'slow-clients',
  ],
  kafka: ['kafka', 'kafka-outage'],
};
/** Hold on either log. CI has the time to tell them on one. */
const IN_CI_ON = {
  postgres: ['killed-at', 'rebuild', 'takeover', 'projectors', 'rolling-restart'],
  kafka: ['kill'],
};
/** Takes over a minute, most of it the 60 s of silence that kill runs wait for as well: told by hand. */
const NOT_IN_CI = ['shared-spool'];
const elsewhere = (places) => Object.entries(places).flatMap(([only, names]) => (only === log ? [] : names));
const once = [...elsewhere(ONLY_ON), ...(process.env.CI ? [...elsewhere(IN_CI_ON), ...NOT_IN_CI] : [])];
if (once.length > 0) process.stderr.write(`log: ${log}; not run: ${once.join(', ')}\n`);

/**
 * The suite of `npm run test:journeys`: the whole product as its processes run it, one journey after the other, on the
 * log that VENDO_TEST_LOG names (postgres, or kafka with KAFKA_BROKERS).
 */
export default {
  ...base,
  globalSetup: undefined,
  globalTeardown: undefined,
  testRegex: 'test/.*\\.e2e\\.spec\\.ts$',
  testPathIgnorePatterns: [
    '/node_modules/',
    '/dist/',
    '/test/chaos/',
    ...once.map((name) => `/${name}\\.e2e\\.spec\\.ts$`),
  ],
  reporters: ['default', '<rootDir>/test/harness/times-reporter.mjs'],
  maxWorkers: 1,
  testTimeout: 180_000,
};
