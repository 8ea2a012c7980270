import { ConfigError, configFields, parseConfig } from '@vendo/runtime';
import { z } from 'zod';
import { PROVIDERS } from './providers/registry.js';

const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' });
/** An origin to forward to; a path in it would be lost. */
const origin = httpUrl
  .refine((text) => URL.canParse(text) && new URL(text).pathname === '/' && new URL(text).search === '', {
    error: 'must be an origin without a path',
  })
  .transform((text) => new URL(text).origin);
const positive = z.coerce.number().int().min(1);

/** One pair of variables per provider: `UPSTREAM_OPENAI_URL`, `POOL_OPENAI_API_KEY`; the first alone where there can be no pool. */
const perProvider = Object.fromEntries([
  ...PROVIDERS.map(({ slug }) => [upstreamVariable(slug), origin.optional()]),
  ...PROVIDERS.filter(({ pool }) => pool !== false).map(({ slug }) => [
    poolVariable(slug),
    z.string().min(1).optional(),
  ]),
]);

const Variables = z.object({
  DATABASE_URL: configFields.databaseUrl,
  /** Unset: the event log is in Postgres. */
  KAFKA_BROKERS: configFields.kafkaBrokers,
  /** 0 takes a free port. */
  GATEWAY_PORT: configFields.port.default(8080),
  GATEWAY_HOST: configFields.listenHost,
  /** Providers answer on `{slug}-proxy.<domain>`. */
  VENDO_DOMAIN: z
    .string()
    .regex(/^[a-z0-9-]+(\.[a-z0-9-]+)*$/i, 'must be a host name')
    .default('localhost'),
  /** Where people reach this gateway; for top_up_url. Default: its own address. */
  VENDO_PUBLIC_URL: httpUrl.optional(),
  /** One ledger or more, comma-separated; they name the others. */
  LEDGER_URL: z
    .string()
    .transform((list) => list.split(',').map((one) => one.trim()))
    .pipe(z.array(origin).min(1)),
  /** The spool lives under it. */
  VENDO_DATA_DIR: z.string().min(1).default('./var'),
  VENDO_ADMIN_TOKEN: configFields.token,
  VENDO_INTERNAL_TOKEN: configFields.token,
  VENDO_ENCRYPTION_KEY: z
    .base64('must be base64')
    .transform((text) => Buffer.from(text, 'base64'))
    .refine((key) => key.length === 32, 'must be 32 bytes in base64'),
  /** Where the identity provider publishes the keys of its tokens; unset: no token is good. */
  VENDO_JWKS_URL: httpUrl.optional(),
  /** What a token's `iss` must be, and what its `aud` must name; unset: not checked. */
  VENDO_JWT_ISSUER: z.string().min(1).optional(),
  VENDO_JWT_AUDIENCE: z.string().min(1).optional(),
  /** Per client address, of `/api/billing/balance` and `/api/v1/balance` together. */
  VENDO_BALANCE_REQUESTS_PER_MINUTE: positive.default(60),
  /** Per client address, of `/api/cli/balance`. */
  VENDO_CLI_REQUESTS_PER_MINUTE: positive.default(30),
  /** Where managed-pool calls go that have no `POOL_<SLUG>_API_KEY`; unset: nowhere. */
  VENDO_SANDBOX_URL: origin.optional(),
  /** `no`: the background sync, at most 20 ms late. `wait`: the last chunk of an answer waits for its own sync. */
  VENDO_SPOOL_SYNC: z.enum(['no', 'wait']).default('no'),
  /** Between two readings of a provider's price feed; 0: none is read. */
  VENDO_PRICE_REFRESH_MS: z.coerce
    .number()
    .int()
    .max(86_400_000)
    .refine((ms) => ms === 0 || ms >= 60_000, 'must be 0 or at least 60000')
    .default(3_600_000),
  VENDO_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  /** Largest request body, bytes. */
  VENDO_MAX_JSON_BYTES: positive.default(33_554_432),
  /** Largest file that is forwarded while it comes. */
  VENDO_MAX_UPLOAD_BYTES: positive.default(2_147_483_648),
  /** All request bodies of calls in memory together, bytes; above it calls get 503. */
  VENDO_MAX_BODIES_BYTES: positive.default(536_870_912),
  /** Bytes of the spool above which new metered calls get 503. */
  VENDO_SPOOL_MAX_BYTES: positive.default(1_073_741_824),
  /** How often jobs that are due are looked for; 0: this gateway never does. */
  VENDO_JOBS_POLL_MS: z.coerce.number().int().min(0).max(600_000).default(5_000),
  /** Until the headers of a provider's answer, and between two of its chunks. */
  VENDO_UPSTREAM_TIMEOUT_MS: positive.max(86_400_000).default(600_000),
});
const Env = Variables.extend(perProvider);

export interface GatewayConfig extends z.infer<typeof Variables> {
  /** Origins to forward to instead of the providers' own, by slug. */
  upstreams: Record<string, string>;
  /** Keys of the managed pool, by slug. */
  pool: Record<string, string>;
}

/** Throws ConfigError, also for a pool key or an upstream of a provider that does not exist, and for bodies without room. */
export function gatewayConfig(env: Record<string, string | undefined>): GatewayConfig {
  refuseUnknownProviders(env);
  const parsed = parseConfig(Env, env) as z.infer<typeof Variables> & Record<string, unknown>;
  if (parsed.VENDO_MAX_BODIES_BYTES < parsed.VENDO_MAX_JSON_BYTES)
    throw new ConfigError('VENDO_MAX_BODIES_BYTES: must not be below VENDO_MAX_JSON_BYTES');
  return {
    ...parsed,
    upstreams: bySlug(parsed, upstreamVariable),
    pool: bySlug(parsed, poolVariable),
  };
}

function bySlug(values: Record<string, unknown>, variable: (slug: string) => string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { slug } of PROVIDERS) {
    const value = values[variable(slug)];
    if (typeof value === 'string') found[slug] = value;
  }
  return found;
}

function refuseUnknownProviders(env: Record<string, string | undefined>): void {
  for (const name of Object.keys(env))
    if (/^(UPSTREAM_\w+_URL|POOL_\w+_API_KEY)$/.test(name) && !Object.hasOwn(perProvider, name))
      throw new ConfigError(`${name}: there is no such provider, or no pool of it`);
}

function upstreamVariable(slug: string): string {
  return `UPSTREAM_${slug.toUpperCase()}_URL`;
}

function poolVariable(slug: string): string {
  return `POOL_${slug.toUpperCase()}_API_KEY`;
}
