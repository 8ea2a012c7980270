import {
  type DynamicModule,
  Inject,
  Module,
  type ModuleMetadata,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { EventLog } from '@vendo/event-log';
import { LedgerClient } from '@vendo/ledger-api';
import { Clock, LOGGER, type Logger, Metrics } from '@vendo/runtime';
import { v7 as uuidv7 } from 'uuid';
import { openProcessTable } from './file.process-table.js';
import { FileSpool } from './file.spool.js';
import { FileSpoolDisk } from './file.spool-disk.js';
import { OwnSpool } from './own-spool.js';
import { Spool } from './spool.js';
import { SpoolMetrics } from './spool-metrics.js';
import type { SpoolParts } from './spool-parts.js';
import { SpoolShipping } from './spool-shipping.js';

export interface SpoolConfig {
  dataDir: string;
  /** Names this machine or container, stable over restarts. */
  host: string;
  /** Bytes of undeleted segments above which new metered calls are refused. */
  maxBytes?: number;
  /** `wait`: the end of a call waits until it is on the disk; `no`: it is there at most 20 ms later. */
  sync?: 'no' | 'wait';
  /** How long a stop waits for the log and the marks, milliseconds. */
  flushWithinMs?: number;
  /** The modules that provide EventLog and LedgerClient, unless they are global. */
  imports?: NonNullable<ModuleMetadata['imports']>;
}

const SPOOL_PARTS = Symbol('SpoolParts');

/** Provides Spool; ships it from init to shutdown, when the rooms that append have ended. */
@Module({})
export class SpoolModule implements OnModuleInit, OnApplicationShutdown {
  constructor(
    @Inject(SpoolShipping) private readonly shipping: SpoolShipping,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  static from(config: SpoolConfig): DynamicModule {
    const { dataDir, host, maxBytes = 1_073_741_824, sync = 'no', flushWithinMs = 2_500 } = config;
    return {
      module: SpoolModule,
      imports: config.imports ?? [],
      providers: [
        {
          provide: SPOOL_PARTS,
          inject: [Clock, LOGGER, Metrics],
          useFactory: (clock: Clock, logger: Logger, metrics: Metrics): SpoolParts => ({
            disk: new FileSpoolDisk(),
            processes: openProcessTable(),
            clock,
            logger,
            metrics: new SpoolMetrics(metrics),
          }),
        },
        {
          provide: Spool,
          inject: [SPOOL_PARTS],
          useFactory: (parts: SpoolParts) =>
            new OwnSpool(() => new FileSpool({ id: uuidv7(), dataDir, host, maxBytes, sync }, parts)),
        },
        {
          provide: SpoolShipping,
          inject: [Spool, EventLog, LedgerClient, SPOOL_PARTS],
          useFactory: (spool: OwnSpool, log: EventLog, ledger: LedgerClient, parts: SpoolParts) =>
            new SpoolShipping(spool, log, ledger, { dataDir, host, flushWithinMs }, parts),
        },
      ],
      exports: [Spool],
    };
  }

  async onModuleInit(): Promise<void> {
    await this.shipping.start((error) => {
      this.logger.fatal({ err: error }, 'the event log is not the configured one');
      process.exit(1);
    });
  }

  async onApplicationShutdown(): Promise<void> {
    await this.shipping.stop();
  }
}
