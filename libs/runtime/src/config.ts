import { z } from 'zod';

/** Reads an app's configuration; only `config.ts` of each app calls it, and nothing else reads `process.env`. Throws ConfigError with one line that names every wrong or missing variable, never their values. */
export function parseConfig<Shape extends z.ZodType>(
  schema: Shape,
  env: Record<string, string | undefined>,
): z.infer<Shape> {
  // An empty variable is an unset one: that is how compose files and shells pass "nothing".
  const given = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new ConfigError(
    parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '),
  );
}

export class ConfigError extends Error {
  override name = 'ConfigError';
}

/** Variables that several apps read, each defined once. */
export const configFields = {
  databaseUrl: z.url({ protocol: /^postgres(ql)?$/, error: 'must be a postgres:// URL' }),
  /** Comma-separated host:port list; unset means the log is in Postgres. */
  kafkaBrokers: z
    .string()
    .regex(/^[^\s,]+:\d+(,[^\s,]+:\d+)*$/, 'must be host:port[,host:port]')
    .transform((list) => list.split(','))
    .optional(),
  port: z.coerce.number().int().min(0).max(65_535),
  /** The address to listen on. */
  listenHost: z.string().default('127.0.0.1'),
  token: z.string().min(16, 'must have at least 16 characters'),
};
