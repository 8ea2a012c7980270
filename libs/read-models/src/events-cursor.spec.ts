import { describe, expect, it } from '@jest/globals';
import { decodeCursor, encodeCursor } from './events-cursor.js';

const CURSOR = { reservedAt: '2026-11-21T10:00:00.123Z', id: '0199a0b2-1111-7222-8333-444455556666' };

describe('the cursor of usage events', () => {
  it('reads back what it wrote', () => {
    expect(decodeCursor(encodeCursor(CURSOR))).toEqual(CURSOR);
  });

  it.each([
    '',
    'x',
    '....',
    encodeCursor({ ...CURSOR, reservedAt: '2026-13-41T10:00:00.123Z' }),
    encodeCursor({ ...CURSOR, reservedAt: '2026-02-31T10:00:00.123Z' }),
    encodeCursor({ ...CURSOR, reservedAt: '0000-01-01T10:00:00.123Z' }),
    encodeCursor({ ...CURSOR, id: "' or 1=1 --" }),
    `${encodeCursor(CURSOR)}AAAA`,
  ])('refuses %j', (text) => {
    expect(decodeCursor(text)).toBeNull();
  });
});
