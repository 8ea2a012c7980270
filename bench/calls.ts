import { type Dispatcher, Pool } from 'undici';

/** One kind of call, to the gateway or directly to the sandbox. */
export interface CallKind {
  origin: string;
  path: string;
  headers: Record<string, string>;
  body: string;
}

export interface CallTimes {
  /** Milliseconds from the moment the call was due. */
  firstByteMs: number;
  lastByteMs: number;
  /** The provider's id of the call. */
  requestId: string;
}

/** Sends calls on keep-alive connections, as many as there are calls under way. Rejects an answer that is no 200. */
export class Caller {
  private readonly pools = new Map<string, Pool>();

  /** @param dueMs when the call should have gone out, by `performance.now()`: waiting counts. */
  call(kind: CallKind, dueMs = performance.now()): Promise<CallTimes> {
    return new Promise((resolve, reject) => {
      const { path, headers, body } = kind;
      let firstByteMs = 0;
      let requestId = '';
      const handler: Dispatcher.DispatchHandler = {
        onRequestStart: () => undefined,
        onResponseStart(_, status, answered) {
          if (status !== 200) throw new Error(`${path} answered ${status}`);
          requestId = String(answered['x-request-id']);
        },
        onResponseData() {
          firstByteMs ||= performance.now() - dueMs;
        },
        onResponseEnd() {
          resolve({ firstByteMs, lastByteMs: performance.now() - dueMs, requestId });
        },
        onResponseError(_, error) {
          reject(error);
        },
      };
      this.pool(kind.origin).dispatch({ method: 'POST', path, headers, body }, handler);
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.pools.values()].map((pool) => pool.close()));
  }

  private pool(origin: string): Pool {
    const known = this.pools.get(origin);
    if (known) return known;
    const pool = new Pool(origin, { pipelining: 1 });
    this.pools.set(origin, pool);
    return pool;
  }
}

/** How long before its time a call is waited for without sleeping: timers are late by about a millisecond. */
const SPIN_MS = 2;

/**
 * Open loop: begins one call every `1000 / perSecond` ms whether or not earlier ones have ended, the kinds in turn,
 * and counts each from the moment it was due, so that no stall is left out. Resolves with the times of each kind.
 */
export async function openLoop(
  caller: Caller,
  kinds: readonly CallKind[],
  { perSecond, forMs }: { perSecond: number; forMs: number },
): Promise<CallTimes[][]> {
  const startedMs = performance.now() + 10;
  const calls = Math.round((forMs * perSecond) / 1_000);
  const times = kinds.map((): Promise<CallTimes>[] => []);
  for (let index = 0; index < calls; index += 1) {
    const dueMs = startedMs + (index * 1_000) / perSecond;
    await until(dueMs);
    const kind = index % kinds.length;
    times[kind]?.push(caller.call(kinds[kind] as CallKind, dueMs));
  }
  return Promise.all(times.map((ofKind) => Promise.all(ofKind)));
}

async function until(dueMs: number): Promise<void> {
  const restMs = dueMs - performance.now();
  if (restMs > SPIN_MS) await new Promise((resolve) => setTimeout(resolve, restMs - SPIN_MS));
  while (performance.now() < dueMs) await new Promise((resolve) => setImmediate(resolve));
}

/** Closed loop: so many clients, each calls again when it has its answer. Resolves with all times. */
export async function closedLoop(
  caller: Caller,
  kind: CallKind,
  { clients, forMs }: { clients: number; forMs: number },
): Promise<CallTimes[]> {
  const endMs = performance.now() + forMs;
  const times: CallTimes[] = [];
  const client = async (): Promise<void> => {
    while (performance.now() < endMs) times.push(await caller.call(kind));
  };
  await Promise.all(Array.from({ length: clients }, client));
  return times;
}
