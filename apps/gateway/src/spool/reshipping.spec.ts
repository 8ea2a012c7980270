import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { NUMBER_HEADER } from '@vendo/events';
import type { FileSpool } from './file.spool.js';
import { eventNamed, SpoolWorld } from './memory.spool-world.js';

let world: SpoolWorld;
beforeEach(() => {
  world = new SpoolWorld();
});
afterEach(() => world.end());

function appendAll(spool: FileSpool, names: string[], partition: number): void {
  for (const name of names) spool.append([eventNamed(name, partition)]);
}

/** The numbers that the log took for a partition, copies included, in its order. */
function shipped(partition: number): number[] {
  return world.log.of(partition).map(({ record }) => Number(record.headers[NUMBER_HEADER]));
}

async function beats(count: number): Promise<void> {
  const before = world.ledger.beats.length;
  await world.until(() => world.ledger.beats.length >= before + count, `${count} beats`);
}

/** Loses that number of that partition, as often as told. */
function lose(partition: number, number: number, times = 1): void {
  let left = times;
  world.log.loses = (record, of) =>
    of === partition && record.headers[NUMBER_HEADER] === String(number) && left-- > 0;
}

const count = (numbers: readonly number[], number: number) => numbers.filter((one) => one === number).length;

describe('a stream', () => {
  it('is not shipped twice while the ledger is behind, however long', async () => {
    const spool = world.openSpool();
    world.ledger.consumes = false;
    await world.ship(spool);
    for (let round = 0; round < 9; round += 1) {
      appendAll(spool, [`${round}a`, `${round}b`], 3);
      world.clock.monotonicAheadMs += 10_000;
      world.clock.wallAheadMs += 10_000;
      await beats(3);
    }
    world.ledger.consumes = true;
    await world.until(() => world.applied(spool.id).length === 18, 'applied');
    await beats(3);
    expect(shipped(3)).toEqual(Array.from({ length: 18 }, (_, index) => index + 1));
  });

  it('is shipped again from the mark, once, when the log lost a number that it took; other partitions are not', async () => {
    const spool = world.openSpool({ segmentBytes: 900 });
    lose(3, 4);
    await world.ship(spool);
    const names = Array.from({ length: 10 }, (_, n) => `${n}`);
    for (const name of names) {
      appendAll(spool, [`${name}-3`], 3);
      appendAll(spool, [`${name}-4`], 4);
      await world.clock.sleep(2);
    }
    await world.until(() => world.applied(spool.id).length === 20, 'applied');
    await beats(10);
    expect(shipped(4)).toEqual(Array.from({ length: 10 }, (_, index) => index + 1));
    expect([1, 2, 3].map((number) => count(shipped(3), number))).toEqual([1, 1, 1]);
    expect(count(shipped(3), 4)).toBe(2);
    for (const number of [5, 6, 7, 8, 9, 10]) expect(count(shipped(3), number)).toBeLessThanOrEqual(2);
    expect(world.ledger.applied.filter(({ partition }) => partition === 3).map(({ name }) => name)).toEqual(
      names.map((name) => `${name}-3`),
    );
  });

  it('is shipped again once more when the copy is lost as well, and not before the ledger has read past that', async () => {
    const spool = world.openSpool();
    lose(3, 1, 3);
    await world.ship(spool);
    appendAll(spool, ['a', 'b'], 3);
    await world.until(() => world.applied(spool.id).length === 2, 'applied');
    await beats(5);
    expect(count(shipped(3), 1)).toBe(4);
  });

  it('is not shipped again while an append of it is on its way, nor for that append', async () => {
    const spool = world.openSpool();
    lose(3, 1);
    await world.ship(spool);
    appendAll(spool, ['a'], 3);
    // Or more already: a beat may come before the next look.
    await world.until(() => world.log.records.length >= 1, 'in the log');
    world.log.slow = true;
    appendAll(spool, ['b', 'c'], 3);
    await world.until(() => world.applied(spool.id).length === 3, 'applied');
    await beats(20);
    expect(count(shipped(3), 1)).toBe(2);
    expect(world.log.overlaps).toBe(0);
  });

  it('is not shipped again for a partition whose owner does not answer', async () => {
    const spool = world.openSpool();
    lose(3, 1);
    world.ledger.unanswered.add(3);
    await world.ship(spool);
    appendAll(spool, ['a'], 3);
    appendAll(spool, ['b'], 4);
    await world.until(() => world.applied(spool.id).length === 1, 'applied');
    await beats(5);
    expect(shipped(3)).toEqual([1]);
    world.ledger.unanswered.clear();
    await world.until(() => world.applied(spool.id).length === 2, 'applied');
    expect(shipped(3)).toEqual([1, 1]);
  });

  it('that was left is shipped from the marks once, each partition when its owner has answered', async () => {
    const dead = world.openSpool();
    const shipping = await world.ship(dead, 0);
    appendAll(dead, ['a', 'b'], 3);
    appendAll(dead, ['c'], 4);
    await world.until(() => world.applied(dead.id).length === 3, 'applied');
    world.log.fails = () => true;
    appendAll(dead, ['d'], 3);
    appendAll(dead, ['e'], 4);
    await shipping.stop();
    world.log.fails = () => false;
    world.ledger.unanswered.add(3);
    await world.ship(world.openSpool());
    await world.until(() => world.applied(dead.id).length === 4, 'applied');
    await beats(5);
    expect([shipped(3), shipped(4)]).toEqual([
      [1, 2],
      [1, 2],
    ]);
    world.ledger.unanswered.clear();
    await world.until(() => world.applied(dead.id).length === 5, 'applied');
    await beats(5);
    expect([shipped(3), shipped(4)]).toEqual([
      [1, 2, 3],
      [1, 2],
    ]);
  });
});
