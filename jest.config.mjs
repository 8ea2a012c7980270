import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { packagesForSpecs } from './tools/bundle/packages-for-specs.mjs';

const swc = JSON.parse(readFileSync(new URL('.swcrc', import.meta.url), 'utf8'));
delete swc.module;
delete swc.jsc.paths;
delete swc.jsc.baseUrl;
swc.swcrc = false;

/** The suite of `npm test`: specs beside their source, and the structure tests in test/structure. */
export default {
  testEnvironment: 'node',
  globalSetup: '<rootDir>/libs/testing/jest-global-setup.mjs',
  globalTeardown: '<rootDir>/libs/testing/jest-global-teardown.mjs',
  testRegex: '\\.spec\\.ts$',
  testPathIgnorePatterns: [
    '/node_modules/',
    '/dist/',
    '\\.e2e\\.spec\\.ts$',
    '\\.kafka\\.spec\\.ts$',
    '/test/chaos/',
  ],
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
  extensionsToTreatAsEsm: ['.ts'],
  // A machine that builds, tests and runs brokers at once is slow at times; a spec on a quiet one takes far less.
  testTimeout: 20_000,
  // Jest would leave one core to itself: on two that is one worker. A third of the time specs wait, for leases and clocks,
  // and one file more than there are cores computes meanwhile.
  maxWorkers: Math.ceil(availableParallelism() * 1.5),
  transform: { '^.+\\.ts$': ['@swc/jest', swc] },
  // Split among files, packages do not see to it in time.
  setupFiles: ['reflect-metadata'],
  moduleNameMapper: {
    ...(await packagesForSpecs()),
    '^@vendo/([a-z-]+)$': '<rootDir>/libs/$1/src/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
};
