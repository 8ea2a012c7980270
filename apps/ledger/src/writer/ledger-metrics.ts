import type { Logger, Metrics } from '@vendo/runtime';
import type { Taking } from '../journal/leases.js';
import type { WalletEvent } from '../wallet/wallet.js';
import type { CommittedBatch } from './writer-observer.js';

const SIZES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000];
const SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5];

/** What the ledger counts, and the alerts that are log lines: told after each commit. */
export class LedgerMetrics {
  private readonly reserves;
  private readonly batchSize;
  private readonly commitSeconds;
  private readonly lateSettlements;
  private readonly exposure;
  private readonly parked;
  private readonly replays;
  private readonly reports;
  private readonly settlementLag;
  private readonly fenced;

  private readonly takeovers;

  /** The parameters say how it is now: open holds of the owned shards, how many shards are owned, and their open jobs. */
  constructor(
    metrics: Metrics,
    private readonly logger: Logger,
    openHolds: () => number,
    ownedShards: () => number,
    openJobs: () => number,
  ) {
    this.reserves = metrics.counter('ledger_reserves_total', 'Reserves answered, by result', ['result']);
    this.batchSize = metrics.histogram('ledger_batch_size', 'Commands and records of one commit', SIZES);
    this.commitSeconds = metrics.histogram('ledger_commit_seconds', 'Read, decide, commit', SECONDS);
    this.lateSettlements = metrics.counter('ledger_late_settlements_total', 'Settlements after an end', [
      'reason',
    ]);
    this.exposure = metrics.counter(
      'ledger_exposure_micros_total',
      'Charged beyond what was held: over-hold and late settlements',
    );
    this.parked = metrics.counter('ledger_parked_total', 'Records parked');
    this.replays = metrics.counter('ledger_replays_total', 'Parked records decided again, by end', ['end']);
    this.reports = metrics.counter(
      'ledger_reports_total',
      'Records of gateway.events, by what became of them',
      ['end'],
    );
    this.settlementLag = metrics.histogram(
      'ledger_settlement_lag_seconds',
      'From the report to its commit',
      SECONDS,
    );
    this.fenced = metrics.counter(
      'ledger_fenced_total',
      'Batches that found a shard taken or written to by another ledger',
    );
    this.takeovers = metrics.counter(
      'ledger_takeovers_total',
      'Shards taken: free, from an owner that was gone, or again after their state was dropped',
      ['how'],
    );
    metrics.gauge('ledger_owned_shards', 'Shards that this ledger owns', [], function () {
      this.set(ownedShards());
    });
    metrics.gauge('ledger_open_jobs', 'Jobs whose end nobody has reported yet', [], function () {
      this.set(openJobs());
    });
    metrics.gauge('ledger_open_holds', 'Open holds', [], function () {
      this.set(openHolds());
    });
  }

  committed({ works, seconds, nowMs, rows, answers, reports, replays }: CommittedBatch): void {
    this.batchSize.observe(works);
    this.commitSeconds.observe(seconds);
    for (const { command, answer } of answers)
      if (command.type === 'reserve')
        this.reserves.inc({ result: answer.status === 'refused' ? answer.refusal.code : answer.status });
    for (const { event, tenantId } of rows) this.countEnd(event, tenantId);
    for (const { report, end, reason } of reports) {
      this.reports.inc({ end });
      if (end === 'applied') this.observeLag(report.record.headers.ce_time, nowMs);
      if (end !== 'parked') continue;
      this.parked.inc();
      this.logger.error(
        { partition: report.partition, offset: String(report.offset), hold: report.holdId, reason },
        'a record of gateway.events was parked',
      );
    }
    for (const { id, report, reason } of replays) {
      this.replays.inc({ end: reason === null ? 'replayed' : 'parked' });
      const facts = { parked: id, hold: report.holdId, reason };
      this.logger.warn(facts, reason === null ? 'a parked record was replayed' : 'a record stays parked');
    }
  }

  countFence(): void {
    this.fenced.inc();
  }

  countTakings(takings: readonly Taking[]): void {
    for (const { how } of takings) this.takeovers.inc({ how });
  }

  private countEnd({ type, data }: WalletEvent, tenantId: string): void {
    if (type !== 'HoldEnded.v1') return;
    const over = data.cost_micros - data.amount_micros;
    if (over > 0) this.exposure.inc(over);
    if (data.how !== 'late') return;
    const reason = data.reason ?? 'unknown';
    this.lateSettlements.inc({ reason });
    if (reason === 'never_seen')
      this.logger.error(
        { hold: data.hold_id, tenant: tenantId, micros: data.cost_micros },
        'a settlement of a hold that was never seen was charged late',
      );
  }

  private observeLag(reportedAt: string | undefined, nowMs: number): void {
    const lagMs = nowMs - Date.parse(reportedAt ?? '');
    if (Number.isFinite(lagMs)) this.settlementLag.observe(Math.max(0, lagMs) / 1_000);
  }
}
