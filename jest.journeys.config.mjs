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
/** Hold on either log. CI, which asks for timed and untimed ones, has the time to tell them on Postgres only. */
const ONCE_IN_CI = ['killed-at', 'rebuild', 'takeover', 'projectors'];
/** Journeys that measure times have the machine to themselves. `VENDO_JOURNEYS`: timed, untimed, or all. */
const TIMED = ['lag', 'takeover', 'projectors', 'slow-clients'];
const which = process.env.VENDO_JOURNEYS || 'all';
const once = [
  ...Object.entries(ONLY_ON).flatMap(([only, names]) => (only === log ? [] : names)),
  ...(which === 'all' || log === 'postgres' ? [] : ONCE_IN_CI),
];
if (once.length > 0) process.stderr.write(`log: ${log}; run on the other log only: ${once.join(', ')}\n`);

function fileOf(name) {
  return `/${name}\\.e2e\\.spec\\.ts$`;
}

/**
 * The suite of `npm run test:journeys`: the whole product as its processes run it, one journey after the other, on the
 * log that VENDO_TEST_LOG names (postgres, or kafka with KAFKA_BROKERS).
 */
export default {
  ...base,
  globalSetup: undefined,
  globalTeardown: undefined,
  testRegex: which === 'timed' ? TIMED.map(fileOf) : 'test/.*\\.e2e\\.spec\\.ts$',
  testPathIgnorePatterns: [
    '/node_modules/',
    '/dist/',
    '/test/chaos/',
    ...once.map(fileOf),
    ...(which === 'untimed' ? TIMED.map(fileOf) : []),
  ],
  reporters: ['default', '<rootDir>/test/harness/times-reporter.mjs'],
  maxWorkers: 1,
  testTimeout: 180_000,
};
