import { describe, expect, it } from '@jest/globals';
import { createTestDatabase } from '@vendo/testing';
import { Rational } from './rational.js';

describe('Rational', () => {
  it('works', async () => {
    expect(Rational.parse('2.5e-06').toDecimal()).toBe('0.0000025');
    const db = await createTestDatabase();
    await db.drop();
  });
});
