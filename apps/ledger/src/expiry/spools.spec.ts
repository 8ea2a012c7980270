import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { AdoptSpool, SpoolRef } from '@vendo/ledger-api';
import { Clock } from '@vendo/runtime';
import { createTestDatabase, type TestDatabase } from '@vendo/testing';
import pg from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { prepareDatabase } from '../writer/ledger-under-test.js';
import { SpoolBeats } from './spool-beats.js';
import { SpoolRows } from './spool-rows.js';

class HandClock extends Clock {
  ms = 0;
  wallMs(): number {
    return this.ms;
  }
  monotonicMs(): number {
    return this.ms;
  }
  sleep(): Promise<void> {
    return Promise.resolve();
  }
}

let database: TestDatabase;
let pool: pg.Pool;
let rows: SpoolRows;
let clock: HandClock;
let beats: SpoolBeats;
/** The writer's spool, and two processes that would ship it on. */
let writer: SpoolRef;
let first: SpoolRef;
let second: SpoolRef;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = await prepareDatabase(database.url);
  rows = new SpoolRows(pool);
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

beforeEach(() => {
  [writer, first, second] = ['a', 'b', 'c'].map((host) => ({ id: uuidv7(), host })) as [
    SpoolRef,
    SpoolRef,
    SpoolRef,
  ];
  clock = new HandClock();
  beats = new SpoolBeats(clock, rows);
});

function adopt(adopter: SpoolRef, more: Partial<AdoptSpool> = {}): Promise<string | null> {
  return rows.adopt({ spool: writer, adopter, expected_owner: null, proof: 'process_gone', ...more });
}

/** As if the row had been written that long ago. */
async function age({ id }: SpoolRef, seconds: number): Promise<void> {
  const sql = `update ledger.spools set beat_at = clock_timestamp() - make_interval(secs => $2) where id = $1`;
  await pool.query(sql, [id, seconds]);
}

async function ownerOf({ id }: SpoolRef): Promise<string | null | undefined> {
  const { rows: found } = await pool.query('select owner from ledger.spools where id = $1', [id]);
  return found[0]?.owner;
}

describe('adoption', () => {
  it('is a compare-and-set on the owner, and a repeat gets the same answer', async () => {
    await rows.beat(writer);
    expect(await adopt(first)).toBe(first.id);
    expect(await adopt(first)).toBe(first.id);
    expect(await adopt(second)).toBe(first.id);
    expect(await adopt(second, { expected_owner: first.id })).toBe(second.id);
    expect(await adopt(first, { expected_owner: first.id })).toBe(second.id);
    expect(await ownerOf(writer)).toBe(second.id);
  });

  it('takes a spool that no ledger has heard of when its process is gone', async () => {
    expect(await adopt(first)).toBe(first.id);
    expect(await beats.beat(writer)).toMatchObject({ adopted: true });
  });

  it('watches a spool that no ledger has heard of from the first question on', async () => {
    expect(await adopt(first, { proof: 'silence' })).toBeNull();
    await age(writer, 65);
    expect(await adopt(first, { proof: 'silence' })).toBeNull();
    await age(writer, 71);
    expect(await adopt(first, { proof: 'silence' })).toBe(first.id);
  });

  it.each([
    ['both are silent', 71, 71, true],
    ['the writer may have beaten since its row was written', 65, 71, false],
    ['the owner may have beaten since its row was written', 71, 65, false],
  ])('for silence from an earlier adopter: %s', async (_, writerSeconds, ownerSeconds, taken) => {
    await rows.beat(writer);
    await adopt(first);
    await age(writer, writerSeconds);
    await age(first, ownerSeconds);
    const owner = await adopt(second, { expected_owner: first.id, proof: 'silence' });
    expect(owner).toBe(taken ? second.id : first.id);
  });

  it('counts as a beat of the adopter', async () => {
    await rows.beat(first);
    await age(first, 100);
    await adopt(first);
    await age(writer, 100);
    expect(await adopt(second, { expected_owner: first.id, proof: 'silence' })).toBe(first.id);
  });

  it('has one winner, however many ask at once', async () => {
    for (const known of [true, false])
      for (let round = 0; round < 10; round++) {
        writer = { id: uuidv7(), host: 'a' };
        if (known) await rows.beat(writer);
        const adopters = Array.from({ length: 5 }, () => ({ id: uuidv7(), host: 'x' }));
        const owners = await Promise.all(adopters.map((adopter) => adopt(adopter)));
        expect(new Set(owners)).toEqual(new Set([await ownerOf(writer)]));
        expect(adopters.map(({ id }) => id)).toContain(owners[0]);
      }
  });
});

describe('a late beat of the writer against its adopter', () => {
  type Step = (session: pg.Client) => Promise<string | null>;
  const beat: Step = (session) =>
    ownerBy(session, 'select ledger.beat_spool($1, $2) as owner', [writer.id, 'a']);
  const bySilence: Step = (session) =>
    ownerBy(session, 'select ledger.adopt_spool($1, $2, $3, null, true) as owner', [
      writer.id,
      'a',
      first.id,
    ]);
  const byProcess: Step = (session) =>
    ownerBy(session, 'select ledger.adopt_spool($1, $2, $3, null, false) as owner', [
      writer.id,
      'a',
      first.id,
    ]);

  async function ownerBy(session: pg.Client, sql: string, values: unknown[]): Promise<string | null> {
    return (await session.query<{ owner: string | null }>(sql, values)).rows[0]?.owner ?? null;
  }

  const adopted = () => first.id;
  const own = () => null;

  // The second step begins while the first is not committed, and waits for it.
  it.each([
    ['the beat is first: who is silent no more is not taken', true, beat, bySilence, own],
    ['the adopter is first: the beat learns it', true, bySilence, beat, adopted],
    [
      'the beat is first, the process is gone: adopted, and the next beat learns it',
      true,
      beat,
      byProcess,
      adopted,
    ],
    ['the adopter is first, the process is gone: the beat learns it', true, byProcess, beat, adopted],
    ['no row yet, the beat is first: who beats is not taken', false, beat, bySilence, own],
    ['no row yet, the watcher is first: the beat keeps its spool', false, bySilence, beat, own],
    ['no row yet, the adopter is first: the beat learns it', false, byProcess, beat, adopted],
    ['no row yet, the beat is first, the process is gone', false, beat, byProcess, adopted],
  ])('%s', async (_, known, earlier, later, owner) => {
    if (known) {
      await rows.beat(writer);
      await age(writer, 100);
    }
    const sessions = [new pg.Client(database.url), new pg.Client(database.url)] as const;
    await Promise.all(sessions.map((session) => session.connect()));
    try {
      const [one, two] = sessions;
      await one.query('begin');
      await earlier(one);
      const pending = later(two);
      await waitsForLock(pending);
      await one.query('commit');
      expect(await pending).toBe(owner());
      expect(await rows.beat(writer)).toBe(owner());
      expect(await ownerOf(writer)).toBe(owner());
    } finally {
      await Promise.all(sessions.map((session) => session.end()));
    }
  });

  async function waitsForLock(pending: Promise<unknown>): Promise<void> {
    let done = false;
    void pending.finally(() => {
      done = true;
    });
    const sql = `select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`;
    for (let turn = 0; turn < 200 && !done; turn++) if ((await pool.query(sql)).rowCount) return;
    throw new Error('the second did not wait for the first');
  }
});

describe('the answer to a beat', () => {
  it('waits for the row at the first beat and every ten seconds, and is from memory in between', async () => {
    expect(await beats.beat(writer)).toMatchObject({ adopted: false });
    await adopt(first);
    clock.ms += 9_999;
    expect(await beats.beat(writer)).toMatchObject({ adopted: false });
    clock.ms += 1;
    expect(await beats.beat(writer)).toMatchObject({ adopted: true });
  });

  it('stays adopted whatever an answer that was under way said', async () => {
    const answers = [first.id, null];
    const stub = { beat: async () => answers.shift() ?? null } as unknown as SpoolRows;
    beats = new SpoolBeats(clock, stub);
    await beats.beat(writer);
    clock.ms += 10_000;
    expect(await beats.beat(writer)).toMatchObject({ adopted: true });
  });

  it('fails while the row cannot be written, but the beat was heard; the next one tries again', async () => {
    const away = new Error('away');
    let fails = true;
    const stub = {
      beat: async () => {
        if (fails) throw away;
        return null;
      },
    } as unknown as SpoolRows;
    beats = new SpoolBeats(clock, stub);
    clock.ms += 5_000;
    await expect(beats.beat(writer)).rejects.toBe(away);
    expect(beats.silentMs(writer.id, clock.monotonicMs())).toBe(0);
    fails = false;
    expect(await beats.beat(writer)).toMatchObject({ adopted: false });
  });
});
