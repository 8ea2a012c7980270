import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ByteCollector } from './byte-collector.js';

it('gives back the bytes of all chunks, and is empty afterwards', () =>
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 50 })), (chunks) => {
      const collector = new ByteCollector();
      for (let round = 0; round < 2; round += 1) {
        for (const chunk of chunks) collector.add(Buffer.from(chunk));
        expect(collector.length).toBe(Buffer.concat(chunks).length);
        expect(collector.take()).toEqual(Buffer.concat(chunks));
        expect(collector.length).toBe(0);
      }
    }),
  ));

it('leaves the chunks themselves as they are', () => {
  const collector = new ByteCollector();
  const first = Buffer.from('abcdef').subarray(0, 3);
  collector.add(first);
  collector.add(Buffer.from('xyz'));
  expect(collector.take().toString()).toBe('abcxyz');
  expect(Buffer.from(first.buffer, first.byteOffset, 6).toString()).toBe('abcdef');
});

it('takes a million chunks of one byte without keeping a million things', () => {
  const collector = new ByteCollector();
  const heapBefore = process.memoryUsage().heapUsed;
  for (let n = 0; n < 1_000_000; n += 1) collector.add(Buffer.from([n % 256]));
  globalThis.gc?.();
  // A list of chunks holds about 100 bytes for each of them.
  expect(process.memoryUsage().heapUsed - heapBefore).toBeLessThan(80_000_000);
  expect(collector.take()).toHaveLength(1_000_000);
});
