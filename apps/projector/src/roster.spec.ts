import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { connectionName } from '@vendo/read-models';
import pg from 'pg';
import { eventually, ProjectionStand, type RunningProjector } from './projection.contract.js';
import { usage } from './projections/usage/usage.projection.js';
import { wallet } from './projections/wallet/wallet.projection.js';

/** Two projections on two partitions each, and what is done once. */
const PLACES = [
  'charges without usage',
  'rebuilds',
  'replays',
  'usage/1/0',
  'usage/1/1',
  'wallet/1/0',
  'wallet/1/1',
];

describe('projectors beside each other', () => {
  let stand: ProjectionStand;
  let running: RunningProjector[];
  beforeEach(async () => {
    stand = await ProjectionStand.open([usage, wallet]);
    running = [];
  });
  afterEach(async () => {
    await Promise.all(running.map((projector) => projector.stop()));
    await stand.close();
  });

  const start = async (): Promise<RunningProjector> => {
    const projector = await stand.start();
    running.push(projector);
    return projector;
  };
  const stop = (projector: RunningProjector): Promise<void> => {
    running = running.filter((one) => one !== projector);
    return projector.stop();
  };
  const held = async (projector?: { id: string }): Promise<unknown[]> =>
    (await stand.rows('select place, owner from read.leases order by place collate "C"'))
      .filter(({ owner }) => !projector || owner === projector.id)
      .map(({ place }) => place);
  const shares = async (): Promise<number[]> =>
    (await Promise.all(running.map(held))).map(({ length }) => length).sort();

  it('share the work evenly, each piece with one of them, and one that ends gives its share back at once', async () => {
    const first = await start();
    await eventually(async () => (await held(first)).length === PLACES.length);
    expect(await held()).toEqual(PLACES);

    const second = await start();
    await eventually(async () => String(await shares()) === '3,4');
    const third = await start();
    await eventually(async () => String(await shares()) === '2,2,3');
    expect(await held()).toEqual(PLACES);

    await stop(first);
    expect(await held(first)).toEqual([]);
    await eventually(async () => String(await shares()) === '3,4');
    await stop(third);
    await eventually(async () => (await held(second)).length === PLACES.length);
    await stop(second);
    expect(await stand.rows('select * from read.leases')).toEqual([]);
    expect(await stand.rows('select * from read.projectors')).toEqual([]);
  });

  it.each([
    ['was killed', false, 0, 2_500],
    ['was stopped, its connections open', true, 1_500, 5_000],
  ])('take over from one that %s', async (_, connected, soonest, latest) => {
    const gone = randomUUID();
    const connection = new pg.Client({ connectionString: stand.url, application_name: connectionName(gone) });
    if (connected) await connection.connect();
    await stand.pool.query(`insert into read.projectors values ($1, clock_timestamp() + interval '3 s')`, [
      gone,
    ]);
    await stand.pool.query('insert into read.leases select unnest($1::text[]), $2', [PLACES, gone]);
    const began = Date.now();
    const heir = await start();
    await eventually(async () => (await held(heir)).length === PLACES.length, latest);
    expect(Date.now() - began).toBeGreaterThanOrEqual(soonest);
    if (connected) await connection.end();
  });
});
