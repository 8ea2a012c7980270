import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from '@jest/globals';
import { CONNECT_TIMEOUT_MS, PROXY_LIMITS } from './limits.js';

const DOCUMENT = path.join(import.meta.dirname, '../../../../docs/metering.md');
/** The rows of the exits table, and what stands around them. */
const TEXT = readFileSync(DOCUMENT, 'utf8');
const { bounds, drains, stopGraceMs } = PROXY_LIMITS;
const minutes = (ms: number): string => `${ms / 60_000} minutes`;
const seconds = (ms: number): string => `${ms / 1_000} s`;
const mebibytes = (bytes: number): string => `${bytes / 1_048_576} MiB`;

it.each([
  ['an answer without a client', `over ${minutes(bounds.drainMs)} or ${mebibytes(bounds.drainBytes)}`],
  ['headers without a client', `they do not come in ${minutes(bounds.drainMs)} |`],
  [
    'answers without clients',
    `over ${drains.perTenant} such answers of the tenant or ${drains.total} in all`,
  ],
  ['a client that takes nothing', `takes no byte for ${seconds(bounds.stalledMs)} while bytes wait`],
  ['when that is seen', `seen after ${bounds.stalledMs / 1_000} to ${seconds(2 * bounds.stalledMs)}`],
  ['a stop', `the gateway stops: open calls get ${seconds(stopGraceMs)}, then`],
  ['a stop before the headers', `no headers came in those ${seconds(stopGraceMs)}`],
  ['a connection', `no connection in ${seconds(CONNECT_TIMEOUT_MS)}, TLS included`],
])('the limit of %s is the documented one', (_, words) => expect(TEXT).toContain(words));
