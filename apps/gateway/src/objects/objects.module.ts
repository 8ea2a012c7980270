import {
  type DynamicModule,
  Inject,
  Module,
  type ModuleMetadata,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { createPool, LOGGER, type Logger, Metrics } from '@vendo/runtime';
import type pg from 'pg';
import { DataSource } from 'typeorm';
import { PostgresObjectTable } from './postgres.object-table.js';
import { StoredObjects } from './stored-objects.js';

const OBJECTS_POOL = Symbol('objects pool');

/** Provides StoredObjects, over a pool of its own: answers wait for it, and nothing else may take its connections. */
@Module({})
export class ObjectsModule implements OnApplicationShutdown {
  constructor(
    @Inject(OBJECTS_POOL) private readonly pool: pg.Pool,
    @Inject(StoredObjects) private readonly objects: StoredObjects,
  ) {}

  /** @param imports provide the registry's DataSource, whose tables then exist. */
  static from(
    { databaseUrl }: { databaseUrl: string },
    imports: NonNullable<ModuleMetadata['imports']>,
  ): DynamicModule {
    return {
      module: ObjectsModule,
      imports,
      providers: [
        {
          provide: OBJECTS_POOL,
          useFactory: () =>
            createPool(databaseUrl, { app: 'vendo-objects', max: 4, settings: { statement_timeout: '1s' } }),
          inject: [DataSource],
        },
        {
          provide: StoredObjects,
          useFactory: (pool: pg.Pool, logger: Logger, metrics: Metrics) =>
            new StoredObjects(new PostgresObjectTable(pool), logger, metrics),
          inject: [OBJECTS_POOL, LOGGER, Metrics],
        },
      ],
      exports: [StoredObjects],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.objects.stop();
    await this.pool.end();
  }
}
