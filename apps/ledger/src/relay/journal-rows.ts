import type { EventRecord } from '@vendo/events';
import type pg from 'pg';

interface Row {
  off: string;
  key: string;
  headers: Record<string, string>;
  value: Buffer;
}

/** A journal row as the event log carries it. */
export interface PositionedRecord extends EventRecord {
  position: bigint;
}

/** Reads the journal for the relay, through the view that the postgres log publishes it by. */
export class JournalRows {
  constructor(private readonly pool: pg.Pool) {}

  /** At most `limit` rows of a shard after a position, in order; the genesis row (position 0) is never among them. */
  async after(shard: number, position: bigint, limit: number): Promise<PositionedRecord[]> {
    const { rows } = await this.pool.query<Row>(
      'select off, key, headers, value from log.ledger_events where part = $1 and off > $2 order by off limit $3',
      [shard, position, limit],
    );
    return rows.map(({ off, key, headers, value }) => ({ position: BigInt(off), key, headers, value }));
  }
}
