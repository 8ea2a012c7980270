import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { FileSpool } from './file.spool.js';
import { recordsOf } from './frame.js';
import { nextUnread, readChunk } from './frame-source.js';
import type { Marks } from './marks.js';
import { eventNamed, SpoolWorld, spoolError } from './memory.spool-world.js';

let world: SpoolWorld;
beforeEach(() => {
  world = new SpoolWorld();
});
afterEach(() => world.end());

/** Every record in the files, as `number name` in the order of writing. */
async function written(spool: FileSpool): Promise<string[]> {
  const found: string[] = [];
  let at = nextUnread(spool, 0);
  while (at !== null) {
    const chunk = await readChunk(spool, world.disk, at);
    expect(chunk.damage).toEqual([]);
    for (const { frame } of chunk.frames)
      found.push(...recordsOf(frame).map(({ headers }, index) => `${frame.first + index} ${headers.ce_id}`));
    at = nextUnread(spool, chunk.end);
  }
  return found;
}

function segmentFiles(spool: FileSpool): string[] {
  return readdirSync(path.join(world.dataDir, 'spool', spool.id)).filter((name) => name.endsWith('.seg'));
}

describe('FileSpool', () => {
  it('numbers each partition from 1 without a gap, all events of a call in one frame', async () => {
    const spool = world.openSpool();
    expect(spool.append([eventNamed('a', 1), eventNamed('b', 1)])).toBe(true);
    spool.append([eventNamed('c', 2)]);
    spool.append([eventNamed('d', 1)]);
    expect(await written(spool)).toEqual(['1 a', '2 b', '1 c', '3 d']);
  });

  it('takes the events of one tenant only', () => {
    const spool = world.openSpool();
    expect(() => spool.append([eventNamed('a', 1), eventNamed('b', 2)])).toThrow(RangeError);
  });

  it.each<[string, (length: number) => number]>([
    [
      'ENOSPC',
      () => {
        throw spoolError('ENOSPC');
      },
    ],
    [
      'EIO',
      () => {
        throw spoolError('EIO');
      },
    ],
    ['a short write', (length) => length - 5],
    ['a write of nothing', () => 0],
  ])(
    'keeps frames in memory through %s, in order, and refuses new calls until they are written',
    async (_, fault) => {
      const spool = world.openSpool();
      spool.append([eventNamed('before')]);
      world.disk.fault = fault;
      expect(spool.append([eventNamed('failed')])).toBe(false);
      expect(spool.refusal()).toBe('the spool could not be written');
      await world.clock.sleep(3);
      expect(await written(spool)).toEqual(['1 before']);
      world.disk.fault = null;
      expect(spool.append([eventNamed('behind it')])).toBe(false);
      await world.until(() => spool.refusal() === null, 'mended');
      expect(spool.append([eventNamed('after')])).toBe(true);
      expect(await written(spool)).toEqual(['1 before', '2 failed', '3 behind it', '4 after']);
    },
  );

  it('truncates a short write before the next', () => {
    const spool = world.openSpool();
    world.disk.fault = () => 7;
    spool.append([eventNamed('a')]);
    expect(world.disk.truncations).toBeGreaterThan(0);
    expect(spool.segments[0]?.bytes).toBe(0);
  });

  it('goes on when a segment could not be opened', async () => {
    const spool = world.openSpool({ segmentBytes: 1 });
    const create = world.disk.create.bind(world.disk);
    world.disk.create = () => {
      throw spoolError('ENOSPC');
    };
    expect(spool.append([eventNamed('a')])).toBe(false);
    world.disk.create = create;
    await world.until(() => spool.refusal() === null, 'mended');
    expect(await written(spool)).toEqual(['1 a']);
  });

  it('refuses new calls while it is full, and still takes the ends of those that are open', () => {
    const spool = world.openSpool({ maxBytes: 1_000, segmentBytes: 300 });
    while (spool.refusal() === null) spool.append([eventNamed('a')]);
    expect(spool.bytes).toBeGreaterThan(1_000);
    expect(spool.refusal()).toBe('the spool is full');
    expect(spool.append([eventNamed('end')])).toBe(true);
    spool.marked({ 0: 1_000 });
    expect(spool.refusal()).toBeNull();
  });

  it('counts what waits in memory as part of what it holds', () => {
    const spool = world.openSpool();
    world.disk.fault = () => 0;
    spool.append([eventNamed('a')]);
    expect(spool.bytes).toBeGreaterThan(0);
  });

  it.each<[Marks, number]>([
    [{}, 4],
    [{ 1: 1 }, 3],
    [{ 2: 1 }, 3],
    [{ 1: 2 }, 2],
    [{ 1: 2, 2: 1 }, 1],
    [{ 1: 99, 2: 99 }, 1],
  ])('deletes the finished segments that the marks %j have passed: %i stay', (marks, left) => {
    const spool = world.openSpool({ segmentBytes: 1 });
    for (const [name, partition] of [
      ['a', 1],
      ['b', 2],
      ['c', 1],
      ['d', 2],
    ] as const)
      spool.append([eventNamed(name, partition)]);
    expect(segmentFiles(spool)).toHaveLength(4);
    spool.marked(marks);
    expect(segmentFiles(spool)).toHaveLength(left);
  });

  it('deletes a segment whose partitions have passed it in different answers, for an answer may lack a ledger', () => {
    const spool = world.openSpool({ segmentBytes: 1_300 });
    spool.append([eventNamed('a', 1)]);
    spool.append([eventNamed('b', 2)]);
    const [first] = segmentFiles(spool);
    for (const marks of [{ 1: 1 }, { 2: 1 }]) {
      spool.marked(marks);
      expect(segmentFiles(spool)).toEqual([first]);
    }
    spool.append([eventNamed('c', 1)]);
    expect(segmentFiles(spool)).toHaveLength(2);
    spool.marked({});
    expect(segmentFiles(spool)).not.toContain(first);
  });

  it('syncs all writes of 20 ms together, and refuses calls while a sync fails', async () => {
    let syncs = 0;
    const spool = world.openSpool();
    world.disk.syncFault = async () => {
      syncs += 1;
    };
    for (let n = 0; n < 100; n += 1) spool.append([eventNamed(`${n}`)]);
    await world.until(() => syncs === 1, 'a sync');
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(syncs).toBe(1);
    world.disk.syncFault = () => Promise.reject(spoolError('EIO'));
    spool.append([eventNamed('x')]);
    await world.until(() => spool.refusal() !== null, 'refusal');
    expect(spool.refusal()).toBe('the spool could not be synced to the disk');
    world.disk.syncFault = null;
    await world.until(() => spool.refusal() === null, 'good again');
  });

  it('does not wait for a slow sync', async () => {
    let release: () => void = () => undefined;
    world.disk.syncFault = () =>
      new Promise((resolve) => {
        release = resolve;
      });
    const spool = world.openSpool();
    spool.append([eventNamed('a')]);
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(spool.append([eventNamed('b')])).toBe(true);
    world.disk.syncFault = null;
    release();
    await spool.close();
  });

  it.each<[string, number, Marks, boolean]>([
    ['is empty', 0, {}, false],
    ['is applied', 2, { 0: 2 }, false],
    ['is not yet applied', 2, { 0: 1 }, true],
  ])('at its close, a spool that %s keeps its folder only if it must', async (_, appended, marks, stays) => {
    const spool = world.openSpool();
    for (let n = 0; n < appended; n += 1) spool.append([eventNamed(`${n}`)]);
    spool.marked(marks);
    await spool.close();
    expect(existsSync(path.join(world.dataDir, 'spool', spool.id))).toBe(stays);
  });

  it('tells since when the marks stand still', async () => {
    const spool = world.openSpool();
    expect(spool.oldestUnmarkedMs()).toBe(0);
    spool.append([eventNamed('a')]);
    spool.marked({});
    await new Promise((resolve) => setTimeout(resolve, 15));
    spool.marked({});
    expect(spool.oldestUnmarkedMs()).toBeGreaterThan(10);
    spool.marked({ 0: 1 });
    expect(spool.oldestUnmarkedMs()).toBe(0);
  });
});
