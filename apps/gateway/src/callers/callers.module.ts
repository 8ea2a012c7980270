import {
  type DynamicModule,
  Inject,
  Module,
  type ModuleMetadata,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { Clock, createPool, LOGGER, type Logger } from '@vendo/runtime';
import type pg from 'pg';
import { DataSource } from 'typeorm';
import { CachedCallers } from './cached.callers.js';
import { Callers } from './callers.js';
import { PostgresRegistrySource } from './postgres.registry-source.js';

const CALLERS_POOL = Symbol('callers pool');

/** Provides Callers, over a pool of its own: a busy operator API cannot take its connections. */
@Module({})
export class CallersModule implements OnModuleInit, OnApplicationShutdown {
  constructor(
    @Inject(Callers) private readonly callers: CachedCallers,
    @Inject(CALLERS_POOL) private readonly pool: pg.Pool,
  ) {}

  /** @param imports provide the registry's DataSource, whose tables then exist before the first poll. */
  static from(
    { databaseUrl }: { databaseUrl: string },
    imports: NonNullable<ModuleMetadata['imports']>,
  ): DynamicModule {
    return {
      module: CallersModule,
      imports,
      providers: [
        {
          provide: CALLERS_POOL,
          useFactory: () =>
            createPool(databaseUrl, { app: 'vendo-callers', max: 8, settings: { statement_timeout: '1s' } }),
          inject: [DataSource],
        },
        {
          provide: Callers,
          useFactory: (pool: pg.Pool, clock: Clock, logger: Logger) =>
            new CachedCallers(new PostgresRegistrySource(pool), clock, logger),
          inject: [CALLERS_POOL, Clock, LOGGER],
        },
      ],
      exports: [Callers],
    };
  }

  async onModuleInit(): Promise<void> {
    await this.callers.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.callers.stop();
    await this.pool.end();
  }
}
