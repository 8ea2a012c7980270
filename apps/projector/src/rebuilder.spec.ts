import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { GATEWAY_TOPIC, SHARD_COUNT } from '@vendo/events';
import {
  acceptRebuild,
  dropGeneration,
  dropRebuild,
  generationsOf,
  RebuildError,
  startRebuild,
} from '@vendo/read-models';
import type pg from 'pg';
import { brokenRecord, eventually, ProjectionStand } from './projection.contract.js';
import type { Fact, Projection } from './projection.js';
import { usage } from './projections/usage/usage.projection.js';
import { appendUsage, rebuildUnderLoad, stateOf, usageRecord } from './rebuild-story.contract.js';

const EVENTS = 400;
const VICTIM = 'hold_id = (select min(hold_id::text)::uuid from read.usage_events)';

// Several rebuilds in one test, on a machine that does other things as well.
jest.setTimeout(60_000);

/** `REBUILD_EVENTS=100000` is the long form, with 200 arriving per second on all partitions. */
const LONG = Number(process.env.REBUILD_EVENTS ?? 0);

it(
  'rebuilds beside the live one while events arrive, and loses, doubles and changes nothing',
  async () => {
    const load =
      LONG > 0
        ? { events: LONG, perSecond: 200, partitions: SHARD_COUNT }
        : { events: 2_000, perSecond: 50, partitions: 4 };
    const figures = await rebuildUnderLoad(load, LONG > 0 ? 900_000 : 60_000);
    if (LONG > 0) process.stderr.write(`${JSON.stringify(figures)}\n`);
    expect(figures.arrived).toBeGreaterThan(0);
    expect(figures.reads).toBeGreaterThan(0);
  },
  LONG > 0 ? 1_200_000 : 120_000,
);

describe('a rebuild', () => {
  let stand: ProjectionStand;
  let alerts: unknown[];
  beforeEach(async () => {
    stand = await ProjectionStand.open([usage]);
    alerts = [];
    stand.logger.error = ((fields: unknown) => alerts.push(fields)) as typeof stand.logger.error;
    await appendUsage(stand, 0, EVENTS);
    await stand.project();
  });
  afterEach(() => stand.close());

  const start = () => startRebuild(stand.pool, usage.name, usage.tables);
  const rebuilt = (generation: number) => async () => {
    const state = await stateOf(stand, generation);
    return state !== 'building' && state !== 'accepted';
  };
  const plant = (table: string, sql: string) => stand.pool.query(`update read.${table} set ${sql}`);

  it.each([
    ['usage_events', 'another cost', 'cost_micros = cost_micros + 1', ['cost_micros', '31', '30']],
    ['usage_events', 'another word', "model = 'x'", ['model', null, null]],
    ['usage_events', 'another order of lines', "lines = '[]'", ['lines', null, null]],
    ['usage_hourly', 'another quantity', 'quantity = quantity + 0.5', ['quantity', /./, /./]],
    ['usage_calls_hourly', 'another count', 'calls = calls + 1', ['calls', /./, /./]],
  ])(
    'is not swapped when the live one has in one row of %s %s, and says where',
    async (table, _, sql, expected) => {
      const [victim] = await stand.rows(
        `select ctid, tenant_id, to_char(${table === 'usage_events' ? 'reserved_at' : 'hour'} at time zone 'UTC', 'YYYY-MM-DD') as day
       from read.${table} order by random() limit 1`,
      );
      await plant(table, `${sql} where ctid = '${victim?.ctid}'`);
      await start();
      let metrics = '';
      const projector = await stand.start();
      await eventually(rebuilt(2));
      await eventually(async () => {
        metrics = await projector.metrics.text();
        return /rebuild_differences\{.*\} 1/.test(metrics);
      });
      await projector.stop();
      const [column, live, second] = expected as [string, unknown, unknown];
      const shown = (value: unknown) => (value instanceof RegExp ? expect.stringMatching(value) : value);
      const difference = { table, tenant_id: victim?.tenant_id, day: victim?.day, column };
      const [, blocked] = await generationsOf(stand.pool, usage.name);
      expect(blocked).toMatchObject({ state: 'blocked', report: { count: 1, first: [difference] } });
      if (table !== 'usage_events')
        expect(blocked?.report).toMatchObject({ first: [{ live: shown(live), rebuilt: shown(second) }] });
      expect(alerts).toEqual([
        expect.objectContaining({
          alert: 'rebuild_differs',
          count: 1,
          first: [expect.objectContaining(difference)],
        }),
      ]);
    },
  );

  it.each([
    [
      'lost',
      'delete from read.usage_events where hold_id in (select hold_id from read.usage_events limit 1)',
    ],
    [
      'that nobody reported',
      "insert into read.usage_events select gen_random_uuid(), (jsonb_populate_record(u, '{}')).tenant_id, null, key_id, connection_id, provider, route, model, null, status, outcome, evidence, lines, 0, 0, 1, 1, reserved_at, started_at, ended_at, null, stream from read.usage_events u limit 1",
    ],
  ])('is not swapped when the live one has a row %s', async (_, sql) => {
    await stand.pool.query(sql);
    await start();
    await stand.project(rebuilt(2));
    const [, blocked] = await generationsOf(stand.pool, usage.name);
    expect(blocked).toMatchObject({
      state: 'blocked',
      report: { count: 1, first: [{ table: 'usage_events', column: 'rows' }] },
    });
  });

  it.each([
    [
      'a row changed',
      `update read.usage_events set cost_micros = cost_micros + 1 where ${VICTIM}`,
      'cost_micros',
    ],
    ['a row lost', `delete from read.usage_events where ${VICTIM}`, 'rows'],
    [
      'a roll-up of a tenant and a day that were not there',
      `insert into read.usage_hourly
       select '2020-02-02 10:00Z', gen_random_uuid(), app_id, connection_id, provider, model, meter, quantity, cost_micros
       from read.usage_hourly limit 1`,
      'rows',
    ],
  ])('is not swapped when it is found only after everything was compared: %s', async (_, sql, column) => {
    const reader = await stand.pool.connect();
    await reader.query('begin; select from read.usage_events limit 1');
    await start();
    const projector = await stand.start();
    const waits = "select from pg_locks where mode = 'AccessExclusiveLock' and not granted";
    await eventually(async () => (await stand.rows(waits)).length > 0);
    await stand.pool.query(sql);
    await reader.query('commit');
    reader.release();
    await eventually(rebuilt(2));
    await projector.stop();
    const [, blocked] = await generationsOf(stand.pool, usage.name);
    expect(blocked).toMatchObject({ state: 'blocked', report: { count: 1, first: [{ column }] } });
    expect(await stand.rows("select from pg_trigger where tgname = 'note_change'")).toEqual([]);
  });

  it('that is blocked goes on being folded, and becomes live when an operator accepts it, or is given up', async () => {
    await plant('usage_events', `cost_micros = 7 where ${VICTIM}`);
    await start();
    await stand.project(rebuilt(2));
    await expect(start()).rejects.toThrow(new RebuildError('generation 2 of usage is blocked'));
    await dropRebuild(stand.pool, usage.name);
    await expect(dropRebuild(stand.pool, usage.name)).rejects.toThrow(RebuildError);
    await expect(acceptRebuild(stand.pool, usage.name)).rejects.toThrow(RebuildError);

    await start();
    await stand.project(rebuilt(2));
    await appendUsage(stand, EVENTS, EVENTS + 50);
    await stand.project();
    await acceptRebuild(stand.pool, usage.name);
    await stand.project(rebuilt(2));
    expect(await stateOf(stand, 2)).toBe('live');
    expect(await stand.rows('select sum(cost_micros)::int, count(*)::int from read.usage_events')).toEqual([
      { sum: (EVENTS + 50) * 30, count: EVENTS + 50 },
    ]);
    // The next rebuild drops what the last swap left.
    await start();
    expect((await generationsOf(stand.pool, usage.name)).map(({ state }) => state)).toEqual([
      'live',
      'building',
    ]);
    await stand.project(rebuilt(3));
    expect(await stateOf(stand, 3)).toBe('live');
    expect(await dropGeneration(stand.pool, usage.name, 'old')).toBe(true);
    expect(await dropGeneration(stand.pool, usage.name, 'old')).toBe(false);
    expect(await stand.rows("select nspname from pg_namespace where nspname ~ '^read_'")).toEqual([
      { nspname: 'read_usage_3' },
    ]);
  });

  it('goes on with another projector when the first one dies in the middle', async () => {
    await appendUsage(stand, EVENTS, 6_000);
    await start();
    const first = await stand.start();
    const progress =
      'select coalesce(sum(next_offset), 0)::int as read from read.checkpoints where generation = 2';
    await eventually(async () => Number((await stand.rows(progress))[0]?.read) > 400);
    await stand.pool.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1',
      [`vendo-projector ${first.id}`],
    );
    await first.stop();
    const left = Number((await stand.rows(progress))[0]?.read);
    expect(left).toBeLessThan(6_000);
    await stand.project(rebuilt(2));
    expect(await stateOf(stand, 2)).toBe('live');
    expect(await stand.rows('select count(*)::int from read.usage_events')).toEqual([{ count: 6_000 }]);
  });

  it('parks what the live one has parked; one that parks other records is not swapped', async () => {
    const bad = brokenRecord(usageRecord(0).key, 'UsageMeasured.v2');
    await stand.append(GATEWAY_TOPIC, [bad]);
    await stand.project();
    await start();
    await stand.project(rebuilt(2));
    expect(await stateOf(stand, 2)).toBe('live');
    expect(await stand.rows('select generation from read.parked')).toEqual([{ generation: 2 }]);

    await stand.pool.query('delete from read.parked');
    await start();
    await stand.project(rebuilt(3));
    const report = { count: 1, first: [{ table: 'parked', column: 'rows', live: '0', rebuilt: '1' }] };
    expect((await generationsOf(stand.pool, usage.name)).at(-1)).toMatchObject({ state: 'blocked', report });
  });
});

/** Two tables that always say the same; `step` is what an event adds, so that two generations say different things. */
class Pair implements Projection<'UsageMeasured.v2'> {
  readonly name = 'pair';
  readonly topic = GATEWAY_TOPIC;
  readonly tables = ['left_half', 'right_half'].map((name) => ({ name, time: null, sums: ['value'] }));
  readonly handles = ['UsageMeasured.v2'] as const;
  readonly order = 'facts';
  step = 1;

  refuse(): null {
    return null;
  }

  async apply(tx: pg.PoolClient, facts: readonly Fact<'UsageMeasured.v2'>[]): Promise<void> {
    for (const { name } of this.tables)
      for (const { event } of facts)
        await tx.query(
          `insert into ${name} (tenant_id, value) values ($1, $2)
           on conflict (tenant_id) do update set value = ${name}.value + excluded.value`,
          [event.tenantId, this.step],
        );
  }
}

it('shows a reader one generation or the other, whole, and fails no read', async () => {
  const pair = new Pair();
  const stand = await ProjectionStand.open([pair]);
  for (const { name } of pair.tables)
    await stand.pool.query(`create table read.${name} (tenant_id uuid primary key, value int)`);
  const projector = await stand.start();
  try {
    await appendUsage(stand, 0, 40);
    await eventually(() => stand.caughtUp());
    let ended = false;
    const seen = new Set<unknown>();
    const read = async (first: string, second: string): Promise<void> => {
      while (!ended)
        for (const row of await stand.rows(
          `select f.value as first, s.value as second from read.${first} f join read.${second} s using (tenant_id)`,
        )) {
          if (row.first !== row.second) throw new Error(`a mix of ${row.first} and ${row.second}`);
          seen.add(row.first);
        }
    };
    const readers = Promise.all([
      read('left_half', 'right_half'),
      read('right_half', 'left_half'),
      read('left_half', 'right_half'),
    ]);
    for (let generation = 2; generation <= 4; generation += 1) {
      pair.step = generation;
      await startRebuild(stand.pool, pair.name, pair.tables);
      const state = async () => (await generationsOf(stand.pool, pair.name)).at(-1)?.state;
      await eventually(async () => (await state()) === 'blocked');
      await acceptRebuild(stand.pool, pair.name);
      await eventually(async () => (await state()) === 'live');
    }
    ended = true;
    await readers;
    expect([...seen].sort()).toEqual([1, 2, 3, 4]);
  } finally {
    await projector.stop();
    await stand.close();
  }
});
