import { GATEWAY_TOPIC, LEDGER_TOPIC, type Topic } from '@vendo/events';
import type { Clock, Logger } from '@vendo/runtime';
import pg from 'pg';

/** The payload names the topic. The ledger notifies for its journal on the same channel. */
const NOTIFY_CHANNEL = 'vendo_log';
const RECONNECT_MS = 1_000;

/**
 * Says that something was appended, and hears it. Both are only a hurry-up beside the poll, so failures are silent.
 * NOTIFY takes a lock over the whole database at commit: it is sent after the append's commit, at most one at a time.
 */
export class PostgresWakeups {
  private readonly closing = new AbortController();
  private listening: Promise<void> | null = null;
  private readonly unsaid = new Set<Topic>();
  private saying = false;

  constructor(
    private readonly databaseUrl: string,
    private readonly pool: pg.Pool,
    private readonly surroundings: { clock: Clock; logger: Logger },
    private readonly heard: (topic: Topic) => void,
  ) {}

  announce(topic: Topic): void {
    this.unsaid.add(topic);
    if (!this.saying) void this.sayAll();
  }

  /** Begins to listen, once. */
  listen(): void {
    this.listening ??= this.keepListening();
  }

  async close(): Promise<void> {
    this.closing.abort();
    await this.listening;
  }

  private async sayAll(): Promise<void> {
    this.saying = true;
    for (const topic of this.unsaid) {
      this.unsaid.delete(topic);
      await this.pool.query('select pg_notify($1, $2)', [NOTIFY_CHANNEL, topic]).catch(() => undefined);
    }
    this.saying = false;
  }

  private async keepListening(): Promise<void> {
    while (!this.closing.signal.aborted) {
      await this.listenOnce().catch((err: unknown) =>
        this.surroundings.logger.debug({ err }, 'listening to the event log broke off'),
      );
      await this.surroundings.clock.sleep(RECONNECT_MS, this.closing.signal);
    }
  }

  /** Resolves or throws when the connection ends. */
  private async listenOnce(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.databaseUrl,
      application_name: 'vendo event log listener',
      connectionTimeoutMillis: 2_000,
      keepAlive: true,
    });
    const ended = new Promise<void>((resolve) => {
      client.on('error', () => resolve());
      client.on('end', () => resolve());
      this.closing.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    client.on('notification', ({ payload }) => {
      if (payload === GATEWAY_TOPIC || payload === LEDGER_TOPIC) this.heard(payload);
    });
    try {
      await client.connect();
      await client.query(`listen ${NOTIFY_CHANNEL}`);
      // What was appended while nobody listened.
      this.heard(GATEWAY_TOPIC);
      this.heard(LEDGER_TOPIC);
      await ended;
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}
