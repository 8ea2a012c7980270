import {
  type DynamicModule,
  Inject,
  Module,
  type ModuleMetadata,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { Clock, LOGGER, type Logger, Metrics } from '@vendo/runtime';
import { DataSource } from 'typeorm';
import { HttpFeedReader } from './http.feed-reader.js';
import { PriceFeedMetrics } from './price-feed-metrics.js';
import { type FeedPlace, PriceRefresher } from './price-refresher.js';
import { PriceStore } from './price-store.js';

/** Reads price feeds while the app runs. `imports` provide the registry's DataSource. */
@Module({})
export class PriceFeedsModule implements OnApplicationBootstrap, OnModuleDestroy {
  constructor(@Inject(PriceRefresher) private readonly refresher: PriceRefresher) {}

  /** @param everyMs between two readings of a feed; 0: none is read. */
  static from(
    { everyMs, places }: { everyMs: number; places: readonly FeedPlace[] },
    imports: NonNullable<ModuleMetadata['imports']>,
  ): DynamicModule {
    return {
      module: PriceFeedsModule,
      imports,
      providers: [
        {
          provide: PriceRefresher,
          inject: [DataSource, Clock, LOGGER, Metrics],
          useFactory: (registry: DataSource, clock: Clock, logger: Logger, metrics: Metrics) =>
            new PriceRefresher(everyMs === 0 ? [] : places, everyMs, {
              store: new PriceStore(registry),
              reader: new HttpFeedReader(),
              clock,
              logger,
              metrics: new PriceFeedMetrics(metrics),
              random: Math.random,
            }),
        },
      ],
    };
  }

  onApplicationBootstrap(): void {
    this.refresher.start();
  }

  async onModuleDestroy(): Promise<void> {
    await this.refresher.stop();
  }
}
