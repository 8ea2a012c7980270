import { configFields, parseConfig } from '@vendo/runtime';
import { z } from 'zod';

const Config = z.object({
  DATABASE_URL: configFields.databaseUrl,
  KAFKA_BROKERS: configFields.kafkaBrokers,
  /** `GET /healthz` and `GET /metrics`; 0 takes a free port. */
  PROJECTOR_PORT: configFields.port.default(0),
  PROJECTOR_HOST: configFields.listenHost,
  VENDO_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
});
export type ProjectorConfig = z.infer<typeof Config>;

/** Throws ConfigError. */
export function projectorConfig(env: Record<string, string | undefined>): ProjectorConfig {
  return parseConfig(Config, env);
}
