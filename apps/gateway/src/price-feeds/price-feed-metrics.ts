import type { Metrics } from '@vendo/runtime';

/** What price feeds did. Labels are providers and reasons that we know: never what a feed made up. */
export class PriceFeedMetrics {
  readonly readings;
  readonly changes;
  readonly refused;

  constructor(metrics: Metrics) {
    this.readings = metrics.counter(
      'vendo_price_feed_readings_total',
      'Readings of price feeds by what became of them: changed, unchanged, failed',
      ['provider', 'result'],
    );
    this.changes = metrics.counter('vendo_price_feed_changes_total', 'Prices that feeds added or changed', [
      'provider',
    ]);
    this.refused = metrics.counter(
      'vendo_price_feed_refused_total',
      'Models whose listed prices were not taken, at each reading',
      ['provider', 'why'],
    );
  }
}
