import {
  type DynamicModule,
  Inject,
  Injectable,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { EventLog, EventLogModule, eventLogConfig } from '@vendo/event-log';
import { SHARD_COUNT } from '@vendo/events';
import { migrateReadModels } from '@vendo/read-models';
import { Clock, createPool, Health, LOGGER, type Logger, Metrics, RuntimeModule } from '@vendo/runtime';
import type pg from 'pg';
import { ChargeWatch } from './charge-watch.js';
import type { ProjectorConfig } from './config.js';
import { PROJECTIONS } from './projections/projections.js';
import { Runner } from './runner.js';

const POOL = Symbol('projector pool');

/** Runs the projections from boot to shutdown, and ends them between two transactions. */
@Injectable()
class Projecting implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly stopping = new AbortController();
  private running: Promise<unknown> = Promise.resolve();

  constructor(
    @Inject(Runner) private readonly runner: Runner,
    @Inject(ChargeWatch) private readonly charges: ChargeWatch,
    @Inject(POOL) private readonly pool: pg.Pool,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    await migrateReadModels(this.pool);
    await this.runner.ready(this.stopping.signal);
    const { signal } = this.stopping;
    this.running = Promise.all([this.runner.run(signal), this.charges.run(signal)]);
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    await this.running;
    await this.pool.end();
  }
}

@Module({})
export class ProjectorModule {
  static from(config: ProjectorConfig): DynamicModule {
    return {
      module: ProjectorModule,
      imports: [
        RuntimeModule.forApp('projector', config.VENDO_LOG_LEVEL),
        EventLogModule.from(eventLogConfig(config)),
      ],
      providers: [
        {
          provide: POOL,
          useFactory: () =>
            createPool(config.DATABASE_URL, {
              app: 'vendo-projector',
              max: 8,
              settings: {
                lock_timeout: '2s',
                statement_timeout: '5s',
                idle_in_transaction_session_timeout: '5s',
              },
            }),
        },
        {
          provide: Runner,
          useFactory: (
            log: EventLog,
            pool: pg.Pool,
            clock: Clock,
            logger: Logger,
            metrics: Metrics,
            health: Health,
          ) => new Runner({ log, pool, clock, logger, metrics, health }, PROJECTIONS, SHARD_COUNT),
          inject: [EventLog, POOL, Clock, LOGGER, Metrics, Health],
        },
        {
          provide: ChargeWatch,
          useFactory: (pool: pg.Pool, clock: Clock, logger: Logger, metrics: Metrics) =>
            new ChargeWatch({ pool, clock, logger, metrics }),
          inject: [POOL, Clock, LOGGER, Metrics],
        },
        Projecting,
      ],
    };
  }
}
