import type { LogBatch, StoredRecord } from '@vendo/event-log';
import { type Checkpoint, moveCheckpoint, park, parkedTenants } from '@vendo/read-models';
import type pg from 'pg';
import type { Projection } from './projection.js';
import { type Triage, triage } from './triage.js';

/** What one batch came to. */
export interface Written {
  checkpoint: Checkpoint;
  folded: Triage['facts'];
  parked: Triage['bad'];
}

/** Another projector has moved the checkpoint: this one's work was rolled back. */
export class CheckpointMovedError extends Error {
  override name = 'CheckpointMovedError';
}

/**
 * Commits the rows of a batch together with the checkpoint past it. A data error splits the batch until the record that
 * causes it stands alone and is parked; anything else is an outage: nothing is written, nothing parked.
 * Throws JournalGapError, CheckpointMovedError, and what pg throws.
 */
export async function writeBatch(
  pool: pg.Pool,
  projection: Projection,
  from: Checkpoint,
  { records, next, logId }: LogBatch,
): Promise<Written> {
  const sorted = triage(projection, records, from.position);
  const to: Checkpoint = { ...from, next, logId, position: sorted.position };
  try {
    return await commit(pool, projection, from, to, sorted);
  } catch (thrown) {
    if (!isDataError(thrown) || sorted.facts.length === 0) throw thrown;
    const [first] = records;
    if (records.length > 1) return writeHalves(pool, projection, from, { records, next, logId });
    if (!first) throw thrown;
    const reason = `refused by the database: ${thrown.code} ${thrown.message}`;
    return commit(pool, projection, from, to, { ...sorted, facts: [], bad: [{ record: first, reason }] });
  }
}

async function writeHalves(
  pool: pg.Pool,
  projection: Projection,
  from: Checkpoint,
  { records, next, logId }: LogBatch,
): Promise<Written> {
  const middle = records.length >> 1;
  const later = records.slice(middle);
  const first = await writeBatch(pool, projection, from, {
    records: records.slice(0, middle),
    next: later[0]?.offset ?? next,
    logId,
  });
  const second = await writeBatch(pool, projection, first.checkpoint, { records: later, next, logId });
  return {
    checkpoint: second.checkpoint,
    folded: [...first.folded, ...second.folded],
    parked: [...first.parked, ...second.parked],
  };
}

async function commit(
  pool: pg.Pool,
  projection: Projection,
  from: Checkpoint,
  to: Checkpoint,
  sorted: Triage,
): Promise<Written> {
  const client = await pool.connect();
  let failed: Error | undefined;
  const onBreak = (broken: Error): void => {
    failed = broken;
  };
  // A connection that breaks between two queries says so by an event, and the next query fails as well.
  client.on('error', onBreak);
  try {
    await client.query('begin');
    if (!(await moveCheckpoint(client, from, to))) throw new CheckpointMovedError(projection.name);
    const { facts, bad } = await followParked(client, projection, sorted);
    for (const { record, reason } of bad)
      await park(client, {
        projection: projection.name,
        topic: projection.topic,
        partition: from.partition,
        offset: record.offset,
        tenantId: record.key,
        headers: record.headers,
        value: record.value,
        reason,
      });
    if (facts.length > 0)
      await projection.apply(
        client,
        facts.map(({ fact }) => fact),
        from.partition,
      );
    await client.query('commit');
    return { checkpoint: to, folded: facts, parked: bad };
  } catch (thrown) {
    await client.query('rollback').catch(onBreak);
    throw thrown;
  } finally {
    client.off('error', onBreak);
    // A connection that could not roll back is closed, never given to the next batch.
    client.release(failed);
  }
}

/** In a journal, what follows a parked record of the same tenant is parked behind it. */
async function followParked(tx: pg.PoolClient, projection: Projection, sorted: Triage): Promise<Triage> {
  if (projection.order !== 'journal') return sorted;
  const firstBad = new Map<string, bigint>();
  for (const { record } of sorted.bad) if (!firstBad.has(record.key)) firstBad.set(record.key, record.offset);
  const tenants = [...new Set(sorted.facts.map(({ record }) => record.key))];
  const stopped = await parkedTenants(tx, projection.name, tenants);
  const isBehind = ({ key, offset }: StoredRecord): boolean =>
    stopped.has(key) || (firstBad.get(key) ?? offset) < offset;
  const behind = sorted.facts
    .filter(({ record }) => isBehind(record))
    .map(({ record }) => ({ record, reason: 'follows a parked record of its tenant' }));
  return {
    ...sorted,
    facts: sorted.facts.filter(({ record }) => !isBehind(record)),
    bad: [...sorted.bad, ...behind],
  };
}

/** SQLSTATE classes 22 (data exception) and 23 (integrity violation): the record is wrong, not the database. */
function isDataError(thrown: unknown): thrown is Error & { code: string } {
  return thrown instanceof Error && 'code' in thrown && /^2[23]/.test(String(thrown.code));
}
