import { describe, expect, it } from '@jest/globals';
import { secondsToEnd, windowsAt } from './windows.js';

describe('windows', () => {
  it.each([
    ['2026-11-21T00:00:00.000Z', '2026-11-21', '2026-11', 86_400, 864_000],
    ['2026-11-21T23:59:59.999Z', '2026-11-21', '2026-11', 1, 777_601],
    ['2026-11-30T23:59:59.001Z', '2026-11-30', '2026-11', 1, 1],
    ['2026-12-31T12:00:00.000Z', '2026-12-31', '2026-12', 43_200, 43_200],
    ['2028-02-28T00:00:00.000Z', '2028-02-28', '2028-02', 86_400, 172_800],
    // Days on which clocks change in Europe and America have 24 hours here.
    ['2026-03-29T00:00:00.000Z', '2026-03-29', '2026-03', 86_400, 259_200],
    ['2026-11-01T00:00:00.000Z', '2026-11-01', '2026-11', 86_400, 2_592_000],
  ])(
    '%s falls into %s and %s, %d s before midnight UTC, %d s before the month ends',
    (at, daily, monthly, day, month) => {
      const nowMs = Date.parse(at);
      expect(windowsAt(nowMs)).toEqual({ daily, monthly });
      expect(secondsToEnd('daily', nowMs)).toBe(day);
      expect(secondsToEnd('monthly', nowMs)).toBe(month);
    },
  );
});
