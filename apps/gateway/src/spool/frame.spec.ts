import { describe, expect, it } from '@jest/globals';
import type { EventRecord } from '@vendo/events';
import { checksumSeed, encodeFrame, frameAt, MAX_FRAME_BYTES, nextFrameFrom, recordsOf } from './frame.js';

const SEED = checksumSeed('01931111-0000-7000-8000-000000000001');

function record(value: string | Buffer, headers: Record<string, string> = {}, key = 'tenant'): EventRecord {
  return { key, headers, value: Buffer.from(value as string) };
}

function encoded(records: EventRecord[], seed = SEED): Buffer {
  return encodeFrame(
    { partition: 3, first: 7, writtenAtMs: 1_732_176_000_123, previous: null },
    records,
    seed,
  );
}

describe('frame', () => {
  it.each<[string, EventRecord[]]>([
    ['one record', [record('{}')]],
    ['an empty value', [record('')]],
    ['several records with headers', [record('a', { ce_id: '1', x: '' }), record('b', { ce_id: '2' })]],
    ['text beyond ASCII', [record('{"model":"模型 ÿVSþ 🙂"}', { ce_süß: '🙂' }, 'tenant-ü')]],
    ['arbitrary bytes', [record(Buffer.from([0, 255, 86, 83, 254, 10]))]],
    ['a long value', [record('x'.repeat(300_000))]],
  ])('gives back what was encoded: %s', (_, records) => {
    const bytes = encoded(records);
    const frame = frameAt(bytes, 0, SEED);
    expect(frame).toMatchObject({
      partition: 3,
      first: 7,
      count: records.length,
      writtenAtMs: 1_732_176_000_123,
    });
    expect(frame && recordsOf(frame)).toEqual(records);
  });

  it('names the frame before it, with numbers beyond 32 bits', () => {
    const previous = { partition: 15, last: 2 ** 40 };
    const bytes = encodeFrame({ partition: 0, first: 2 ** 41, writtenAtMs: 0, previous }, [record('')], SEED);
    expect(frameAt(bytes, 0, SEED)).toMatchObject({ first: 2 ** 41, previous });
  });

  it('is no frame once any single bit is flipped', () => {
    const bytes = encoded([record('{"cost":1}', { ce_id: 'a' })]);
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(frameAt(flipped, 0, SEED)).toBeNull();
    }
  });

  it('is no frame in the spool of another id', () => {
    expect(frameAt(encoded([record('a')]), 0, checksumSeed('another'))).toBeNull();
  });

  it('is found behind bytes that are none, even when they look like its beginning', () => {
    const whole = encoded([record('a')]);
    const bytes = Buffer.concat([Buffer.from('noise'), whole.subarray(0, 20), whole]);
    expect(nextFrameFrom(bytes, 0, SEED)).toBe(25);
    expect(nextFrameFrom(bytes, 26, SEED)).toBe(-1);
  });

  it('refuses to be longer than a reader would accept', () => {
    expect(() => encoded([record(Buffer.alloc(MAX_FRAME_BYTES))])).toThrow(RangeError);
  });
});
