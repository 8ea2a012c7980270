import type { Metrics } from '@vendo/runtime';

/** What the gauges ask for when they are scraped. */
export interface SpoolGauges {
  bytes(): number;
  shipLagMs(): number;
  oldestUnmarkedMs(): number;
  leftovers(): number;
}

/** The spool's counters and gauges; docs/decisions/0005-spool.md says what each one means. */
export class SpoolMetrics {
  readonly frames;
  readonly writeFailures;
  readonly appendFailures;
  readonly recordsShipped;
  readonly recordsLost;
  readonly beatFailures;
  readonly reships;
  readonly adoptions;
  readonly moves;

  constructor(private readonly metrics: Metrics) {
    this.frames = metrics.counter('vendo_spool_frames_total', 'Frames appended to the spool');
    this.writeFailures = metrics.counter('vendo_spool_write_failures_total', 'Failed writes and syncs');
    this.appendFailures = metrics.counter('vendo_spool_append_failures_total', 'Failed appends to the log');
    this.recordsShipped = metrics.counter('vendo_spool_records_shipped_total', 'Records taken by the log');
    this.recordsLost = metrics.counter('vendo_spool_records_lost_total', 'Numbers shipped as RecordLost');
    this.beatFailures = metrics.counter('vendo_spool_beat_failures_total', 'Beats without an answer');
    this.reships = metrics.counter(
      'vendo_spool_reships_total',
      'Partitions shipped again because the ledger had read past a record without applying it',
    );
    this.adoptions = metrics.counter(
      'vendo_spool_adoptions_total',
      'Spools of dead writers that were adopted',
    );
    this.moves = metrics.counter('vendo_spool_moves_total', 'Own spools that another process had adopted');
  }

  watch(gauges: SpoolGauges): void {
    this.gauge(
      'vendo_spool_bytes',
      'Bytes of undeleted segments, own and left over, and of unwritten frames',
      gauges.bytes,
    );
    this.gauge('vendo_spool_ship_lag_seconds', 'Age of the oldest frame that the log has not taken', () =>
      seconds(gauges.shipLagMs()),
    );
    this.gauge('vendo_spool_oldest_unmarked_age_seconds', 'How long the marks have stood still', () =>
      seconds(gauges.oldestUnmarkedMs()),
    );
    this.gauge('vendo_spool_leftovers', 'Adopted spools that are not yet deleted', gauges.leftovers);
  }

  private gauge(name: string, help: string, read: () => number): void {
    this.metrics.gauge(name, help, [], function () {
      this.set(read());
    });
  }
}

function seconds(ms: number): number {
  return ms / 1_000;
}
