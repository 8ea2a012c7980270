import type { LogBatch, StoredRecord } from '@vendo/event-log';
import {
  beginIn,
  type Checkpoint,
  inTransaction,
  moveCheckpoint,
  park,
  parkedTenants,
} from '@vendo/read-models';
import type pg from 'pg';
import type { Projection } from './projection.js';
import { type Triage, triage } from './triage.js';

/** What one batch came to. */
export interface Written {
  checkpoint: Checkpoint;
  folded: Triage['facts'];
  parked: Triage['bad'];
}

/** Another projector has moved the checkpoint, or its generation is folded no more: this one's work was rolled back. */
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

function commit(
  pool: pg.Pool,
  projection: Projection,
  from: Checkpoint,
  to: Checkpoint,
  sorted: Triage,
): Promise<Written> {
  const { generation, partition } = from;
  const write = async (tx: pg.PoolClient): Promise<Written> => {
    if (!(await moveCheckpoint(tx, from, to))) throw new CheckpointMovedError(projection.name);
    const { facts, bad } = await followParked(tx, projection, from, sorted);
    for (const { record, reason } of bad)
      await park(tx, {
        projection: projection.name,
        generation,
        topic: projection.topic,
        partition,
        offset: record.offset,
        tenantId: record.key,
        headers: record.headers,
        value: record.value,
        reason,
      });
    const given = facts.map(({ fact }) => fact);
    if (given.length > 0) await projection.apply(tx, given, partition);
    return { checkpoint: to, folded: facts, parked: bad };
  };
  return inTransaction(pool, write, (tx) => beginIn(tx, from));
}

/** In a journal, what follows a parked record of the same tenant is parked behind it. */
async function followParked(
  tx: pg.PoolClient,
  projection: Projection,
  place: Checkpoint,
  sorted: Triage,
): Promise<Triage> {
  if (projection.order !== 'journal') return sorted;
  const firstBad = new Map<string, bigint>();
  for (const { record } of sorted.bad) if (!firstBad.has(record.key)) firstBad.set(record.key, record.offset);
  const tenants = [...new Set(sorted.facts.map(({ record }) => record.key))];
  const stopped = await parkedTenants(tx, place, tenants);
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
export function isDataError(thrown: unknown): thrown is Error & { code: string } {
  return thrown instanceof Error && 'code' in thrown && /^2[23]/.test(String(thrown.code));
}
