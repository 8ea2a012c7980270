import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { shardOf } from '@vendo/events';
import { Clock, SystemClock } from '@vendo/runtime';
import { HttpLedgerClient } from './http.ledger-client.js';
import { answersTo, LedgerStandIn, openAll, type Reply } from './ledger-stand-in.js';
import type { BeatAnswer, ReserveCommand } from './schemas.js';

const TOKEN = 'internal-token-of-the-spec';
const SPOOL = { id: '00000000-0000-4000-8000-0000000000ff', host: 'h' };
const BEAT = { spool: SPOOL, ask: [] };
/** Two tenants of different shards. */
const TENANT = '00000000-0000-4000-8000-000000000001';
const OTHER = '00000000-0000-4000-8000-000000000002';
const SHARD = String(shardOf(TENANT));
const OTHER_SHARD = String(shardOf(OTHER));

let a: LedgerStandIn;
let b: LedgerStandIn;
let client: HttpLedgerClient;
/** By shard, as all living ledgers say. */
let owners: Record<string, string>;

beforeEach(async () => {
  [a, b] = await Promise.all([LedgerStandIn.start(), LedgerStandIn.start()]);
  owners = { [SHARD]: a.origin, [OTHER_SHARD]: b.origin };
  for (const ledger of [a, b]) ledger.answer = ownedBy(ledger);
  client = new HttpLedgerClient([a.origin], TOKEN, new SystemClock());
});

afterEach(async () => {
  await client.close();
  await Promise.all([a.stop(), b.stop()]);
});

/** Decides what the ledger owns, and says of the rest who does. */
function ownedBy(ledger: LedgerStandIn): LedgerStandIn['answer'] {
  return (asked): Reply => {
    if (asked.path === '/internal/beat') return { status: 200, body: beatAnswer({ owners }) };
    if (asked.path === '/internal/reserve')
      return answersTo(asked.body, (command) => {
        const { hold_id } = command;
        const owner = owners[String(shardOf(command.tenant_id))] ?? null;
        return owner === ledger.origin
          ? { status: 'open', hold_id, reserved_at: '2026-11-21T10:00:00.000Z', rate_version: 1 }
          : { status: 'moved', hold_id, owner };
      });
    return { status: 404, body: { error: { code: 'not_found', message: '' } } };
  };
}

function beatAnswer(more: Partial<BeatAnswer>): BeatAnswer {
  return { marks: {}, consumed: {}, owners: {}, adopted: false, ...more };
}

type Strike = [what: string, strike: (ledger: LedgerStandIn) => void | Promise<void>, takeoverMs: number];
const answering = (reply: Reply) => (ledger: LedgerStandIn) => {
  ledger.answer = () => reply;
};
const STRIKES: Record<'dies' | 'hangs' | 'refuses', Strike> = {
  dies: ['dies', (ledger) => ledger.stop(), 700],
  // Later than the first request gives up.
  hangs: ['hangs', answering('hang'), 2_800],
  refuses: ['answers 503', answering({ status: 503, body: {} }), 700],
};

let holds = 0;
function command(tenant = TENANT): ReserveCommand {
  holds += 1;
  const hold_id = `00000000-0000-4000-8000-${String(holds).padStart(12, '0')}`;
  return { hold_id, tenant_id: tenant, subject: tenant, amount_micros: 1, rate_version: 1 };
}

const open = { status: 'open' };
const reserves = (ledger: LedgerStandIn) => ledger.on('/internal/reserve');

describe('reserves of several ledgers', () => {
  it('follows a move once, and goes to the owner from then on', async () => {
    expect(await client.reserve(SPOOL, command(OTHER))).toMatchObject(open);
    expect(await client.reserve(SPOOL, command(OTHER))).toMatchObject(open);
    expect([reserves(a).length, reserves(b).length]).toEqual([1, 2]);
    expect(reserves(b)[0]?.body).toBe(reserves(a)[0]?.body);
  });

  it('sends what a tick brings to each owner in one request', async () => {
    await client.beat(BEAT);
    const tenants = [TENANT, OTHER, TENANT, OTHER, TENANT];
    await Promise.all(tenants.map((tenant) => client.reserve(SPOOL, command(tenant))));
    const sizes = [a, b].map((ledger) =>
      reserves(ledger).map(({ body }) => (JSON.parse(body) as { commands: unknown[] }).commands.length),
    );
    expect(sizes).toEqual([[3], [2]]);
  });

  it('has two requests in flight to each, so that a slow ledger holds up no other', async () => {
    await client.beat(BEAT);
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    a.answer = async (asked) => {
      await held;
      return ownedBy(a)(asked);
    };
    const slow = [];
    for (let n = 0; n < 5; n++) {
      slow.push(client.reserve(SPOOL, command()));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    for (let n = 0; n < 5; n++) expect(await client.reserve(SPOOL, command(OTHER))).toMatchObject(open);
    expect(reserves(a)).toHaveLength(2);
    release();
    for (const answer of await Promise.all(slow)) expect(answer).toMatchObject(open);
  });

  it.each<[string, () => Reply]>([
    ['nobody owns the shard', () => moved(null)],
    ['the ledger names itself', () => moved(a.origin)],
    ['the owner is no address', () => moved('file:///etc/passwd')],
  ])('asks again after a pause while %s, and never answers “moved”', async (_, answer) => {
    a.answer = (asked) => (reserves(a).length <= 3 ? answer() : openAll(asked));
    const startedMs = performance.now();
    expect(await client.reserve(SPOOL, command())).toMatchObject(open);
    expect(reserves(a)).toHaveLength(4);
    expect(performance.now() - startedMs).toBeGreaterThan(100);
  });

  const moved = (owner: string | null): Reply =>
    answersTo(reserves(a).at(-1)?.body ?? '', ({ hold_id }) => ({ status: 'moved', hold_id, owner }));

  it('does not spin where two ledgers name each other', async () => {
    const naming = (other: LedgerStandIn) => (asked: { body: string }) =>
      answersTo(asked.body, ({ hold_id }) => ({ status: 'moved', hold_id, owner: other.origin }));
    a.answer = naming(b);
    b.answer = naming(a);
    const answer = client.reserve(SPOOL, command());
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(reserves(a).length + reserves(b).length).toBeLessThan(12);
    a.answer = openAll;
    expect(await answer).toMatchObject(open);
  });

  it.each([STRIKES.dies, STRIKES.hangs, STRIKES.refuses])(
    'waits out the takeover of an owner that %s, with no error and no needless wait',
    async (_, strike, takeoverMs) => {
      await client.beat(BEAT);
      await client.reserve(SPOOL, command());
      await strike(a);
      const answers = Array.from({ length: 20 }, () => client.reserve(SPOOL, command()));
      const took = new Promise((resolve) =>
        setTimeout(() => {
          owners = { [SHARD]: b.origin, [OTHER_SHARD]: b.origin };
          resolve(performance.now());
        }, takeoverMs),
      );
      for (const answer of await Promise.all(answers)) expect(answer).toMatchObject(open);
      expect(performance.now() - Number(await took)).toBeLessThan(600);
      expect(await client.reserve(SPOOL, command())).toMatchObject(open);
    },
  );

  it('comes back to an owner that was only slow, without a takeover', async () => {
    await client.beat(BEAT);
    let hangs = true;
    a.answer = (asked) => (hangs ? 'hang' : ownedBy(a)(asked));
    const answer = client.reserve(SPOOL, command());
    setTimeout(() => {
      hangs = false;
    }, 2_400);
    expect(await answer).toMatchObject(open);
    expect(reserves(b)).toHaveLength(0);
  }, 10_000);

  it('begins at any seed that lives', async () => {
    const seeded = new HttpLedgerClient([a.origin, b.origin], TOKEN, new SystemClock());
    await a.stop();
    expect(await seeded.reserve(SPOOL, command(OTHER))).toMatchObject(open);
    await seeded.close();
  });

  it('closes the connections to a ledger that nobody names any more', async () => {
    await client.beat(BEAT);
    await client.reserve(SPOOL, command(OTHER));
    expect(await b.connections()).toBeGreaterThan(0);
    owners = { [SHARD]: a.origin, [OTHER_SHARD]: a.origin };
    await client.beat(BEAT);
    for (let turn = 0; turn < 100 && (await b.connections()) > 0; turn++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect(await b.connections()).toBe(0);
    expect(await client.reserve(SPOOL, command(OTHER))).toMatchObject(open);
  });
});

describe('beats to several ledgers', () => {
  const X = '00000000-0000-4000-8000-00000000000a';

  it('reach every owner, and their answers are one', async () => {
    await client.beat(BEAT);
    const marksOf = (numbers: Record<string, number>) => ({ [SPOOL.id]: numbers, [X]: numbers });
    // Each also says something stale of the other's partition; what goes with the lower offset is not heard.
    a.answer = () => ({
      status: 200,
      body: beatAnswer({ owners, consumed: { 1: 10, 2: 7 }, marks: marksOf({ 1: 5, 2: 3, 9: 1 }) }),
    });
    b.answer = () => ({
      status: 200,
      body: beatAnswer({ owners, adopted: true, consumed: { 1: 4, 2: 20 }, marks: marksOf({ 1: 4, 2: 8 }) }),
    });
    expect(await client.beat({ spool: SPOOL, ask: [X] })).toEqual({
      marks: marksOf({ 1: 5, 2: 8 }),
      consumed: { 1: 10, 2: 20 },
      owners,
      adopted: true,
    });
  });

  it.each([STRIKES.dies, STRIKES.hangs])(
    'are heard by the others every second though one %s',
    async (_, strike) => {
      await client.beat(BEAT);
      await strike(a);
      const before = b.on('/internal/beat').length;
      const startedMs = performance.now();
      for (let n = 0; n < 3; n++) expect((await client.beat(BEAT)).owners).toEqual(owners);
      expect(performance.now() - startedMs).toBeLessThan(3 * 950);
      expect(b.on('/internal/beat').length - before).toBe(3);
    },
  );

  it('tell a late answer with the next beat that asks the same, and drop it for another question', async () => {
    await client.beat(BEAT);
    const late = (ledger: LedgerStandIn, partition: number, afterMs: number) => {
      ledger.answer = async () => {
        await new Promise((resolve) => setTimeout(resolve, afterMs));
        return { status: 200, body: beatAnswer({ owners, consumed: { [partition]: 1 } }) };
      };
    };
    late(a, 1, 900);
    late(b, 2, 0);
    expect((await client.beat(BEAT)).consumed).toEqual({ 2: 1 });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect((await client.beat(BEAT)).consumed).toEqual({ 1: 1, 2: 1 });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect((await client.beat({ spool: SPOOL, ask: [X] })).consumed).toEqual({ 2: 1 });
  });

  it('fail when nobody answers', async () => {
    await Promise.all([a.stop(), b.stop()]);
    await expect(client.beat(BEAT)).rejects.toMatchObject({ code: 'billing_unavailable' });
  });
});

describe('an operator’s commands to several ledgers', () => {
  const credit = { tenant_id: TENANT, amount_micros: 1, source: 's', note: null, idempotency_key: 'k' };
  const granted = { id: TENANT, amount_micros: 1, balance_micros: 1, seq: 1 };
  const wrongOwner = (owner: string | null): Reply => ({
    status: 421,
    body: { error: { code: 'wrong_owner', message: '', owner } },
  });

  it.each([
    ['null', null],
    ['another ledger', 'b'],
  ])('follow 421 that names %s until it is taken', async (_, named) => {
    owners = { [SHARD]: b.origin };
    a.answer = () => wrongOwner(named === null ? null : b.origin);
    b.answer = () => ({ status: 201, body: granted });
    const seeds = named === null ? [a.origin, b.origin] : [a.origin];
    const seeded = new HttpLedgerClient(seeds, TOKEN, new SystemClock());
    expect(await seeded.grantCredit(credit)).toEqual(granted);
    expect(b.on('/internal/credits')[0]?.body).toBe(a.on('/internal/credits')[0]?.body);
    await seeded.close();
  });

  it('go on to the next ledger when one does not answer', async () => {
    await client.beat(BEAT);
    await a.stop();
    b.answer = () => ({ status: 201, body: granted });
    expect(await client.grantCredit(credit)).toEqual(granted);
    b.answer = () => ({ status: 200, body: { spools: [] } });
    expect(await client.spools()).toEqual([]);
  });

  it('give up when no ledger takes them for six seconds', async () => {
    a.answer = () => wrongOwner(a.origin);
    const clock = new HandClock();
    const hurried = new HttpLedgerClient([a.origin], TOKEN, clock);
    await expect(hurried.grantCredit(credit)).rejects.toMatchObject({ code: 'billing_unavailable' });
    expect(clock.ms).toBeGreaterThan(5_800);
    expect(clock.ms).toBeLessThanOrEqual(6_000);
    await hurried.close();
  });
});

/** Its sleeps are over at once. */
class HandClock extends Clock {
  ms = 0;
  wallMs(): number {
    return this.ms;
  }
  monotonicMs(): number {
    return this.ms;
  }
  async sleep(ms: number): Promise<void> {
    this.ms += ms;
  }
}
