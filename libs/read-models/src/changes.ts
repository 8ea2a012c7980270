import type pg from 'pg';
import { type Generation, type ReadModelTable, schemaOf } from './generations.js';

/** A (table, tenant, minute) that was written since it was last compared; the minute is null in tables that have no time. */
export interface Change {
  table: string;
  tenant_id: string;
  minute: string | null;
}

type Rebuild = Omit<Generation, 'state'>;

const TRIGGER = 'note_change';

/**
 * From now on every row that anybody writes into the live tables or the rebuilt ones is noted, until the swap or the end
 * of the rebuild. What was noted before is forgotten. Waits for whoever writes just now, table by table, so that nobody
 * waits for us who has what we wait for.
 */
export async function watchChanges(
  pool: pg.Pool,
  rebuild: Rebuild,
  tables: readonly ReadModelTable[],
): Promise<void> {
  const schema = schemaOf(rebuild);
  await pool.query(
    `create table if not exists ${schema}.changes (table_name text not null, tenant_id uuid not null, minute timestamptz);
     truncate ${schema}.changes`,
  );
  for (const { name, time } of tables) {
    const note = (row: string): string =>
      `insert into ${schema}.changes values
         ('${name}', ${row}.tenant_id, ${time === null ? 'null' : `date_trunc('minute', ${row}.${time}, 'UTC')`});`;
    await pool.query(
      `create or replace function ${schema}.note_${name}() returns trigger language plpgsql as $note$
       begin
         if tg_op <> 'INSERT' then ${note('old')} end if;
         if tg_op <> 'DELETE' then ${note('new')} end if;
         return null;
       end $note$`,
    );
    for (const side of ['read', schema])
      await pool.query(
        `create or replace trigger ${TRIGGER} after insert or update or delete on ${side}.${name}
         for each row execute function ${schema}.note_${name}()`,
      );
  }
}

/** How many places are noted by tenant, each counted once. */
export async function changesByTenant(pool: pg.Pool, rebuild: Rebuild): Promise<Map<string, number>> {
  const { rows } = await pool.query<{ tenant_id: string; changes: string }>(
    `select tenant_id, count(distinct (table_name, minute)) as changes from ${schemaOf(rebuild)}.changes group by 1`,
  );
  return new Map(rows.map(({ tenant_id, changes }) => [tenant_id, Number(changes)]));
}

/** What is noted of these tenants (null: of all), and is noted no more. */
export async function takeChanges(
  tx: pg.PoolClient,
  rebuild: Rebuild,
  tenants: readonly string[] | null,
): Promise<Change[]> {
  const { rows } = await tx.query<Change>(
    `with taken as (delete from ${schemaOf(rebuild)}.changes where $1::uuid[] is null or tenant_id = any($1) returning *)
     select distinct table_name as "table", tenant_id, minute::text from taken`,
    [tenants],
  );
  return rows;
}
