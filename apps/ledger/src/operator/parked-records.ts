import { Inject, Injectable } from '@nestjs/common';
import { GATEWAY_TOPIC } from '@vendo/events';
import type pg from 'pg';
import { readReport } from '../settlement/read-report.js';
import { UNCHARGED } from '../wallet/decide.js';
import type { Report } from '../writer/work.js';
import { OPERATOR_POOL } from './operator-pool.js';

/** A parked record, read anew from its stored bytes. `report.holdId` is the hold whose queue it stands in. */
export interface ParkedReport {
  id: string;
  replayed: boolean;
  report: Report;
}

interface ParkedRow {
  id: string;
  partition: number;
  off: string;
  hold_id: string | null;
  key: string;
  headers: Record<string, string>;
  value: Buffer;
  replayed: boolean;
}

/** What a parked record is called outside, where projections park records too. */
export function parkedId(id: string): string {
  return `ledger-${id}`;
}

const COLUMNS = 'id, partition, off, hold_id, key, headers, value, replayed_at is not null as replayed';

/** The records that the ledger has set aside, for their replay. */
@Injectable()
export class ParkedRecords {
  constructor(@Inject(OPERATOR_POOL) private readonly pool: pg.Pool) {}

  /** @param id as the list has it. Null when there is no such record. */
  async find(id: string): Promise<ParkedReport | null> {
    const [, number] = /^ledger-([1-9]\d{0,17})$/.exec(id) ?? [];
    if (number === undefined) return null;
    return this.first(`select ${COLUMNS} from ledger.parked where id = $1`, [number]);
  }

  /** The oldest record that is parked behind the given one for the same hold. */
  async behind({ id, report }: ParkedReport): Promise<ParkedReport | null> {
    if (report.holdId === null) return null;
    return this.first(
      `select ${COLUMNS} from ledger.parked
       where hold_id = $1 and partition = $2 and id > $3 and replayed_at is null order by id limit 1`,
      [report.holdId, report.partition, id],
    );
  }

  /** The corrections of these shards that have waited for their charge, and need not any more. */
  async corrections(shards: readonly number[]): Promise<ParkedReport[]> {
    const { rows } = await this.pool.query<ParkedRow>(
      `select ${COLUMNS} from ledger.parked
       where replayed_at is null and reason = $1 and partition = any($2) order by id limit 1000`,
      [UNCHARGED, shards],
    );
    const waiting = rows.map(readParked);
    if (waiting.length === 0) return [];
    const charged = await this.pool.query<{ hold_id: string }>(
      `select hold_id from ledger.journal where kind in ('settled', 'late') and hold_id = any($1)`,
      [waiting.map(correctedHold)],
    );
    const holds = new Set(charged.rows.map(({ hold_id }) => hold_id));
    return waiting.filter((one) => holds.has(correctedHold(one) ?? ''));
  }

  private async first(sql: string, values: unknown[]): Promise<ParkedReport | null> {
    const { rows } = await this.pool.query<ParkedRow>(sql, values);
    const [row] = rows;
    return row ? readParked(row) : null;
  }
}

/** Not the hold in whose queue it stands: a correction that waits stands in none. */
function correctedHold({ report: { asks } }: ParkedReport): string | null {
  return asks.kind === 'correct' ? asks.command.holdId : null;
}

function readParked(row: ParkedRow): ParkedReport {
  const { id, replayed, partition, key, headers, value, hold_id: holdId } = row;
  const offset = BigInt(row.off);
  // A replay moves neither offset nor mark, so what it would say of them is not used.
  const report = readReport({ offset, key, headers, value }, partition, GATEWAY_TOPIC, offset);
  return { id, replayed, report: { ...report, holdId } };
}
