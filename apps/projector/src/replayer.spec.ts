import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type EventRecord,
  encodeEvent,
  LEDGER_TOPIC,
  POSITION_HEADER,
  SEQ_HEADER,
  type VendoEvent,
} from '@vendo/events';
import { ReadModels } from '@vendo/read-models';
import { Metrics, SystemClock } from '@vendo/runtime';
import type pg from 'pg';
import { eventually, ProjectionStand, type RunningProjector } from './projection.contract.js';
import type { Fact, Projection } from './projection.js';
import { Replayer } from './replayer.js';

const PARTITION = 1;
/** Who waits for rows that a transaction at hand has locked. */
const WAITING = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;

/** Writes down every credit; it refuses some amounts, and its table others, until it is fixed. */
class Ledgerkeeper implements Projection<'CreditGranted.v1'> {
  readonly name = 'kept';
  readonly topic = LEDGER_TOPIC;
  readonly tables = [{ name: 'kept', time: null, sums: ['amount'] }];
  readonly handles = ['CreditGranted.v1'] as const;
  broken = new Set<number>();
  /** What happens between its rows and the end of their transaction. */
  beforeCommit: () => Promise<unknown> = async () => undefined;
  constructor(readonly order: 'facts' | 'journal') {}

  refuse({ data }: VendoEvent<'CreditGranted.v1'>): string | null {
    return this.broken.has(data.amount_micros) ? `cannot take ${data.amount_micros}` : null;
  }

  async apply(tx: pg.PoolClient, facts: readonly Fact<'CreditGranted.v1'>[]): Promise<void> {
    for (const { event } of facts)
      await tx.query('insert into kept (tenant_id, amount) values ($1, $2)', [
        event.tenantId,
        event.data.amount_micros,
      ]);
    await this.beforeCommit();
  }
}

describe.each(['journal', 'facts'] as const)('the replay of parked records (%s)', (order) => {
  let keeper: Ledgerkeeper;
  let stand: ProjectionStand;
  let readModels: ReadModels;
  let projector: RunningProjector;
  let position: number;
  /** The log lines about replays: level, facts, message. */
  const told: unknown[][] = [];
  const [bad, good] = [randomUUID(), randomUUID()];

  beforeEach(async () => {
    keeper = new Ledgerkeeper(order);
    position = 0;
    stand = await ProjectionStand.open([keeper]);
    readModels = new ReadModels(stand.pool);
    await stand.pool.query(
      'create table read.kept (n bigint generated always as identity, tenant_id uuid, amount bigint, constraint small check (amount < 100))',
    );
    told.length = 0;
    const tell =
      (level: string) =>
      (...line: unknown[]): void => {
        if (/replayed/.test(String(line[1]))) told.push([level, ...line]);
      };
    stand.logger = { ...stand.logger, info: tell('info'), error: tell('error') };
    projector = await stand.start();
  });
  afterEach(async () => {
    await projector.stop();
    await stand.close();
  });

  const credit = (tenantId: string, amount_micros: number): EventRecord => {
    position += 1;
    const data = {
      entry_id: randomUUID(),
      amount_micros,
      source: 'grant',
      note: null,
      idempotency_key: randomUUID(),
      after: { balance_micros: position, held_micros: 0, windows: [] },
    };
    const place = { [POSITION_HEADER]: String(position), [SEQ_HEADER]: String(position) };
    const at = '2026-11-21T10:00:00.000Z';
    return encodeEvent({ id: randomUUID(), type: 'CreditGranted.v1', tenantId, at, data }, '/ledger', place);
  };
  /** All on one partition, so that the records of both tenants are mixed. */
  const append = async (...records: EventRecord[]): Promise<void> => {
    await stand.log.append(LEDGER_TOPIC, PARTITION, records);
    await eventually(() => stand.caughtUp());
  };
  const kept = async (tenant: string) =>
    (await stand.rows(`select amount from read.kept where tenant_id = '${tenant}' order by n`)).map(
      ({ amount }) => Number(amount),
    );
  const parked = async () =>
    (await stand.rows('select id, reason from read.parked order by record_offset')) as {
      id: string;
      reason: string;
    }[];
  /** Of `vendo_projection_replayed_total`, and of `vendo_projection_parked_total`. */
  const counts = async () => {
    const text = await projector.metrics.text();
    const of = (line: string): number =>
      Number(new RegExp(`^${line}[^}]*\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
    const replayed = 'vendo_projection_replayed_total\\{projection="kept",outcome=';
    return {
      folded: of(`${replayed}"folded"`),
      again: of(`${replayed}"parked"`),
      parked: of('vendo_projection_parked_total\\{projection="kept"'),
    };
  };
  const replayFirst = async (): Promise<void> => {
    const [first] = await parked();
    expect(await readModels.requestReplay(first?.id ?? '')).toBe(true);
  };

  it('folds what was parked once the projection is fixed, and the result is as if it had never been', async () => {
    keeper.broken.add(2);
    await append(credit(bad, 1), credit(bad, 2), credit(good, 5), credit(bad, 3), credit(bad, 4));
    expect(await kept(good)).toEqual([5]);
    expect(await kept(bad)).toEqual(order === 'journal' ? [1] : [1, 3, 4]);

    await replayFirst();
    await eventually(
      async () =>
        (await stand.rows('select from read.parked where replay_requested_at is not null')).length === 0,
    );
    expect((await parked())[0]?.reason).toBe('cannot take 2');
    for (const id of ['0', '999', '-1', 'x', '1 or true', '99999999999999999999'])
      expect(await readModels.requestReplay(id)).toBe(false);
    expect(await kept(bad)).toEqual(order === 'journal' ? [1] : [1, 3, 4]);

    // What arrives while the sequence is there follows it.
    await append(credit(bad, 6), credit(good, 7));
    keeper.broken.clear();
    await replayFirst();
    await eventually(async () => (await parked()).length === 0);
    await append(credit(bad, 8));
    expect(await kept(bad)).toEqual(order === 'journal' ? [1, 2, 3, 4, 6, 8] : [1, 3, 4, 6, 2, 8]);
    expect(await kept(good)).toEqual([5, 7]);
  });

  it('stops at a record that the table refuses, with its reason, and goes on from there when the table is right', async () => {
    keeper.broken.add(2);
    await append(credit(bad, 2), credit(bad, 3), credit(bad, 400), credit(bad, 5));
    keeper.broken.clear();
    await replayFirst();
    await eventually(async () => !(await kept(bad)).every((amount) => amount !== 2));
    await eventually(
      async () =>
        (await stand.rows('select from read.parked where replay_requested_at is not null')).length === 0,
    );
    expect(await kept(bad)).toEqual(order === 'journal' ? [2, 3] : [3, 5, 2]);
    expect((await parked()).map(({ reason }) => reason)).toEqual([
      expect.stringContaining('refused by the database: 23514'),
      ...(order === 'journal' ? ['follows a parked record of its tenant'] : []),
    ]);
    const about = { projection: 'kept', generation: 1, tenant: bad };
    const reason = expect.stringContaining('refused by the database: 23514');
    if (order === 'journal') {
      // 2 and all behind it were parked; the replay folds 2 and 3 and stops at 400.
      expect(await counts()).toEqual({ folded: 2, again: 1, parked: 4 });
      expect(told.at(-1)).toEqual([
        'error',
        { ...about, folded: 0, reason },
        'a replayed record stays parked',
      ]);
    } else {
      // 2 for the projection's sake, 400 for the table's; the replay folds 2.
      expect(await counts()).toEqual({ folded: 1, again: 0, parked: 2 });
      expect(told).toEqual([['info', { ...about, folded: 1 }, 'parked records replayed']]);
    }

    await stand.pool.query('alter table read.kept drop constraint small');
    await replayFirst();
    await eventually(async () => (await parked()).length === 0);
    expect(await kept(bad)).toEqual(order === 'journal' ? [2, 3, 400, 5] : [3, 5, 2, 400]);
  });

  it('folds each record once when two take the replay for theirs, and what arrives meanwhile after it', async () => {
    keeper.broken.add(2);
    await append(credit(bad, 2));
    keeper.broken.clear();
    let haveOverlapped = false;
    keeper.beforeCommit = async () => {
      keeper.beforeCommit = async () => undefined;
      await stand.log.append(LEDGER_TOPIC, PARTITION, [credit(bad, 3)]);
      // The other replay, and the follower with what has arrived: both wait for the checkpoint.
      await eventually(async () => (await stand.rows(WAITING)).length === 2, 5_000);
      haveOverlapped = true;
    };
    const parts = { ...stand, clock: new SystemClock(), metrics: new Metrics('spec') };
    const stopping = new AbortController();
    await replayFirst();
    // Beside the projector's own.
    const another = new Replayer(parts, [keeper]).duty.run(stopping.signal);
    await eventually(async () => (await kept(bad)).length > 1, 10_000).finally(() => stopping.abort());
    await another;
    expect(haveOverlapped).toBe(true);
    expect(await kept(bad)).toEqual([2, 3]);
    expect(await parked()).toEqual([]);
  });
});

it('loses no record that arrives in the middle of a replay, nor its order', async () => {
  const keeper = new Ledgerkeeper('journal');
  keeper.broken.add(0);
  const stand = await ProjectionStand.open([keeper]);
  await stand.pool.query(
    'create table read.kept (n bigint generated always as identity, tenant_id uuid, amount bigint)',
  );
  const tenantId = randomUUID();
  const records = Array.from({ length: 1_500 }, (_, n) => {
    const data = {
      entry_id: randomUUID(),
      amount_micros: n,
      source: 'grant',
      note: null,
      idempotency_key: randomUUID(),
      after: { balance_micros: n, held_micros: 0, windows: [] },
    };
    const place = { [POSITION_HEADER]: String(n + 1), [SEQ_HEADER]: String(n + 1) };
    const at = '2026-11-21T10:00:00.000Z';
    return encodeEvent({ id: randomUUID(), type: 'CreditGranted.v1', tenantId, at, data }, '/ledger', place);
  });
  const projector = await stand.start();
  try {
    await stand.log.append(LEDGER_TOPIC, 0, records.slice(0, 700));
    await eventually(() => stand.caughtUp());
    keeper.broken.clear();
    const arriving = (async () => {
      for (let at = 700; at < records.length; at += 20) {
        await stand.log.append(LEDGER_TOPIC, 0, records.slice(at, at + 20));
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
    const [first] = await stand.rows('select id from read.parked order by record_offset limit 1');
    await new ReadModels(stand.pool).requestReplay(String(first?.id));
    await arriving;
    await eventually(async () => (await stand.rows('select from read.kept')).length === records.length);
    expect(await stand.rows('select from read.parked')).toEqual([]);
    const amounts = await stand.rows('select amount from read.kept order by n');
    expect(amounts.map(({ amount }) => Number(amount))).toEqual(records.map((_, n) => n));
  } finally {
    await projector.stop();
    await stand.close();
  }
});
