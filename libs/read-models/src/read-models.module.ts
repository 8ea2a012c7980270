import { type DynamicModule, Inject, Injectable, Module, type OnApplicationShutdown } from '@nestjs/common';
import { createPool } from '@vendo/runtime';
import type pg from 'pg';
import { ReadModels } from './read-models.js';

const READ_POOL = Symbol('read models pool');

@Injectable()
class ReadPool implements OnApplicationShutdown {
  constructor(@Inject(READ_POOL) private readonly pool: pg.Pool) {}

  async onApplicationShutdown(): Promise<void> {
    await this.pool.end();
  }
}

/** ReadModels over a small pool of its own, so that a slow report cannot take the connections of anything else. */
@Module({})
export class ReadModelsModule {
  static from({ databaseUrl }: { databaseUrl: string }): DynamicModule {
    return {
      module: ReadModelsModule,
      providers: [
        {
          provide: READ_POOL,
          useFactory: () =>
            createPool(databaseUrl, { app: 'vendo-read', max: 5, settings: { statement_timeout: '5s' } }),
        },
        ReadPool,
        { provide: ReadModels, useFactory: (pool: pg.Pool) => new ReadModels(pool), inject: [READ_POOL] },
      ],
      exports: [ReadModels],
    };
  }
}
