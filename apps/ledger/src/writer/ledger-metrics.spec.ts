import { expect, it } from '@jest/globals';
import type { EventData } from '@vendo/events';
import { createLogger, Metrics } from '@vendo/runtime';
import type { JournalRow } from '../journal/journal.js';
import { LedgerMetrics } from './ledger-metrics.js';

const ID = '00000000-0000-4000-8000-000000000001';
type Ended = EventData<'HoldEnded.v1'>;

function ended(how: Ended['how'], held: number, cost: number, reason = 'completed'): JournalRow {
  const windows = { daily: '2026-11-21', monthly: '2026-11' };
  const after = { balance_micros: 0, held_micros: 0, windows: [] };
  const data = {
    hold_id: ID,
    how,
    subject: ID,
    amount_micros: held,
    cost_micros: cost,
    windows,
    reason,
    after,
  };
  return {
    shard: 0,
    position: 1n,
    tenantId: ID,
    seq: 1,
    spoolId: null,
    event: { type: 'HoldEnded.v1', data },
  };
}

it.each([
  // behaviour                                               the end                                      exposure  late
  ['counts nothing for a settlement within its hold', ended('settled', 100, 100), 0, ''],
  ['counts as exposure what a settlement costs above its hold', ended('settled', 100, 130), 30, ''],
  ['counts nothing for a release', ended('released', 100, 0), 0, ''],
  ['counts nothing for an expiry alone', ended('expired', 100, 0, 'spool_silent'), 0, ''],
  ['counts a late settlement whole', ended('late', 0, 70, 'after_expired'), 70, 'after_expired'],
  ['tells a hold that was never seen apart', ended('late', 0, 70, 'never_seen'), 70, 'never_seen'],
])('%s', async (_, row, exposure, lateReason) => {
  const metrics = new Metrics('spec');
  const counts = new LedgerMetrics(
    metrics,
    createLogger('spec', 'silent'),
    () => 0,
    () => 0,
    () => 0,
  );
  counts.committed({
    works: 1,
    seconds: 0.001,
    nowMs: 0,
    rows: [row],
    answers: [],
    reports: [],
    replays: [],
  });
  const text = await metrics.text();
  expect(text).toContain(`ledger_exposure_micros_total{app="spec"} ${exposure}\n`);
  const late = text.match(/^ledger_late_settlements_total\{reason="(\w+)",app="spec"\} (\d+)$/m);
  expect(late?.slice(1)).toEqual(lateReason ? [lateReason, '1'] : undefined);
});
