import type { AdoptSpool, SpoolRef } from '@vendo/ledger-api';
import type pg from 'pg';

/**
 * The rows of `ledger.spools`, by the database's clock: who was heard of when, and whose process ships the spool (null: its
 * own writer). For adoption and operators; they decide nothing about money.
 */
export class SpoolRows {
  constructor(private readonly pool: pg.Pool) {}

  /** Notes that the spool beats now. Returns its owner. */
  async beat({ id, host }: SpoolRef): Promise<string | null> {
    return this.owner('select ledger.beat_spool($1, $2) as owner', [id, host]);
  }

  /** The compare-and-set of an adoption; the adopter has shown that it lives. Returns who owns the spool afterwards. */
  async adopt({ spool, adopter, expected_owner, proof }: AdoptSpool): Promise<string | null> {
    await this.beat(adopter);
    return this.owner('select ledger.adopt_spool($1, $2, $3, $4, $5) as owner', [
      spool.id,
      spool.host,
      adopter.id,
      expected_owner,
      proof === 'silence',
    ]);
  }

  private async owner(sql: string, values: unknown[]): Promise<string | null> {
    const { rows } = await this.pool.query<{ owner: string | null }>(sql, values);
    return rows[0]?.owner ?? null;
  }
}
