import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createPool } from '@vendo/runtime';
import { createTestDatabase, type TestDatabase } from '@vendo/testing';
import type pg from 'pg';
import { connectionName, Leases } from './leases.js';
import { migrateReadModels } from './migrate-read-models.js';

const PLACES = ['a', 'b', 'c', 'd'];
/** In the order of their names, the first one has the first place. */
const FIRST = '00000000-0000-4000-8000-000000000001';
const SECOND = '00000000-0000-4000-8000-000000000002';
const HALVES = { [FIRST]: ['a', 'c'], [SECOND]: ['b', 'd'] };

describe('leases', () => {
  let database: TestDatabase;
  let pools: pg.Pool[];
  beforeEach(async () => {
    database = await createTestDatabase();
    pools = [];
    await migrateReadModels(pool('spec'));
  });
  afterEach(async () => {
    await Promise.all(pools.map((each) => each.end()));
    await database.drop();
  });

  function pool(app: string): pg.Pool {
    const made = createPool(database.url, { app, max: 1 });
    pools.push(made);
    return made;
  }
  /** @param beforeTaking what happens between its look at what is free and its taking of it. */
  function leases(id: string, beforeTaking: () => Promise<unknown> = async () => undefined): Leases {
    const own = pool(connectionName(id));
    const query = async (sql: string, values: unknown[]) => {
      if (sql.includes('insert into read.leases')) await beforeTaking();
      return own.query(sql, values);
    };
    return new Leases({ query } as unknown as pg.Pool, id);
  }
  async function owned(id: string): Promise<string[]> {
    const { rows } = await (pools[0] as pg.Pool).query<{ place: string }>(
      'select place from read.leases where owner = $1 order by 1',
      [id],
    );
    return rows.map(({ place }) => place);
  }

  it('of one that lives are taken by nobody before it has left them', async () => {
    const [first, second] = [leases(FIRST), leases(SECOND)];
    expect([...(await first.turn(PLACES)).held]).toEqual(PLACES);
    for (let turn = 0; turn < 3; turn += 1) {
      expect((await second.turn(PLACES)).held.size).toBe(0);
      const { held, surplus } = await first.turn(PLACES);
      expect([[...held].sort(), surplus]).toEqual([PLACES, HALVES[SECOND]]);
    }
    await first.leave(HALVES[SECOND]);
    expect([...(await second.turn(PLACES)).held]).toEqual(HALVES[SECOND]);
    expect([...(await first.turn(PLACES)).held]).toEqual(HALVES[FIRST]);
  });

  it('that another one took meanwhile are not taken from it', async () => {
    const second = leases(SECOND);
    // Alone when it looks, and everything is free.
    const first = leases(FIRST, () => second.turn(PLACES));
    expect([...(await first.turn(PLACES)).held].sort()).toEqual(HALVES[FIRST]);
    expect(await owned(SECOND)).toEqual(HALVES[SECOND]);
  });
});
