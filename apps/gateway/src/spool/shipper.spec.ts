import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { NUMBER_HEADER } from '@vendo/events';
import type { FileSpool } from './file.spool.js';
import { eventNamed, SpoolWorld } from './memory.spool-world.js';
import { Shipper } from './shipper.js';

let world: SpoolWorld;
beforeEach(() => {
  world = new SpoolWorld();
});
afterEach(() => world.end());

/** Four frames, of partitions 0 and 1 in turn; the bytes of their one segment, and where each frame begins and the last one ends. */
function fourFrames(): { spool: FileSpool; bytes: Buffer; starts: number[] } {
  const spool = world.openSpool();
  const starts = [0];
  for (const [index, name] of ['a', 'b', 'c', 'd'].entries()) {
    spool.append([eventNamed(name, index % 2)]);
    starts.push(spool.bytes);
  }
  return { spool, bytes: readFileSync(path.join(world.dataDir, 'spool', spool.id, '00000001.seg')), starts };
}

/** What is shipped of these bytes when they are all that a dead writer left, as `partition/number name`. */
async function shipped(id: string, bytes: Buffer, marks = {}): Promise<string[]> {
  const file = path.join(world.dataDir, 'left.seg');
  writeFileSync(file, bytes);
  const found: string[] = [];
  const source = { id, growing: false, segments: [{ index: 1, path: file, bytes: bytes.length }] };
  const append = async (partition: number, records: readonly { headers: Record<string, string> }[]) => {
    for (const { headers } of records) {
      const name = headers.ce_type === 'RecordLost.v1' ? 'lost' : headers.ce_id;
      found.push(`${partition}/${headers[NUMBER_HEADER]} ${name}`);
    }
    return 1n;
  };
  const shipper = new Shipper({ source, dataDir: world.dataDir, append, isNew: false }, world.parts);
  shipper.marked(marks, Object.fromEntries(Array.from({ length: 16 }, (_, partition) => [partition, 1])));
  shipper.start();
  while (!shipper.isDone) await new Promise((resolve) => setImmediate(resolve));
  await shipper.stop();
  return found.sort();
}

describe('Shipper', () => {
  it('of a spool cut at any byte of its last two frames ships all earlier frames and nothing else', async () => {
    const { spool, bytes, starts } = fourFrames();
    const [, , third = 0, fourth = 0, end = 0] = starts;
    const all = ['0/1 a', '1/1 b', '0/2 c', '1/2 d'];
    for (let cut = third; cut <= end; cut += 1) {
      const whole = cut === end ? 4 : cut >= fourth ? 3 : 2;
      expect(await shipped(spool.id, bytes.subarray(0, cut))).toEqual(all.slice(0, whole).sort());
    }
    expect(existsSync(path.join(world.dataDir, 'spool-damaged'))).toBe(false);
  });

  it('with a flipped byte anywhere in a middle frame ships the others, and RecordLost in its place', async () => {
    const { spool, bytes, starts } = fourFrames();
    const [, second = 0, third = 0] = starts;
    for (let at = second; at < third; at += 1) {
      const flipped = Buffer.from(bytes);
      flipped[at] = (flipped[at] ?? 0) ^ 0x55;
      expect(await shipped(spool.id, flipped)).toEqual(['0/1 a', '0/2 c', '1/1 lost', '1/2 d']);
    }
    const kept = readdirSync(path.join(world.dataDir, 'spool-damaged'));
    expect(kept).toEqual([`${spool.id}-1-${second}.bin`]);
  });

  it.each<[Record<string, number>, string[]]>([
    [{}, ['0/1 a', '0/2 c', '1/1 b', '1/2 d']],
    [{ 0: 1 }, ['0/2 c', '1/1 b', '1/2 d']],
    [{ 0: 2, 1: 1 }, ['1/2 d']],
    [{ 0: 2, 1: 2 }, []],
    [{ 0: 99, 1: 99 }, []],
  ])('ships from behind the marks %j', async (marks, expected) => {
    const { spool, bytes } = fourFrames();
    expect(await shipped(spool.id, bytes, marks)).toEqual(expected);
  });

  it('ships again from behind the mark, and only the partition that the ledger has read past', async () => {
    const { spool } = fourFrames();
    const found: string[] = [];
    const append = async (partition: number, records: readonly { headers: Record<string, string> }[]) => {
      for (const { headers } of records) found.push(`${partition}/${headers[NUMBER_HEADER]}`);
      return 1n;
    };
    const shipper = new Shipper({ source: spool, dataDir: world.dataDir, append, isNew: true }, world.parts);
    shipper.start();
    try {
      await world.until(() => found.length === 4 && shipper.isDone, 'shipped');
      shipper.marked({ 0: 1, 1: 1 }, { 0: 99, 1: 0 });
      await world.until(() => found.length > 4 && shipper.isDone, 'shipped again');
    } finally {
      await shipper.stop();
    }
    expect(found.slice(4)).toEqual(['0/2']);
  });

  it('does not tell what the ledger has applied as lost', async () => {
    const { spool, bytes, starts } = fourFrames();
    expect(await shipped(spool.id, Buffer.from(bytes).fill(0, 0, starts[2]), { 0: 1, 1: 1 })).toEqual([
      '0/2 c',
      '1/2 d',
    ]);
  });

  it('tells every number as lost that adjacent destroyed frames of several partitions had', async () => {
    const { spool, bytes, starts } = fourFrames();
    expect(await shipped(spool.id, Buffer.from(bytes).fill(0, 0, starts[2]))).toEqual([
      '0/1 lost',
      '0/2 c',
      '1/1 lost',
      '1/2 d',
    ]);
  });

  it('ships a frame longer than its reading window', async () => {
    const spool = world.openSpool();
    spool.append(Array.from({ length: 1_500 }, (_, n) => eventNamed(`${n}`)));
    const bytes = readFileSync(path.join(world.dataDir, 'spool', spool.id, '00000001.seg'));
    expect(bytes.length).toBeGreaterThan(300_000);
    expect(await shipped(spool.id, bytes)).toHaveLength(1_500);
  });
});
