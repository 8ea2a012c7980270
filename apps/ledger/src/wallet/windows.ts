import type { CapPeriod, Windows } from '@vendo/events';

export const PERIODS: readonly CapPeriod[] = ['daily', 'monthly'];

/** The UTC windows that an instant (milliseconds since the epoch, the ledger's clock) falls into: `2026-11-21` and `2026-11`. */
export function windowsAt(nowMs: number): Windows {
  if (nowMs !== asked.nowMs) {
    const day = new Date(nowMs).toISOString().slice(0, 10);
    asked = { nowMs, windows: { daily: day, monthly: day.slice(0, 7) } };
  }
  return asked.windows;
}

/** The last answer: all commands of a batch ask for the same instant. */
let asked: { nowMs: number; windows: Windows } = { nowMs: Number.NaN, windows: { daily: '', monthly: '' } };

/** Whole seconds from an instant to the end of its UTC window, rounded up, at least 1. */
export function secondsToEnd(period: CapPeriod, nowMs: number): number {
  const now = new Date(nowMs);
  const [year, month, day] = [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()];
  const endMs = period === 'daily' ? Date.UTC(year, month, day + 1) : Date.UTC(year, month + 1, 1);
  return Math.max(1, Math.ceil((endMs - nowMs) / 1_000));
}
