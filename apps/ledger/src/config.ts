import { configFields, parseConfig } from '@vendo/runtime';
import { z } from 'zod';

const Env = z.object({
  DATABASE_URL: configFields.databaseUrl,
  KAFKA_BROKERS: configFields.kafkaBrokers,
  LEDGER_PORT: configFields.port.default(8090),
  LEDGER_HOST: configFields.listenHost,
  /** The origin by which gateways reach this ledger; unset, it is made of the host and the port that it listens on. */
  LEDGER_ADVERTISED_URL: z
    .url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' })
    .optional(),
  VENDO_INTERNAL_TOKEN: configFields.token,
  /**
   * The holds of a gateway that has not been heard of for so long expire. The same for all ledgers; not above 60 s, after
   * which its spool may be adopted.
   */
  VENDO_SPOOL_SILENCE_MS: z.coerce.number().int().min(15_000).max(60_000).default(60_000),
  VENDO_LOG_LEVEL: z.enum(['silent', 'fatal', 'error', 'warn', 'info', 'debug']).default('info'),
});

export type LedgerConfig = z.infer<typeof Env>;

/** The ledger's configuration. Throws ConfigError. */
export function ledgerConfig(env: Record<string, string | undefined> = process.env): LedgerConfig {
  return parseConfig(Env, env);
}
