import journeys from './jest.journeys.config.mjs';

/** The suite of `npm run test:chaos`: the journeys through outages, with outages as long as people live through. */
export default {
  ...journeys,
  testRegex: 'test/chaos/.*\\.spec\\.ts$',
  testPathIgnorePatterns: ['/node_modules/', '/dist/'],
  maxWorkers: 1,
  testTimeout: 600_000,
};
