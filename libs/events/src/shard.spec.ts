import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { SHARD_COUNT, shardOf } from './shard.js';

describe('shardOf', () => {
  /** Frozen: computed once outside of this program (first four bytes of SHA-256, big endian, mod 16). */
  it.each([
    ['0192a000-0000-7000-8000-000000000001', 1],
    ['0192a000-0000-7000-8000-000000000002', 15],
    ['00000000-0000-4000-8000-000000000000', 0],
    ['ffffffff-ffff-4fff-bfff-ffffffffffff', 1],
    ['', 2],
  ])('keeps tenant %p on shard %i for good', (tenant, shard) => expect(shardOf(tenant)).toBe(shard));

  it('has 16 shards for good', () => expect(SHARD_COUNT).toBe(16));

  it('names a shard that exists, whatever the tenant and the count', () =>
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 1024 }), (tenant, count) => {
        expect(shardOf(tenant, count)).toBeGreaterThanOrEqual(0);
        expect(shardOf(tenant, count)).toBeLessThan(count);
      }),
    ));

  it('spreads tenants: no shard has more than twice its part of 4,000', () => {
    const counts = new Array<number>(SHARD_COUNT).fill(0);
    for (const uuid of fc.sample(fc.uuid(), { numRuns: 4_000, seed: 7 })) {
      const shard = shardOf(uuid);
      counts[shard] = (counts[shard] ?? 0) + 1;
    }
    expect(Math.max(...counts)).toBeLessThan((2 * 4_000) / SHARD_COUNT);
  });
});
