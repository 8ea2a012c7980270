import {
  beginIn,
  holdCheckpoint,
  inTransaction,
  keepParked,
  type ParkedRecord,
  parkedSequence,
  passReplayOn,
  type ReplayRequest,
  replayRequests,
  unpark,
} from '@vendo/read-models';
import type { Clock, Logger, Metrics } from '@vendo/runtime';
import type pg from 'pg';
import { isDataError } from './batch-writer.js';
import type { Duty } from './duty.js';
import type { Fact, Projection } from './projection.js';
import { readFact } from './triage.js';

const LOOK_EVERY_MS = 500;
/** Records of one transaction. */
const PAGE = 500;

export interface ReplayerParts {
  pool: pg.Pool;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
}

/** Folds parked records again when an operator asks for it: of a journal the tenant's whole sequence, in its order. */
export class Replayer {
  private readonly replayed;
  readonly duty: Duty = { place: 'replays', run: (signal) => this.run(signal) };

  constructor(
    private readonly parts: ReplayerParts,
    private readonly projections: readonly Projection[],
  ) {
    this.replayed = parts.metrics.counter(
      'vendo_projection_replayed_total',
      'Parked records that were folded again, and those that failed again',
      ['projection', 'outcome'],
    );
  }

  private async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        for (const request of await replayRequests(this.parts.pool)) await this.replay(request);
      } catch (thrown) {
        this.parts.logger.warn({ err: thrown }, 'parked records could not be replayed');
      }
      await this.parts.clock.sleep(LOOK_EVERY_MS, signal);
    }
  }

  /** One page of what is asked for; a data error halves it until the record that causes it stands alone. */
  private async replay(request: ReplayRequest, page = PAGE): Promise<void> {
    const projection = this.projections.find(({ name }) => name === request.projection);
    if (!projection) return;
    try {
      await this.commit(projection, request, page);
    } catch (thrown) {
      if (!isDataError(thrown)) throw thrown;
      if (page > 1) return this.replay(request, page >> 1);
      await this.commit(projection, request, 1, `refused by the database: ${thrown.code} ${thrown.message}`);
    }
  }

  /** The transaction that takes records out of the parked ones and writes their rows. The partition waits for it. */
  private async commit(
    projection: Projection,
    request: ReplayRequest,
    page: number,
    refused: string | null = null,
  ): Promise<void> {
    const done = await inTransaction(
      this.parts.pool,
      async (tx) => {
        if (!(await holdCheckpoint(tx, request))) return null;
        const records = await parkedSequence(tx, request, projection.order, page);
        const { facts, passed, failed } = readAll(projection, records, refused);
        await unpark(tx, passed);
        if (facts.length > 0) await projection.apply(tx, facts, request.partition);
        if (failed) await keepParked(tx, request, failed.id, failed.reason);
        else if (projection.order === 'journal') await passReplayOn(tx, request);
        return { passed, failed };
      },
      (tx) => beginIn(tx, request),
    );
    if (done) this.tell(request, done.passed.length, done.failed?.reason ?? null);
  }

  private tell(
    { projection, generation, tenantId }: ReplayRequest,
    folded: number,
    reason: string | null,
  ): void {
    this.replayed.inc({ projection, outcome: 'folded' }, folded);
    if (reason !== null) this.replayed.inc({ projection, outcome: 'parked' });
    const facts = { projection, generation, tenant: tenantId, folded };
    if (reason === null) this.parts.logger.info(facts, 'parked records replayed');
    else this.parts.logger.error({ ...facts, reason }, 'a replayed record stays parked');
  }
}

/** The facts up to the first record that still cannot be folded; records that nobody handles any more just go. */
function readAll(
  projection: Projection,
  records: readonly ParkedRecord[],
  refused: string | null,
): { facts: Fact[]; passed: string[]; failed: { id: string; reason: string } | null } {
  const facts: Fact[] = [];
  const passed: string[] = [];
  for (const record of records) {
    const read = refused ?? readFact(projection, record);
    if (typeof read === 'string') return { facts, passed, failed: { id: record.id, reason: read } };
    if (read !== null) facts.push(read);
    passed.push(record.id);
  }
  return { facts, passed, failed: null };
}
