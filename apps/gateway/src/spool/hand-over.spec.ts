import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { KEEP_MS } from './adopted-spool.js';
import { GatewayStand, type StandGateway } from './memory.gateway-stand.js';

let stand: GatewayStand;
beforeEach(() => {
  stand = new GatewayStand();
});
afterEach(() => stand.end());

/** Where the writer is when it is held; each step leaves it there, running. */
const POINTS = {
  'before its first beat': async (writer) => {
    writer.report('a');
    writer.report('b', 1);
  },
  'with a frame that is not shipped': async (writer) => {
    writer.logHolds = 'appends';
    await begin(writer);
  },
  'with a frame that the log has and did not acknowledge': async (writer) => {
    writer.logHolds = 'answers';
    await begin(writer);
    await stand.until(() => stand.log.records.length >= 2, 'in the log');
  },
  'with a frame that is shipped and not marked': async (writer) => {
    stand.ledger.consumes = false;
    await begin(writer);
    await stand.until(() => stand.log.records.length >= 2, 'in the log');
  },
  'with everything marked': async (writer) => {
    await begin(writer);
    await charged(['a', 'b']);
  },
  'in the middle of a write': async (writer) => {
    await begin(writer);
    await charged(['a', 'b']);
    writer.tearsNextWrite = true;
    writer.report('torn');
  },
} satisfies Record<string, (writer: StandGateway) => Promise<void>>;
type Point = keyof typeof POINTS;
const UNHEARD = 'before its first beat';
const TORN = 'in the middle of a write';
const points = Object.keys(POINTS) as Point[];

/** What holds the writer, and how it is let go. */
const HOLDS = {
  stopped: { hold: (writer) => writer.gate.close(), letGo: async (writer) => writer.gate.open() },
  'cut off': {
    hold: (writer) => {
      writer.isCutOff = true;
      // The calls that are open end all the same.
      writer.report('while cut off', 1);
    },
    letGo: async (writer) => {
      // By now all of it is on the disk, while the folder is there, and was followed by beats: nobody heard them, so they prove nothing.
      const { writing } = writer.spool;
      const isOnDisk = () => writing.beatSent() === writer.promised.length;
      await stand.until(() => isOnDisk() || writing.refusal() !== null, 'on the disk');
      const { unheardBeats } = writer;
      await stand.until(() => writer.unheardBeats > unheardBeats + 1, 'unheard beats');
      writer.isCutOff = false;
    },
  },
} satisfies Record<string, { hold(writer: StandGateway): void; letGo(writer: StandGateway): Promise<void> }>;
type Hold = keyof typeof HOLDS;

/** How far the adopter, on another host, has come when the writer is let go. */
const COMEBACKS = {
  'before the adoption': async () => {
    await stand.pass(30_000);
  },
  'after the compare-and-set': async (writer, adopter) => {
    adopter.logHolds = 'appends';
    await adoptedBy(adopter, writer);
  },
  'during the shipping': async (writer, adopter) => {
    adopter.logHolds = 'answers';
    await adoptedBy(adopter, writer);
    await stand.pass(5_000);
  },
  'after the marks reached the end': async (writer, adopter) => {
    await adoptedBy(adopter, writer);
    await shippedToItsEnd(writer.spool.ref.id);
  },
  'after the folder was deleted': async (writer, adopter) => {
    const { id } = writer.spool.ref;
    await adoptedBy(adopter, writer);
    await shippedToItsEnd(id);
    stand.clock.wallAheadMs += KEEP_MS;
    await stand.until(() => !folders().includes(id), 'deleted');
  },
} satisfies Record<string, (writer: StandGateway, adopter: StandGateway) => Promise<void>>;
type Comeback = keyof typeof COMEBACKS;
const DELETED = 'after the folder was deleted';
const comebacks = Object.keys(COMEBACKS) as Comeback[];

async function begin(writer: StandGateway): Promise<void> {
  await writer.start();
  writer.report('a');
  writer.report('b', 1);
}

const charged = (names: readonly string[]) =>
  stand.until(() => names.every((name) => stand.ledger.charged.has(name)), `charged: ${names}`);

async function adoptedBy(adopter: StandGateway, writer: StandGateway): Promise<void> {
  const { id } = writer.spool.ref;
  await stand.pass(75_000);
  await stand.until(() => stand.ledger.owners.get(id) === adopter.spool.ref.id, 'adopted');
}

const shippedToItsEnd = (id: string) =>
  stand.until(() => existsSync(path.join(stand.dataDir, 'spool', id, 'shipped.json')), 'shipped');

function folders(): string[] {
  return readdirSync(path.join(stand.dataDir, 'spool'));
}

/**
 * Everything that any of them promised is charged once and in turn, that of a living process at once; a day later nothing
 * is left but the folders of those who live.
 */
async function everythingIsCharged(...gateways: StandGateway[]): Promise<void> {
  stand.ledger.consumes = true;
  for (const gateway of gateways) gateway.logHolds = 'nothing';
  const living = gateways.filter(({ hasProcess }) => hasProcess);
  const left = () => {
    const used = living.map(({ spool }) => spool.ref.id);
    return folders().filter((id) => !used.includes(id));
  };
  await charged(living.flatMap(({ promised }) => promised));
  await stand.pass(75_000);
  for (const id of left()) await shippedToItsEnd(id);
  const kept = left();
  stand.clock.wallAheadMs += KEEP_MS - 1_000;
  await stand.pass(10_000);
  expect(left()).toEqual(kept);
  stand.clock.wallAheadMs += 60_000;
  await stand.until(() => left().length === 0, 'deleted after a day');
  await charged(gateways.flatMap(({ promised }) => promised));
  expect(stand.wronglyDeleted).toEqual([]);
  expect(stand.ledger.applied.filter(({ name }) => name === 'lost')).toEqual([]);
}

/** A writer on this host, brought to that point. */
async function writerAt(point: Point): Promise<StandGateway> {
  const writer = stand.gateway('here');
  await POINTS[point](writer);
  return writer;
}

describe('a writer', () => {
  const held = (Object.keys(HOLDS) as Hold[]).flatMap((hold) =>
    points
      .filter((point) => hold === 'stopped' || point !== TORN)
      .flatMap((point) => comebacks.map((comeback) => [hold, point, comeback] as const)),
  );

  it.each(held)('that is %s %s and comes back %s loses nothing', async (hold, point, comeback) => {
    const adopter = stand.gateway('there');
    await adopter.start();
    const writer = await writerAt(point);
    const first = writer.spool.ref.id;
    HOLDS[hold].hold(writer);
    if (point === UNHEARD) void writer.start();
    stand.ledger.consumes = true;
    await COMEBACKS[comeback](writer, adopter);
    writer.report('first after', 1);
    await HOLDS[hold].letGo(writer);
    writer.report('second after');
    const isAdopted = comeback !== 'before the adoption';
    if (isAdopted) await stand.until(() => writer.spool.ref.id !== first, 'a new spool');
    const beats = stand.ledger.beats.length;
    writer.report('in the new spool');
    await everythingIsCharged(writer, adopter);
    const beaten = stand.ledger.beats.slice(beats).map(({ spool }) => spool.id);
    expect(beaten.includes(first)).toBe(!isAdopted);
    expect(writer.spool.ref.id === first).toBe(!isAdopted);
  });

  it.each(points)('that is stopped %s beside a living sibling is left alone by it', async (point) => {
    const writer = await writerAt(point);
    writer.gate.close();
    if (point === UNHEARD) void writer.start();
    stand.ledger.consumes = true;
    const sibling = stand.gateway('here');
    await sibling.start();
    await stand.pass(150_000);
    expect(stand.ledger.adoptions).toEqual([]);
    writer.gate.open();
    writer.report('after');
    await everythingIsCharged(writer, sibling);
  });

  const killed = points.flatMap((point) => ['here', 'there'].map((host) => [point, host] as const));

  it.each(killed)('that is killed %s is adopted by a gateway %s, and loses nothing', async (point, host) => {
    const adopter = stand.gateway(host);
    await adopter.start();
    const writer = await writerAt(point);
    writer.kill();
    stand.ledger.consumes = true;
    await stand.pass(host === 'here' ? 15_000 : 45_000);
    await stand.until(
      () => stand.ledger.owners.size === (host === 'here' ? 1 : 0),
      'adopted at once or not yet',
    );
    await everythingIsCharged(writer, adopter);
    expect(stand.ledger.adoptions.at(-1)).toMatchObject({
      spool: writer.spool.ref,
      adopter: adopter.spool.ref,
      expected_owner: null,
      proof: host === 'here' ? 'process_gone' : 'silence',
    });
  });

  const late = comebacks.filter((comeback) => comeback !== 'before the adoption' && comeback !== DELETED);

  it.each(late)('that comes back %s and dies before it hears of it loses nothing', async (comeback) => {
    const adopter = stand.gateway('there');
    await adopter.start();
    const writer = await writerAt('with everything marked');
    writer.gate.close();
    await COMEBACKS[comeback](writer, adopter);
    writer.report('last words');
    writer.kill();
    await everythingIsCharged(writer, adopter);
  });

  it.each(late)(
    'that comes back %s and dies between the answer and its first frame in the new spool loses nothing',
    async (comeback) => {
      const adopter = stand.gateway('there');
      await adopter.start();
      const writer = await writerAt('with everything marked');
      writer.gate.close();
      await COMEBACKS[comeback](writer, adopter);
      writer.report('last words');
      writer.diesWhenMoving = true;
      writer.gate.open();
      await stand.until(() => !writer.hasProcess, 'dead');
      expect(folders()).toHaveLength(3);
      await everythingIsCharged(writer, adopter);
    },
  );
});

describe('an adopter', () => {
  it('is one of two that look at once; the other leaves the spool alone', async () => {
    const writer = await writerAt('with a frame that is not shipped');
    writer.kill();
    const two = [stand.gateway('here'), stand.gateway('here')];
    await Promise.all(two.map((gateway) => gateway.start()));
    await charged(['a', 'b']);
    await stand.pass(40_000);
    const { id } = writer.spool.ref;
    const owner = stand.ledger.owners.get(id);
    expect(two.map(({ spool }) => spool.ref.id)).toContain(owner);
    expect(stand.log.records).toHaveLength(2);
    const asking = stand.ledger.beats.filter(({ ask }) => ask.includes(id));
    expect(new Set(asking.map(({ spool }) => spool.id))).toEqual(new Set([owner]));
    await everythingIsCharged(writer, ...two);
  });

  const deaths = (
    ['after the compare-and-set', 'during the shipping', 'after the marks reached the end'] as const
  ).flatMap((point) => ['there', 'elsewhere'].map((host) => [point, host] as const));

  it.each(deaths)('that dies %s is followed by a gateway %s', async (point, host) => {
    const adopter = stand.gateway('there');
    await adopter.start();
    const writer = await writerAt('with a frame that is not shipped');
    writer.kill();
    await COMEBACKS[point](writer, adopter);
    adopter.kill();
    const next = stand.gateway(host);
    await next.start();
    await stand.pass(75_000);
    const { id } = writer.spool.ref;
    await stand.until(() => stand.ledger.owners.get(id) === next.spool.ref.id, 'taken over');
    await shippedToItsEnd(id);
    await stand.pass(20_000);
    expect(folders()).toContain(id);
    await everythingIsCharged(writer, adopter, next);
    const taken = stand.ledger.adoptions.filter(
      ({ spool, adopter: by }) => spool.id === id && by.id === next.spool.ref.id,
    );
    expect(taken.at(-1)).toMatchObject({
      expected_owner: adopter.spool.ref.id,
      proof: host === 'there' ? 'process_gone' : 'silence',
    });
  });

  it('that is adopted itself takes its adoptions again in the name of its new spool', async () => {
    const adopter = stand.gateway('there');
    await adopter.start();
    const dead = await writerAt('with a frame that is not shipped');
    dead.kill();
    adopter.logHolds = 'appends';
    await adoptedBy(adopter, dead);
    const first = adopter.spool.ref.id;
    stand.ledger.owners.set(first, 'somebody');
    await stand.until(() => stand.ledger.owners.get(dead.spool.ref.id) !== first, 'taken again');
    expect(stand.ledger.owners.get(dead.spool.ref.id)).toBe(adopter.spool.ref.id);
    expect(adopter.spool.ref.id).not.toBe(first);
    stand.ledger.owners.delete(first);
    adopter.logHolds = 'nothing';
    await charged(dead.promised);
  });

  it('neither beats the spool nor reports anything in it', async () => {
    const adopter = stand.gateway('there');
    await adopter.start();
    const writer = await writerAt('with everything marked');
    writer.kill();
    const beats = stand.ledger.beats.length;
    await adoptedBy(adopter, writer);
    await shippedToItsEnd(writer.spool.ref.id);
    const beaten = new Set(stand.ledger.beats.slice(beats + 1).map(({ spool }) => spool.id));
    expect(beaten).toEqual(new Set([adopter.spool.ref.id]));
    expect(stand.ledger.applied.map(({ name }) => name)).toEqual(['a', 'b']);
  });
});
