import {
  type DynamicModule,
  Inject,
  Module,
  type ModuleMetadata,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { LedgerClient } from '@vendo/ledger-api';
import { Clock, LOGGER, type Logger, Metrics } from '@vendo/runtime';
import { Callers } from '../callers/callers.js';
import { CredentialVault } from '../credentials/credential-vault.js';
import { JobEnds } from '../proxy/job-ends.js';
import { UndiciUpstreams } from '../proxy/undici.upstreams.js';
import { JobPoller, type JobPollerConfig } from './job-poller.js';

/** A question that says nothing for so long is given up, milliseconds. */
const SILENCE_MS = 8_000;

export interface JobsModuleConfig extends JobPollerConfig {
  /** The modules that provide Callers, CredentialVault, LedgerClient and JobEnds. */
  imports: NonNullable<ModuleMetadata['imports']>;
}

/** Asks for the reports of jobs while the gateway runs, with connections of its own; ends before what its reports need. */
@Module({})
export class JobsModule implements OnApplicationBootstrap, OnModuleDestroy {
  constructor(@Inject(JobPoller) private readonly poller: JobPoller) {}

  static from({ everyMs, imports }: JobsModuleConfig): DynamicModule {
    return {
      module: JobsModule,
      imports,
      providers: [
        {
          provide: JobPoller,
          inject: [LedgerClient, Callers, CredentialVault, JobEnds, Clock, LOGGER, Metrics],
          useFactory: (
            ledger: LedgerClient,
            callers: Callers,
            vault: CredentialVault,
            ends: JobEnds,
            clock: Clock,
            logger: Logger,
            metrics: Metrics,
          ) => {
            const upstreams = new UndiciUpstreams(SILENCE_MS);
            return new JobPoller(
              { everyMs },
              { ledger, callers, vault, upstreams, ends, clock, logger, metrics },
            );
          },
        },
      ],
    };
  }

  onApplicationBootstrap(): void {
    this.poller.start();
  }

  async onModuleDestroy(): Promise<void> {
    await this.poller.stop();
  }
}
