import config from './jest.config.mjs';

/** The suite of `npm run test:kafka`: specs that need a real broker. One file has the given one, the other one of its own. */
export default {
  ...config,
  testRegex: '\\.kafka\\.spec\\.ts$',
  testPathIgnorePatterns: ['/node_modules/', '/dist/'],
  maxWorkers: 2,
  testTimeout: 60_000,
};
