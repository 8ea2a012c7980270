import { type Dispatcher, Pool } from 'undici';
import { CONNECT_TIMEOUT_MS } from './limits.js';
import { type UpstreamRequest, Upstreams } from './upstreams.js';

const KEEP_ALIVE_MS = 20_000;

/** One undici pool per origin, as many connections as there are calls. */
export class UndiciUpstreams extends Upstreams {
  private readonly pools = new Map<string, Pool>();

  /** @param timeoutMs until the headers of an answer, and between two of its chunks. */
  constructor(
    private readonly timeoutMs: number,
    private readonly connectTimeoutMs = CONNECT_TIMEOUT_MS,
  ) {
    super();
  }

  dispatch(origin: string, request: UpstreamRequest, handler: Dispatcher.DispatchHandler): void {
    this.poolOf(origin).dispatch(request, handler);
  }

  async close(): Promise<void> {
    await Promise.all([...this.pools.values()].map((pool) => pool.destroy()));
  }

  private poolOf(origin: string): Pool {
    const known = this.pools.get(origin);
    if (known) return known;
    const pool = new Pool(origin, {
      pipelining: 1,
      allowH2: false,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectTimeout: this.connectTimeoutMs,
      headersTimeout: this.timeoutMs,
      bodyTimeout: this.timeoutMs,
    });
    this.pools.set(origin, pool);
    return pool;
  }
}
