import { appendFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { decodeEvent, NUMBER_HEADER, SPOOL_HEADER } from '@vendo/events';
import type { LedgerClient } from '@vendo/ledger-api';
import { v7 as uuidv7 } from 'uuid';
import { KEEP_MS } from './adopted-spool.js';
import { Adoptions, LOOK_MS } from './adoptions.js';
import type { FileSpool } from './file.spool.js';
import { eventNamed, SpoolWorld } from './memory.spool-world.js';

let world: SpoolWorld;
beforeEach(() => {
  world = new SpoolWorld();
});
afterEach(() => world.end());

function folderOf(spool: FileSpool): string {
  return path.join(world.dataDir, 'spool', spool.id);
}

function segmentOf(spool: FileSpool, index = 1): string {
  return path.join(folderOf(spool), `${String(index).padStart(8, '0')}.seg`);
}

function appendAll(spool: FileSpool, names: string[], partition = 0): void {
  for (const name of names) expect(spool.append([eventNamed(name, partition)])).toBe(true);
}

/** Starts the next process on the same data folder; the earlier writers are gone. */
async function restart(): Promise<FileSpool> {
  const next = world.openSpool();
  await world.ship(next);
  return next;
}

const applied = (spool: FileSpool, count: number) =>
  world.until(() => world.applied(spool.id).length >= count, `${count} applied`);

describe('shipping', () => {
  it('ships every record with its spool and number, and stops with an empty data folder', async () => {
    const spool = world.openSpool();
    const shipping = await world.ship(spool);
    appendAll(spool, ['a', 'b'], 3);
    appendAll(spool, ['c'], 4);
    await shipping.stop();
    expect(world.applied(spool.id).sort()).toEqual(['a', 'b', 'c']);
    expect(
      world.log.records.map(({ partition, record: { headers } }) => [
        partition,
        headers[SPOOL_HEADER],
        headers[NUMBER_HEADER],
      ]),
    ).toEqual(
      expect.arrayContaining([
        [3, spool.id, '1'],
        [3, spool.id, '2'],
        [4, spool.id, '1'],
      ]),
    );
    expect(existsSync(folderOf(spool))).toBe(false);
  });

  it('ships records of all partitions in order, in batches, one append per partition at a time', async () => {
    const spool = world.openSpool({ segmentBytes: 100_000 });
    for (let n = 0; n < 8_000; n += 1) spool.append([eventNamed(`${n}`, n % 16)]);
    await world.ship(spool);
    await applied(spool, 8_000);
    expect(world.ledger.gaps).toBe(0);
    expect(world.log.overlaps).toBe(0);
    expect(world.log.appends).toBeLessThan(4_000);
  });

  it.each<[string, true | 'after']>([
    ['failed', true],
    ['was stored though its answer was lost', 'after'],
  ])('ships again without a gap when an append %s', async (_, kind) => {
    const spool = world.openSpool();
    let failures = 5;
    world.log.fails = () => (failures-- > 0 ? kind : false);
    await world.ship(spool);
    const names = Array.from({ length: 200 }, (_, n) => `${n}`);
    appendAll(spool, names);
    await applied(spool, 200);
    expect(world.applied(spool.id)).toEqual(names);
    expect(world.ledger.gaps).toBe(0);
  });

  it('goes on with the other partitions while one fails, and catches up with it from the files', async () => {
    const spool = world.openSpool({ segmentBytes: 200_000 });
    world.log.fails = (partition) => partition === 5;
    await world.ship(spool);
    // More than a lane keeps in memory (1 MiB), so that partition 5 must be read again.
    const names = Array.from({ length: 6_000 }, (_, n) => `${n}`);
    for (const name of names) {
      spool.append([eventNamed(`${name}-5`, 5)]);
      spool.append([eventNamed(`${name}-6`, 6)]);
    }
    await applied(spool, 6_000);
    expect(world.applied(spool.id)).toEqual(names.map((name) => `${name}-6`));
    world.log.fails = () => false;
    await applied(spool, 12_000);
    expect(world.applied(spool.id).slice(6_000)).toEqual(names.map((name) => `${name}-5`));
    expect(world.ledger.gaps).toBe(0);
  });

  it('deletes segments by the marks only, not when the log has them', async () => {
    const spool = world.openSpool({ segmentBytes: 1 });
    world.ledger.consumes = false;
    await world.ship(spool);
    appendAll(spool, ['a', 'b', 'c']);
    await world.until(() => world.log.records.length === 3, 'shipped');
    const beats = world.ledger.beats.length;
    await world.until(() => world.ledger.beats.length > beats + 2, 'beats');
    expect(spool.segments).toHaveLength(3);
    world.ledger.consumes = true;
    await world.until(() => spool.segments.length === 1, 'deleted');
  });

  it('leaves what the log did not take in time to the next start', async () => {
    const spool = world.openSpool();
    world.log.fails = () => true;
    const shipping = await world.ship(spool, 30);
    appendAll(spool, ['a']);
    await shipping.stop();
    world.log.fails = () => false;
    await restart();
    await applied(spool, 1);
  });

  it('stops in time while a ledger does not say whether a spool may be adopted', async () => {
    appendAll(world.openSpool(), ['a']);
    let asked = 0;
    world.ledger.adopt = () => {
      asked += 1;
      return new Promise(() => undefined);
    };
    const spool = world.openSpool();
    const shipping = await world.ship(spool, 30);
    await world.until(() => asked === 1, 'asked');
    await shipping.stop();
    expect(existsSync(folderOf(spool))).toBe(false);
  });

  it('ships on and beats again after the ledger was away', async () => {
    const spool = world.openSpool();
    world.ledger.answers = false;
    await world.ship(spool);
    appendAll(spool, ['a']);
    await world.until(() => world.ledger.beats.length > 3, 'beats');
    world.ledger.answers = true;
    await applied(spool, 1);
  });
});

describe('what an earlier process left', () => {
  it('is shipped exactly from the marks, under its own id and numbers', async () => {
    const dead = world.openSpool();
    const shipping = await world.ship(dead, 0);
    appendAll(dead, ['a', 'b'], 2);
    await applied(dead, 2);
    world.log.fails = () => true;
    appendAll(dead, ['c', 'd'], 2);
    await shipping.stop();
    world.log.fails = () => false;
    const before = world.log.records.length;
    await restart();
    await applied(dead, 4);
    expect(world.applied(dead.id)).toEqual(['a', 'b', 'c', 'd']);
    expect(world.log.records.slice(before).map(({ record }) => record.headers[NUMBER_HEADER])).toEqual([
      '3',
      '4',
    ]);
  });

  it.each<[string, (dead: FileSpool) => void, boolean]>([
    ['a process that ended', () => undefined, true],
    [
      'a process of an earlier boot',
      () => {
        world.processes.bootId = 'boot-2';
      },
      true,
    ],
  ])('is taken from %s', async (_, change) => {
    const dead = world.openSpool();
    appendAll(dead, ['a']);
    change(dead);
    await restart();
    await applied(dead, 1);
  });

  it.each<[string, (header: Record<string, unknown>) => string]>([
    ['a writer that lives', (header) => JSON.stringify(header)],
    ['another host', (header) => JSON.stringify({ ...header, host: 'other', boot_id: 'b' })],
    ['nobody can say whom, as its header is damaged', () => '{"spool_id"'],
  ])('is left alone when it belongs to %s', async (_, header) => {
    const spool = world.openSpool();
    appendAll(spool, ['a']);
    const file = path.join(folderOf(spool), 'header.json');
    const written = JSON.parse(readFileSync(file, 'utf8'));
    const next = world.openSpool();
    writeFileSync(file, header({ ...written, started: world.processes.startOf(1) }));
    await world.ship(next);
    await world.until(() => world.ledger.beats.length > 3, 'beats');
    expect(world.ledger.beats.flatMap(({ ask }) => ask)).toEqual([]);
    expect(world.applied(spool.id)).toEqual([]);
  });

  it('is shipped as soon as a writer that outlived the start is gone', async () => {
    const dead = world.openSpool();
    appendAll(dead, ['a']);
    const next = world.openSpool();
    const living = { ...JSON.parse(readFileSync(path.join(folderOf(dead), 'header.json'), 'utf8')), pid: 77 };
    writeFileSync(path.join(folderOf(dead), 'header.json'), JSON.stringify(living));
    world.processes.alsoLiving = { pid: 77, started: living.started };
    await world.ship(next);
    await world.until(() => world.ledger.beats.length > 3, 'beats');
    expect(world.applied(dead.id)).toEqual([]);
    world.processes.alsoLiving = null;
    world.clock.monotonicAheadMs += LOOK_MS;
    await applied(dead, 1);
    expect(world.applied(dead.id)).toEqual(['a']);
  });

  it('is nothing when its writer ended well while the folder was looked through', async () => {
    const other = world.openSpool();
    appendAll(other, ['a']);
    const { adopt } = world.ledger;
    world.ledger.adopt = async (adoption) => {
      await world.disk.removeFolder(folderOf(other));
      return adopt.call(world.ledger, adoption);
    };
    await restart();
    await world.until(() => world.ledger.beats.some(({ ask }) => ask.includes(other.id)), 'adopted');
    const asked = () => world.ledger.beats.at(-1)?.ask;
    await world.until(() => asked()?.length === 0, 'forgotten');
    expect(existsSync(folderOf(other))).toBe(false);
  });

  it('does not keep a process from starting when it goes while it is looked at', async () => {
    await world.disk.writeFile(path.join(world.dataDir, 'spool', 'x'), '');
    symlinkSync('gone', path.join(world.dataDir, 'spool', uuidv7()));
    await world.ship(world.openSpool());
    await world.until(() => world.ledger.beats.length > 0, 'started');
  });

  it('is nothing when a writer that outlived the start has ended well', async () => {
    const other = world.openSpool();
    const next = world.openSpool();
    const header = readFileSync(path.join(folderOf(other), 'header.json'), 'utf8');
    const living = { ...JSON.parse(header), pid: 77 };
    writeFileSync(path.join(folderOf(other), 'header.json'), JSON.stringify(living));
    world.processes.alsoLiving = { pid: 77, started: living.started };
    await world.ship(next);
    await world.until(() => world.ledger.beats.length > 1, 'looked');
    await other.close();
    world.processes.alsoLiving = null;
    world.clock.monotonicAheadMs += LOOK_MS;
    const beats = world.ledger.beats.length;
    // A look that was under way may have read the header and then found the process gone; the next one finds no folder.
    await world.until(
      () => world.ledger.beats.length > beats + 3 && world.ledger.beats.at(-1)?.ask.length === 0,
      'nothing is asked for',
    );
    expect(existsSync(folderOf(other))).toBe(false);
  });

  it('is kept for a day after it is applied, read once more, and deleted', async () => {
    const dead = world.openSpool();
    appendAll(dead, ['a']);
    await restart();
    await world.until(() => existsSync(path.join(folderOf(dead), 'shipped.json')), 'applied');
    world.clock.wallAheadMs = KEEP_MS - 60_000;
    const beats = world.ledger.beats.length;
    await world.until(() => world.ledger.beats.length > beats + 3, 'beats');
    expect(existsSync(folderOf(dead))).toBe(true);
    // The writer was not gone after all.
    appendAll(dead, ['late']);
    world.clock.wallAheadMs = KEEP_MS + 60_000;
    await world.until(() => !existsSync(folderOf(dead)), 'deleted');
    expect(world.applied(dead.id)).toEqual(['a', 'late']);
  });

  it('counts in the limit of the spool until the ledger has applied it', async () => {
    world.log.fails = () => true;
    const dead = world.openSpool();
    appendAll(dead, ['a', 'b', 'c']);
    const next = world.openSpool({ maxBytes: dead.bytes - 1 });
    await world.ship(next);
    expect(next.refusal()).toBe('the spool is full');
    world.log.fails = () => false;
    await world.until(() => next.refusal() === null, 'room');
    expect(world.applied(dead.id)).toEqual(['a', 'b', 'c']);
    expect(existsSync(folderOf(dead))).toBe(true);
  });

  it('is asked for in portions that one beat may carry', async () => {
    const dead = world.openSpool();
    const header = readFileSync(path.join(folderOf(dead), 'header.json'), 'utf8');
    for (const id of Array.from({ length: 1_003 }, () => uuidv7())) {
      mkdirSync(path.join(world.dataDir, 'spool', id));
      writeFileSync(path.join(world.dataDir, 'spool', id, 'header.json'), header.replaceAll(dead.id, id));
    }
    world.processes.restart();
    const { dataDir, host } = world;
    const append = () => Promise.resolve(1n);
    const own = { ref: { id: uuidv7(), host }, hasLeft: () => false };
    const ledger = world.ledger as unknown as LedgerClient;
    const adoptions = new Adoptions(own, ledger, { dataDir, host, append }, world.parts);
    adoptions.marked([], { marks: {}, consumed: {}, owners: {}, adopted: false });
    await world.until(() => adoptions.count === 1_004, 'adopted');
    expect(adoptions.asking()).toHaveLength(1_000);
  });

  it('of several processes is shipped all, one append per partition at a time', async () => {
    world.log.slow = true;
    const dead = Array.from({ length: 6 }, (_, n) => {
      const spool = world.openSpool();
      appendAll(spool, [`${n}`], 7);
      return spool;
    });
    await restart();
    for (const [n, spool] of dead.entries()) {
      await applied(spool, 1);
      expect(world.applied(spool.id)).toEqual([`${n}`]);
    }
    expect(world.log.overlaps).toBe(0);
  });
});

describe('damage of what was left', () => {
  it('of the last frame of a partition is told too, by the frame behind it', async () => {
    const dead = world.openSpool();
    appendAll(dead, ['only'], 9);
    const end = dead.bytes;
    appendAll(dead, ['other'], 8);
    const bytes = readFileSync(segmentOf(dead));
    bytes.fill(0, 0, end);
    writeFileSync(segmentOf(dead), bytes);
    await restart();
    await applied(dead, 2);
    expect(world.applied(dead.id).sort()).toEqual(['lost', 'other']);
    const lost = world.log.records.find(({ partition }) => partition === 9);
    expect(lost && decodeEvent(lost.record).data).toEqual({
      spool_id: dead.id,
      partition: 9,
      number: 1,
      reason: 'damaged in the spool',
    });
  });

  it('of a whole segment costs what was in it', async () => {
    const dead = world.openSpool({ segmentBytes: 1 });
    appendAll(dead, ['a', 'b', 'c']);
    writeFileSync(segmentOf(dead, 2), 'nothing of use');
    await restart();
    await applied(dead, 3);
    expect(world.applied(dead.id)).toEqual(['a', 'lost', 'c']);
  });

  it('at the end is a torn write: cut without a RecordLost, and told again by nobody', async () => {
    const dead = world.openSpool();
    appendAll(dead, ['a']);
    appendFileSync(segmentOf(dead), Buffer.alloc(4_096));
    await restart();
    await applied(dead, 1);
    await world.until(() => existsSync(path.join(folderOf(dead), 'shipped.json')), 'applied');
    expect(world.applied(dead.id)).toEqual(['a']);
  });

  it('in the spool that is being written costs its records only', async () => {
    const spool = world.openSpool();
    appendAll(spool, ['a', 'b', 'c']);
    const bytes = readFileSync(segmentOf(spool));
    const middle = Math.floor(bytes.length / 2);
    bytes[middle] = (bytes[middle] ?? 0) ^ 0x55;
    writeFileSync(segmentOf(spool), bytes);
    await world.ship(spool);
    appendAll(spool, ['d']);
    await applied(spool, 4);
    expect(world.applied(spool.id)).toEqual(['a', 'lost', 'c', 'd']);
  });
});
