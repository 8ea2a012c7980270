import pg from 'pg';

export const WATCHED = ['usage', 'wallet'] as const;
export type Watched = (typeof WATCHED)[number];

const LOOK_EVERY_MS = 40;
/** How many calls of each tenant show, by projection. */
const SHOWN = `
  select 'usage' as projection, tenant_id, count(*)::int as calls from read.usage_events
    where tenant_id = any($1) group by tenant_id
  union all
  select 'wallet', tenant_id, count(*)::int from read.wallet_entries
    where tenant_id = any($1) and kind = 'settlement' group by tenant_id`;

/**
 * Looks at the read models all the time, and remembers when each call of a tenant showed. A tenant's calls are known by
 * their number: they follow each other, so the nth row is the nth call's.
 */
export class ReadModelWatch {
  private readonly shown = new Map<string, number[]>();
  private readonly pool: pg.Pool;
  private readonly looking: Promise<void>;
  private stopping = false;

  constructor(
    databaseUrl: string,
    private readonly tenantIds: readonly string[],
  ) {
    this.pool = new pg.Pool({ connectionString: databaseUrl, max: 1 });
    this.pool.on('error', () => undefined);
    this.looking = this.look().finally(() => this.pool.end());
    // Told by `stop`.
    this.looking.catch(() => undefined);
  }

  /** When each of its calls showed in this projection, `performance.now()`, those that do. */
  shownAt(projection: Watched, tenantId: string): readonly number[] {
    return this.shown.get(`${projection} ${tenantId}`) ?? [];
  }

  /** Looks once more. Throws what a look failed with. Idempotent. */
  async stop(): Promise<void> {
    this.stopping = true;
    await this.looking;
  }

  private async look(): Promise<void> {
    for (let isLast = false; !isLast; ) {
      isLast = this.stopping;
      const { rows } = await this.pool.query<{ projection: Watched; tenant_id: string; calls: number }>(
        SHOWN,
        [this.tenantIds],
      );
      const nowMs = performance.now();
      for (const { projection, tenant_id, calls } of rows) {
        const place = `${projection} ${tenant_id}`;
        const times = this.shown.get(place) ?? [];
        this.shown.set(place, times);
        while (times.length < calls) times.push(nowMs);
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }
}
