import { randomUUID } from 'node:crypto';
import {
  type DynamicModule,
  Inject,
  Injectable,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { EventLog, EventLogModule, eventLogConfig } from '@vendo/event-log';
import { connectionName, migrateReadModels, REBUILD_SETTINGS } from '@vendo/read-models';
import { Clock, createPool, Health, LOGGER, type Logger, Metrics, RuntimeModule } from '@vendo/runtime';
import type pg from 'pg';
import type { ProjectorConfig } from './config.js';
import { PROJECTIONS } from './projections/projections.js';
import { Projector } from './projector.js';

const DATABASE = Symbol('projector database');

/** The connections of one projector, all under its name: others see by them that it lives. */
interface Database {
  id: string;
  url: string;
  pool: pg.Pool;
  rebuildPool: pg.Pool;
}

/** Runs the projector from boot to shutdown, and ends it between two transactions. */
@Injectable()
class Projecting implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly stopping = new AbortController();
  private running: Promise<unknown> = Promise.resolve();

  constructor(
    @Inject(Projector) private readonly projector: Projector,
    @Inject(DATABASE) private readonly database: Database,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    await this.migrate();
    const { signal } = this.stopping;
    await this.projector.ready(signal);
    this.running = this.projector.run(signal);
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    await this.running;
    await Promise.all([this.database.pool.end(), this.database.rebuildPool.end()]);
  }

  /** Without timeouts: the one waits for the other when two begin at once. */
  private async migrate(): Promise<void> {
    const pool = createPool(this.database.url, { app: 'vendo-projector migration', max: 1 });
    try {
      await migrateReadModels(pool);
    } finally {
      await pool.end();
    }
  }
}

function openDatabase(url: string): Database {
  const id = randomUUID();
  const app = connectionName(id);
  const settings = {
    lock_timeout: '2s',
    statement_timeout: '5s',
    // What a stopped projector has open ends before its leases do, so whoever takes over does not wait for it.
    idle_in_transaction_session_timeout: '2s',
  };
  return {
    id,
    url,
    pool: createPool(url, { app, max: 8, settings }),
    rebuildPool: createPool(url, { app, max: 4, settings: { ...settings, ...REBUILD_SETTINGS } }),
  };
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
        { provide: DATABASE, useFactory: () => openDatabase(config.DATABASE_URL) },
        {
          provide: Projector,
          useFactory: (
            log: EventLog,
            database: Database,
            clock: Clock,
            logger: Logger,
            metrics: Metrics,
            health: Health,
          ) => new Projector({ log, ...database, clock, logger, metrics, health }, PROJECTIONS),
          inject: [EventLog, DATABASE, Clock, LOGGER, Metrics, Health],
        },
        Projecting,
      ],
    };
  }
}
