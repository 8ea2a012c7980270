import type { SpoolRef } from '@vendo/ledger-api';
import type pg from 'pg';

/** The rows of `ledger.spools`, for adoption and operators. They decide nothing here. */
export class SpoolRows {
  constructor(private readonly pool: pg.Pool) {}

  /** Notes that these spools beat now, by the database's clock. */
  async write(spools: readonly SpoolRef[]): Promise<void> {
    const sorted = spools.toSorted((a, b) => a.id.localeCompare(b.id));
    await this.pool.query(
      `insert into ledger.spools as s (id, host, beat_at)
       select id, host, clock_timestamp() from unnest($1::uuid[], $2::text[]) b(id, host)
       on conflict (id) do update set host = excluded.host, beat_at = excluded.beat_at`,
      [sorted.map(({ id }) => id), sorted.map(({ host }) => host)],
    );
  }
}
