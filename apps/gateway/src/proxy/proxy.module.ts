import {
  type DynamicModule,
  Inject,
  Module,
  type ModuleMetadata,
  type OnModuleDestroy,
} from '@nestjs/common';
import { LedgerClient } from '@vendo/ledger-api';
import { Clock, Health, LOGGER, type Logger, Metrics } from '@vendo/runtime';
import { Callers } from '../callers/callers.js';
import { CredentialVault } from '../credentials/credential-vault.js';
import { StoredObjects } from '../objects/stored-objects.js';
import { Spool } from '../spool/spool.js';
import { JobEnds } from './job-ends.js';
import { type ProxyConfig, ProxyService } from './proxy.service.js';
import { ProxyMetrics } from './proxy-metrics.js';
import { UndiciUpstreams } from './undici.upstreams.js';
import { Upstreams } from './upstreams.js';

export interface ProxyModuleConfig extends ProxyConfig {
  /** Until the headers of a provider's answer, and between two of its chunks, milliseconds. */
  upstreamTimeoutMs: number;
  /** The modules that provide Callers, CredentialVault, StoredObjects, LedgerClient and Spool, unless they are global. */
  imports: NonNullable<ModuleMetadata['imports']>;
}

/** Provides ProxyService and JobEnds. Ends open calls in the first phase of a shutdown, before anything that they need. */
@Module({})
export class ProxyModule implements OnModuleDestroy {
  constructor(
    @Inject(ProxyService) private readonly proxy: ProxyService,
    @Inject(Health) private readonly health: Health,
  ) {}

  static from(config: ProxyModuleConfig): DynamicModule {
    return {
      module: ProxyModule,
      imports: config.imports,
      providers: [
        { provide: Upstreams, useFactory: () => new UndiciUpstreams(config.upstreamTimeoutMs) },
        {
          provide: ProxyMetrics,
          useFactory: (metrics: Metrics) => new ProxyMetrics(metrics),
          inject: [Metrics],
        },
        {
          provide: JobEnds,
          inject: [Callers, StoredObjects, Spool, Clock, LOGGER, ProxyMetrics],
          useFactory: (
            callers: Callers,
            objects: StoredObjects,
            spool: Spool,
            clock: Clock,
            logger: Logger,
            metrics: ProxyMetrics,
          ) => new JobEnds({ callers, objects, spool, clock, logger, metrics }),
        },
        {
          provide: ProxyService,
          inject: [
            Callers,
            CredentialVault,
            StoredObjects,
            JobEnds,
            LedgerClient,
            Spool,
            Upstreams,
            Clock,
            LOGGER,
            ProxyMetrics,
          ],
          useFactory: (
            callers: Callers,
            vault: CredentialVault,
            objects: StoredObjects,
            jobEnds: JobEnds,
            ledger: LedgerClient,
            spool: Spool,
            upstreams: Upstreams,
            clock: Clock,
            logger: Logger,
            metrics: ProxyMetrics,
          ) =>
            new ProxyService(config, {
              callers,
              vault,
              objects,
              jobEnds,
              ledger,
              spool,
              upstreams,
              clock,
              logger,
              metrics,
            }),
        },
      ],
      exports: [ProxyService, JobEnds],
    };
  }

  async onModuleDestroy(): Promise<void> {
    // Load balancers shall leave at once, while open calls go on.
    this.health.down('gateway', 'stopping');
    await this.proxy.stop();
  }
}
