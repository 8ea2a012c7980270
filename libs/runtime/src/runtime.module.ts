import { type DynamicModule, Module } from '@nestjs/common';
import { Clock, SystemClock } from './clock.js';
import { Health } from './health.js';
import { createLogger, LOGGER } from './logger.js';
import { Metrics } from './metrics.js';
import { OperationsController } from './operations.controller.js';

/** Clock, log, metrics and health of an app, for every module of it. */
@Module({})
export class RuntimeModule {
  static forApp(app: string, logLevel: string): DynamicModule {
    const providers = [
      { provide: Clock, useClass: SystemClock },
      { provide: LOGGER, useValue: createLogger(app, logLevel) },
      { provide: Metrics, useValue: new Metrics(app) },
      { provide: Health, useValue: new Health() },
    ];
    return {
      module: RuntimeModule,
      global: true,
      controllers: [OperationsController],
      providers,
      exports: providers,
    };
  }
}
