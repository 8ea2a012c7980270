import { type DynamicModule, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { seedCatalogue } from './catalogue.js';
import { readCatalogue } from './catalogue-file.js';
import { migrateRegistry, openRegistry } from './open-registry.js';

/** Provides the registry's DataSource, migrated and with the catalogue's prices in it before anything can use it. */
@Module({})
export class RegistryModule implements OnApplicationShutdown {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  static from({ databaseUrl }: { databaseUrl: string }): DynamicModule {
    return {
      module: RegistryModule,
      providers: [{ provide: DataSource, useFactory: () => openSeeded(databaseUrl) }],
      exports: [DataSource],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.dataSource.destroy();
  }
}

async function openSeeded(databaseUrl: string): Promise<DataSource> {
  await migrateRegistry(databaseUrl);
  const dataSource = await openRegistry(databaseUrl);
  await seedCatalogue(dataSource, await readCatalogue());
  return dataSource;
}
