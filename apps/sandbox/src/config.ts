import { configFields, parseConfig } from '@vendo/runtime';
import { z } from 'zod';

const Config = z.object({
  /** 0 takes a free port. */
  SANDBOX_PORT: configFields.port.default(0),
  SANDBOX_HOST: configFields.listenHost,
  VENDO_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
});
export type SandboxConfig = z.infer<typeof Config>;

/** Throws ConfigError. */
export function sandboxConfig(env: Record<string, string | undefined>): SandboxConfig {
  return parseConfig(Config, env);
}
