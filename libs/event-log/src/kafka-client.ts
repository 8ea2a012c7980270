import type { Clock, Logger } from '@vendo/runtime';
import { Kafka, logLevel } from 'kafkajs';
// @ts-expect-error: kafkajs has no types of its inner modules.
import InnerRequestQueue from 'kafkajs/src/network/requestQueue/index.js';

/** What the busy-timer patch touches of kafkajs' inner class. */
interface RequestQueue {
  pending: unknown[];
  throttledUntil: number;
  scheduleCheckPendingRequests(): void;
}

/**
 * kafkajs 2.2.4 wakes each connection once per millisecond, 6 % of a core, although nothing is queued (issues 1751,
 * 1704, 1556). Scheduling only while something is pending or throttled changes nothing else.
 */
function quietIdleConnections(): void {
  const { prototype } = InnerRequestQueue as { prototype: RequestQueue };
  const schedule = prototype.scheduleCheckPendingRequests;
  prototype.scheduleCheckPendingRequests = function scheduleWhenNeeded(this: RequestQueue): void {
    if (this.pending.length > 0 || this.throttledUntil > Date.now()) schedule.call(this);
  };
}
quietIdleConnections();

/**
 * A kafkajs client whose log lines become debug lines of ours: it calls errors what it then retries. What matters the
 * adapter says itself.
 */
export function kafkaClient(brokers: readonly string[], logger: Logger): Kafka {
  return new Kafka({
    clientId: 'vendo',
    brokers: [...brokers],
    connectionTimeout: 2_000,
    requestTimeout: 10_000,
    retry: { retries: 5, initialRetryTime: 100, maxRetryTime: 2_000 },
    logLevel: logLevel.WARN,
    logCreator:
      () =>
      ({ namespace, log }) =>
        logger.debug({ kafkajs: namespace, groupId: log.groupId, broker: log.broker }, log.message),
  });
}

/** What an end of the process may wait for a broker, milliseconds; a clean goodbye takes a few. */
const DISCONNECT_WITHIN_MS = 1_000;

/**
 * Says goodbye to the broker. A client whose broker is gone may not come to an end, nor may one that is still
 * connecting; nobody waits for those. Never throws.
 */
export async function disconnectInTime(
  client: Promise<{ disconnect(): Promise<void> }> | null,
  clock: Clock,
): Promise<void> {
  if (client === null) return;
  const disconnected = client.then((connected) => connected.disconnect()).catch(() => undefined);
  await clock.within(DISCONNECT_WITHIN_MS, disconnected);
}
