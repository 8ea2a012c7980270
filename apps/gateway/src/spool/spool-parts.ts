import type { Clock, Logger } from '@vendo/runtime';
import type { SpoolDisk } from './spool-disk.js';
import type { SpoolMetrics } from './spool-metrics.js';
import type { ProcessTable } from './writer-process.js';

/** What the spool gets from outside, handed in by the module file. */
export interface SpoolParts {
  disk: SpoolDisk;
  processes: ProcessTable;
  clock: Clock;
  logger: Logger;
  metrics: SpoolMetrics;
}
