import { microsToWire } from '@vendo/money';
import { type Clock, type Logger } from '@vendo/runtime';
import { v7 as uuidv7 } from 'uuid';
import type { Caller } from '../callers/callers.js';
import type { BodyShare } from './body-budget.js';
import type { Hold } from './hold.js';
import type { ProxyMetrics } from './proxy-metrics.js';

/** One request through the proxy, from its first byte to its one log line. The walk fills it in as it learns. */
export class Call {
  /** Also the id of its hold and of its usage event. */
  readonly id = uuidv7();
  readonly startedAtMs: number;
  provider = 'unknown';
  route = 'unknown';
  caller: Caller | null = null;
  connectionId: string | null = null;
  model: string | null = null;
  stream = false;
  hold: Hold | null = null;
  /** What the client got; null: nothing. */
  status: number | null = null;
  /** The code of our own refusal. */
  code: string | null = null;
  clientLeft = false;
  /** Milliseconds from the request to the hand-over to the provider, and to the headers of its answer. */
  addedMs: number | null = null;
  ttfbMs: number | null = null;
  private readonly startedAt: number;
  private finished = false;

  constructor(
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly metrics: ProxyMetrics,
    /** Of the memory for request bodies; given back when the call is over. */
    readonly body: BodyShare,
  ) {
    this.startedAtMs = clock.wallMs();
    this.startedAt = clock.monotonicMs();
  }

  elapsedMs(): number {
    return Math.round((this.clock.monotonicMs() - this.startedAt) * 1000) / 1000;
  }

  handedOver(): void {
    this.addedMs = this.elapsedMs();
    this.metrics.added.observe({ provider: this.provider }, this.addedMs / 1_000);
  }

  answered(status: number): void {
    this.status = status;
    this.ttfbMs = this.elapsedMs();
    this.metrics.ttfb.observe({ provider: this.provider }, this.ttfbMs / 1_000);
  }

  /** The one log line and count of the call. Does nothing the second time. */
  finish(): void {
    if (this.finished) return;
    this.finished = true;
    this.body.giveBack();
    const { provider, route, status, caller, hold } = this;
    const outcome = this.outcome();
    const status_class = status === null ? 'none' : `${Math.floor(status / 100)}xx`;
    this.metrics.calls.inc({ provider, route, status_class, outcome });
    this.logger.info(
      {
        call: this.id,
        status,
        outcome,
        ...(this.code === null ? {} : { code: this.code }),
        latency_ms: this.elapsedMs(),
        added_ms: this.addedMs,
        ttfb_ms: this.ttfbMs,
        tenant: caller?.tenantId ?? null,
        app: caller?.appId ?? null,
        key: caller?.keyId ?? null,
        connection: this.connectionId,
        provider,
        route,
        model: this.model,
        stream: this.stream,
        cost_micros: hold?.end ? microsToWire(hold.end.cost) : 0,
      },
      'call',
    );
  }

  /** A hold's own outcome; for calls without one: what the client saw. */
  private outcome(): string {
    if (this.hold?.end) return this.hold.end.outcome;
    if (this.code !== null) return 'refused';
    return this.clientLeft ? 'client_aborted' : 'completed';
  }
}
