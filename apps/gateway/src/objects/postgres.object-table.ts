import { EVENTS } from '@vendo/events';
import { Job } from '@vendo/ledger-api';
import type pg from 'pg';
import { type KeptObject, type ObjectKey, ObjectTable } from './object-table.js';

const ANSWER_WITHIN_MS = 1_500;

interface Row {
  tenant_id: string;
  job: unknown;
  refund: unknown;
  ended: boolean;
}

export class PostgresObjectTable extends ObjectTable {
  constructor(private readonly pool: pg.Pool) {
    super();
  }

  async add({ provider, connectionId, objectId, tenantId, job, refund }: KeptObject): Promise<void> {
    await this.query(
      `insert into registry.stored_objects (provider, connection_id, object_id, tenant_id, job, refund)
       values ($1, $2, $3, $4, $5, $6) on conflict do nothing`,
      [provider, connectionId, objectId, tenantId, textOf(job), textOf(refund)],
    );
  }

  async find(key: ObjectKey): Promise<KeptObject | null> {
    const [row] = await this.query<Row>(
      `select tenant_id, job, refund, ended_at is not null as ended from registry.stored_objects
       where provider = $1 and connection_id = $2 and object_id = $3`,
      [key.provider, key.connectionId, key.objectId],
    );
    if (!row) return null;
    const job = Job.safeParse(row.job).data ?? null;
    const refund = EVENTS['UsageCorrected.v1'].safeParse(row.refund).data ?? null;
    return { ...key, tenantId: row.tenant_id, job, refund, ended: row.ended };
  }

  async end({ provider, connectionId, objectId }: ObjectKey): Promise<void> {
    await this.query(
      `update registry.stored_objects set ended_at = clock_timestamp()
       where provider = $1 and connection_id = $2 and object_id = $3 and ended_at is null`,
      [provider, connectionId, objectId],
    );
  }

  private async query<R extends pg.QueryResultRow>(text: string, values: unknown[]): Promise<R[]> {
    // A database that swallows packets answers nothing at all; the connection is then given up.
    const query: pg.QueryConfig & { query_timeout: number } = {
      text,
      values,
      query_timeout: ANSWER_WITHIN_MS,
    };
    return (await this.pool.query<R>(query)).rows;
  }
}

function textOf(json: object | null): string | null {
  return json === null ? null : JSON.stringify(json);
}
