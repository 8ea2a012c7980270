import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  encodeEvent,
  LEDGER_TOPIC,
  POSITION_HEADER,
  SEQ_HEADER,
  shardOf,
  type VendoEvent,
} from '@vendo/events';
import { Metrics, SystemClock } from '@vendo/runtime';
import type pg from 'pg';
import { Follower, type FollowerParts } from './follower.js';
import { brokenRecord, eventually, PARTITIONS, ProjectionStand } from './projection.contract.js';
import type { Fact, Projection } from './projection.js';

const TENANT = randomUUID();
const PARTITION = shardOf(TENANT, PARTITIONS);

const REFUSED = 666;

/** Counts credits in a table of its own, but for one amount; fails as it is told to. */
class Counting implements Projection<'CreditGranted.v1'> {
  readonly name = 'counting';
  readonly topic = LEDGER_TOPIC;
  readonly tables = [{ name: 'counted', time: null, sums: ['position'] }];
  readonly handles = ['CreditGranted.v1'] as const;
  readonly order = 'journal';
  failures = 0;
  /** Why a batch with these positions fails after its rows were written; null when it does not. */
  failure: (positions: bigint[]) => Error | null = () => null;

  refuse({ data }: VendoEvent<'CreditGranted.v1'>): string | null {
    return data.amount_micros === REFUSED ? `cannot take ${REFUSED}` : null;
  }

  async apply(tx: pg.PoolClient, facts: readonly Fact<'CreditGranted.v1'>[]): Promise<void> {
    const positions = facts.map(({ position }) => position);
    await tx.query('insert into counted select unnest($1::bigint[])', [positions]);
    const failure = this.failure(positions);
    if (!failure) return;
    this.failures += 1;
    throw failure;
  }
}

const OUTAGE = Object.assign(new Error('the disk is full'), { code: '53100' });
const DATA_ERROR = Object.assign(new Error('division by zero'), { code: '22012' });

function placeOf(position: number): Record<string, string> {
  return { [POSITION_HEADER]: String(position), [SEQ_HEADER]: String(position) };
}

function credit(position: number, amount_micros = 1) {
  const data = {
    entry_id: randomUUID(),
    amount_micros,
    source: 'grant',
    note: null,
    idempotency_key: randomUUID(),
    after: { balance_micros: position, held_micros: 0, windows: [] },
  };
  const at = '2026-11-21T10:00:00.000Z';
  const event = { id: randomUUID(), type: 'CreditGranted.v1' as const, tenantId: TENANT, at, data };
  return encodeEvent(event, '/ledger', placeOf(position));
}

describe('the follower', () => {
  let counting: Counting;
  let stand: ProjectionStand;
  beforeEach(async () => {
    counting = new Counting();
    stand = await ProjectionStand.open([counting]);
    await stand.pool.query('create table read.counted (position bigint)');
    await stand.append(LEDGER_TOPIC, [credit(1), credit(2)]);
  });
  afterEach(() => stand.close());

  const followers = (parts: FollowerParts) =>
    new Follower({ ...parts, metrics: new Metrics('spec') }, [counting], PARTITIONS);
  const counted = async () =>
    (await stand.rows('select position from read.counted order by 1')).map(({ position }) =>
      Number(position),
    );

  it('commits rows and checkpoint together or not at all, and parks nothing in an outage', async () => {
    let broken = true;
    counting.failure = () => (broken ? OUTAGE : null);
    await stand.project(async () => {
      if (broken) {
        if (counting.failures < 2 || stand.health.report() === null) return false;
        expect(await counted()).toEqual([]);
        expect(await stand.rows('select count(*) from read.parked')).toEqual([{ count: '0' }]);
        expect(stand.health.report()).toEqual({ projections: 'waiting for the database or the log' });
        broken = false;
      }
      return stand.caughtUp();
    });
    expect(await counted()).toEqual([1, 2]);
    expect(stand.health.report()).toBeNull();
  });

  it('folds nothing twice when two take the same partitions for theirs, whatever the projection guards against', async () => {
    for (let position = 3; position <= 1_200; position += 1)
      await stand.append(LEDGER_TOPIC, [credit(position)]);
    await stand.project(async () => true);
    const stopping = new AbortController();
    const parts = {
      ...stand,
      rebuildPool: stand.pool,
      clock: new SystemClock(),
      metrics: new Metrics('spec'),
    };
    const duties = await Promise.all([1, 2].map(() => followers(parts).duties()));
    const running = duties.flat().map(({ run }) => run(stopping.signal));
    await eventually(() => stand.caughtUp());
    stopping.abort();
    await Promise.all(running);
    expect(await counted()).toEqual(Array.from({ length: 1_200 }, (_, n) => n + 1));
  });

  it('loses nothing when it dies while a batch is split', async () => {
    await stand.append(LEDGER_TOPIC, [credit(3), credit(4)]);
    counting.failure = (positions) => {
      if (positions.length === 4) return DATA_ERROR;
      return positions.includes(3n) ? OUTAGE : null;
    };
    await stand.project(async () => counting.failures >= 2);
    expect(await counted()).toEqual([1, 2]);
    counting.failure = () => null;
    await stand.project();
    expect(await counted()).toEqual([1, 2, 3, 4]);
  });

  it.each([
    ['that cannot be read', () => brokenRecord(TENANT, 'CreditGranted.v1', placeOf(3)), /./],
    ['that its projection refuses', () => credit(3, REFUSED), /^cannot take 666$/],
    ['that the database refuses', () => credit(3), /^refused by the database: 22012 division by zero$/],
  ])(
    'parks a record %s with its reason, counts it and says so, and so what follows it',
    async (_, make, reason) => {
      await stand.append(LEDGER_TOPIC, [make(), credit(4)]);
      counting.failure = (positions) => (positions.includes(3n) ? DATA_ERROR : null);
      const errors: unknown[][] = [];
      stand.logger = { ...stand.logger, error: (...line: unknown[]) => void errors.push(line) };
      const projector = await stand.start();
      try {
        await eventually(() => stand.caughtUp());
      } finally {
        await projector.stop();
      }
      const follows = 'follows a parked record of its tenant';
      const parked = await stand.rows(
        'select record_offset as offset, reason from read.parked order by record_offset',
      );
      expect(parked.map((record) => record.reason)).toEqual([expect.stringMatching(reason), follows]);
      expect(await counted()).toEqual([1, 2]);
      expect(await projector.metrics.text()).toContain(
        'vendo_projection_parked_total{projection="counting",app="spec"} 2\n',
      );
      const place = { projection: 'counting', generation: 1, topic: LEDGER_TOPIC, partition: PARTITION };
      expect(errors).toEqual(
        parked.map((record) => [{ ...place, ...record, tenant: TENANT }, 'record parked']),
      );
    },
  );

  it.each([
    ['another log', "log_id = 'another'", /LogMismatchError/],
    ['an offset that the log does not have', 'next_offset = 99', /OffsetOutOfRangeError/],
  ])('stops for good at %s, and leaves the checkpoint as it was', async (_, change, reason) => {
    await stand.project();
    const where = `where projection = 'counting' and partition = ${PARTITION}`;
    await stand.pool.query(`update read.checkpoints set ${change} ${where}`);
    const before = await stand.rows(`select * from read.checkpoints ${where}`);
    await stand.append(LEDGER_TOPIC, [credit(3)]);
    let told: unknown = null;
    await stand.project(async () => {
      told = stand.health.report();
      return told !== null;
    });
    expect(told).toEqual({ [`counting/1/${PARTITION}`]: expect.stringMatching(reason) });
    expect(await stand.rows(`select * from read.checkpoints ${where}`)).toEqual(before);
    expect(await counted()).toEqual([1, 2]);
  });

  it('goes on by itself after its connections were cut', async () => {
    await stand.project(async () => {
      if (!(await counted()).includes(2)) return false;
      await stand.pool.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
      );
      await stand.append(LEDGER_TOPIC, [credit(3)]);
      await eventually(async () => (await counted()).includes(3));
      return true;
    });
    expect(await counted()).toEqual([1, 2, 3]);
  });
});
