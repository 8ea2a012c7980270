import { describe, expect, it } from '@jest/globals';
import { Kept } from './kept.js';

describe('what the sandbox keeps', () => {
  it('is the newest so many', () => {
    const kept = new Kept<number>(2);
    for (const n of [1, 2, 3]) kept.put(`id-${n}`, n);
    expect([1, 2, 3].map((n) => kept.get(`id-${n}`))).toEqual([undefined, 2, 3]);
  });

  it('is deleted once', () => {
    const kept = new Kept<number>(2);
    kept.put('a', 1);
    expect([kept.delete('a'), kept.delete('a'), kept.get('a')]).toEqual([true, false, undefined]);
  });
});
