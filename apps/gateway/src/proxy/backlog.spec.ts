import { expect, it } from '@jest/globals';
import { BACKLOG_BYTES, Backlog } from './backlog.js';

const text = (backlog: Backlog): string => backlog.bytes.toString('latin1', 0, backlog.length);
/** At an even place in memory, as what comes from a socket is. */
const chunkOf = (bytes: number, fill = 'a'): Buffer => Buffer.alloc(bytes, fill);

it.each<[string, (backlog: Backlog) => void, string]>([
  ['more comes', (backlog) => backlog.add(Buffer.from('xbx'), 1, 2), `${'a'.repeat(BACKLOG_BYTES)}b`],
  ['all of it is dropped', (backlog) => backlog.drop(BACKLOG_BYTES), ''],
  ['some of it is dropped', (backlog) => backlog.drop(BACKLOG_BYTES - 5), 'aaaaa'],
  ['some of it is cut', (backlog) => backlog.cut(5), 'aaaaa'],
  ['it is released', (backlog) => backlog.release(), ''],
])('a chunk that it lies on is not written to when %s', (_, act, left) => {
  const chunk = chunkOf(BACKLOG_BYTES);
  const backlog = new Backlog();
  expect(backlog.lieOn(chunk)).toBe(true);
  // As it lies, not a copy.
  expect(backlog.bytes.buffer).toBe(chunk.buffer);
  act(backlog);
  expect(text(backlog)).toBe(left);
  const later = new Backlog();
  for (const each of [backlog, later]) {
    for (let times = 0; times < 3; times += 1) {
      each.add(chunkOf(20_000, 'b'), 0, 20_000);
      each.drop(10_000);
    }
    each.release();
  }
  expect(chunk.equals(chunkOf(BACKLOG_BYTES))).toBe(true);
});

it.each<[string, Buffer, Buffer]>([
  ['a small one', chunkOf(1_000), Buffer.alloc(0)],
  ['one at an odd place in memory', chunkOf(10_001).subarray(1), Buffer.alloc(0)],
  ['one behind what waits', chunkOf(10_000), Buffer.from('b')],
])('does not lie on %s', (_, chunk, before) => {
  const backlog = new Backlog();
  backlog.add(before, 0, before.length);
  expect(backlog.lieOn(chunk)).toBe(false);
  expect(text(backlog)).toBe(before.toString());
});

it('takes no chunk into the room that a lent one has left', () => {
  const backlog = new Backlog();
  const chunk = chunkOf(10_000);
  backlog.lieOn(chunk);
  expect(backlog.addWhole(chunkOf(1, 'b'))).toBe(false);
  backlog.cut(0);
  expect(backlog.addWhole(chunkOf(1, 'b'))).toBe(true);
  expect(chunk.equals(chunkOf(10_000))).toBe(true);
});
