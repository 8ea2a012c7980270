import base from './jest.config.mjs';

/** The suite of `npm run test:journeys`: the whole product as its processes run it, one journey after the other. */
export default {
  ...base,
  globalSetup: undefined,
  globalTeardown: undefined,
  testRegex: 'test/.*\\.e2e\\.spec\\.ts$',
  testPathIgnorePatterns: ['/node_modules/', '/dist/', '/test/chaos/'],
  maxWorkers: 1,
  testTimeout: 180_000,
};
