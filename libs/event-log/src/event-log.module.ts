import { type DynamicModule, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { Clock, createPool, LOGGER, type Logger } from '@vendo/runtime';
import type { EventLogConfig } from './config.js';
import { EventLog } from './event-log.js';
import { KafkaEventLog } from './kafka.event-log.js';
import { MemoryEventLog } from './memory.event-log.js';
import { PostgresEventLog } from './postgres.event-log.js';

/** Provides EventLog, with the Clock and the logger of RuntimeModule, and closes it when the app has shut down. */
@Module({})
export class EventLogModule implements OnApplicationShutdown {
  constructor(@Inject(EventLog) private readonly log: EventLog) {}

  static from(config: EventLogConfig): DynamicModule {
    return {
      module: EventLogModule,
      providers: [
        {
          provide: EventLog,
          useFactory: (logger: Logger, clock: Clock) => openEventLog(config, { logger, clock }),
          inject: [LOGGER, Clock],
        },
      ],
      exports: [EventLog],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.log.close();
  }
}

/** The one switch over the adapters. Connects when first used; the caller closes it. */
export function openEventLog(
  config: EventLogConfig,
  surroundings: { logger: Logger; clock: Clock },
): EventLog {
  switch (config.kind) {
    case 'postgres':
      return new PostgresEventLog(openPool(config.databaseUrl), config.databaseUrl, surroundings);
    case 'kafka':
      return new KafkaEventLog(config.brokers, openPool(config.databaseUrl), surroundings);
    case 'memory':
      return new MemoryEventLog();
  }
}

function openPool(databaseUrl: string) {
  return createPool(databaseUrl, {
    app: 'vendo event log',
    max: 8,
    settings: { lock_timeout: '5s', statement_timeout: '10s' },
  });
}
