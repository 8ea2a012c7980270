import { ConfigError } from './config.js';

const WITHIN_MS = 30_000;
const PAUSE_MS = 250;
/** Wrong password or user, no such database or role: waiting mends none of them. */
const WRONG_URL = /^(28|3D)/;
/** Connection lost, no connection left, locked or cancelled for time, starting or stopping: the next moment may be better. */
const NOT_NOW = /^(08|53|55P03|57)/;
const NO_CONNECTION = /^E[A-Z_]+$/;

/**
 * What an app needs of Postgres before it can begin. A machine that starts everything at once is slow, and Postgres may
 * come up last, so what does not answer is asked again for half a minute.
 * Throws ConfigError, one line without the URL's secrets, at once when Postgres refuses who asks or what is asked for,
 * and when the time is over; what `work` throws for any other reason goes through.
 */
export async function atBoot<Result>(work: () => Promise<Result>, withinMs = WITHIN_MS): Promise<Result> {
  for (const endMs = performance.now() + withinMs; ; ) {
    try {
      return await work();
    } catch (thrown) {
      const { code, message } = reasonOf(thrown);
      if (WRONG_URL.test(code)) throw new ConfigError(`DATABASE_URL: ${message}`, { cause: thrown });
      if (!mayPass(code, message)) throw thrown;
      if (performance.now() + PAUSE_MS > endMs)
        throw new ConfigError(
          `DATABASE_URL: Postgres does not answer after ${Math.round(withinMs / 1_000)} s: ${message}`,
          { cause: thrown },
        );
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** A host with several addresses that all fail gives an error without a message, around one for each. */
function reasonOf(thrown: unknown): { code: string; message: string } {
  const first = (thrown as { errors?: unknown[] }).errors?.[0] ?? thrown;
  const { code = '', message = String(first) } = first as { code?: string; message?: string };
  return { code, message };
}

/** Postgres says "not now", the operating system says why there is no connection, or pg says so without a code. */
function mayPass(code: string, message: string): boolean {
  return (
    NOT_NOW.test(code) || NO_CONNECTION.test(code) || (code === '' && /timeout|terminated/i.test(message))
  );
}
