import type { Metrics } from '@vendo/runtime';

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** What the proxy counts. Labels are providers, routes and outcomes that we know: never what a client made up. */
export class ProxyMetrics {
  readonly calls;
  readonly added;
  readonly ttfb;
  readonly open;
  readonly draining;
  readonly bodyBytes;
  readonly reserveFailures;
  readonly spoolFailures;
  readonly pricingFailures;
  readonly unpriced;
  readonly unreported;
  readonly uncounted;
  readonly unitsDiffer;
  readonly poolExhausted;
  readonly jobsSettled;
  readonly refunds;

  constructor(metrics: Metrics) {
    this.calls = metrics.counter('vendo_proxy_calls_total', 'Calls by what became of them', [
      'provider',
      'route',
      'status_class',
      'outcome',
    ]);
    this.added = metrics.histogram(
      'vendo_proxy_added_seconds',
      'From the request to the moment it is handed to the provider, reserve included',
      SECONDS,
      ['provider'],
    );
    this.ttfb = metrics.histogram(
      'vendo_proxy_ttfb_seconds',
      "From the request to the headers of the provider's answer",
      SECONDS,
      ['provider'],
    );
    this.open = metrics.gauge('vendo_proxy_open_calls', 'Calls that are under way, drains included');
    this.draining = metrics.gauge('vendo_proxy_draining_calls', 'Answers read to their end without a client');
    this.bodyBytes = metrics.gauge('vendo_proxy_body_bytes', 'Request bodies in memory');
    this.reserveFailures = metrics.counter(
      'vendo_proxy_reserve_failures_total',
      'Metered calls that got no hold because billing was unavailable',
    );
    this.spoolFailures = metrics.counter(
      'vendo_proxy_spool_failures_total',
      'Ends of holds that the spool could not write at once',
    );
    this.pricingFailures = metrics.counter(
      'vendo_proxy_pricing_failures_total',
      'Usage recorded unpriced because pricing failed',
      ['provider'],
    );
    this.unpriced = metrics.counter(
      'vendo_proxy_unpriced_total',
      'Meters without a rate in the tier that was billed',
      ['provider'],
    );
    this.unreported = metrics.counter(
      'vendo_proxy_unreported_total',
      '2xx answers of metered routes without any usage report',
      ['provider', 'outcome'],
    );
    this.uncounted = metrics.counter(
      'vendo_proxy_uncounted_total',
      "Calls that cost their lower bound because the provider's count did not come, by why",
      ['provider', 'why'],
    );
    this.unitsDiffer = metrics.counter(
      'vendo_proxy_provider_units_differ_total',
      'Calls for which the provider counted other units than its price list says, for finance',
      ['provider'],
    );
    this.poolExhausted = metrics.counter(
      'vendo_proxy_pool_account_exhausted_total',
      "Answers by which a provider says that the operator's own account is out of money",
      ['provider'],
    );
    this.refunds = metrics.counter(
      'vendo_proxy_refunds_total',
      'Charges given back because the provider did',
      ['provider'],
    );
    this.jobsSettled = metrics.counter(
      'vendo_jobs_settled_total',
      'Jobs whose end this gateway has reported, by what the provider said',
      ['provider', 'how'],
    );
  }
}
