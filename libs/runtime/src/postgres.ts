import pg from 'pg';

export interface PoolOptions {
  /** Shown in pg_stat_activity. */
  app: string;
  max?: number;
  /** Session settings, e.g. `{ lock_timeout: '2s' }`; fsync and synchronous_commit stay as the server has them. */
  settings?: Record<string, string>;
  /**
   * A query that has had no answer for this long fails, milliseconds. The server's own timeouts do not help when the
   * machine behind the connection is gone without a word: TCP then waits for a quarter of an hour.
   */
  answerWithinMs?: number;
}

/** A pool of connections. An idle connection that breaks is dropped silently: the next query says what is wrong. */
export function createPool(
  databaseUrl: string,
  { app, max = 10, settings = {}, answerWithinMs }: PoolOptions,
): pg.Pool {
  const options = Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(' ');
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    application_name: app,
    max,
    connectionTimeoutMillis: 2_000,
    ...(options ? { options } : {}),
    ...(answerWithinMs === undefined ? {} : { query_timeout: answerWithinMs }),
  });
  pool.on('error', () => undefined);
  // A checked-out connection that breaks tells its query as well; without a listener the event would end the process.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}
