import config from './jest.config.mjs';

/** The suite of `npm run test:kafka`: specs that need a real broker, one file at a time because they share it. */
export default {
  ...config,
  testRegex: '\\.kafka\\.spec\\.ts$',
  testPathIgnorePatterns: ['/node_modules/', '/dist/'],
  maxWorkers: 1,
  testTimeout: 60_000,
};
