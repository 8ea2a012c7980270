import type { ProxyConfig } from './proxy.service.js';

/** How far the gateway goes for calls that nobody waits for, and for clients that take nothing (docs/metering.md). */
export const PROXY_LIMITS = {
  bounds: { drainMs: 600_000, drainBytes: 67_108_864, stalledMs: 60_000 },
  drains: { total: 256, perTenant: 32 },
  stopGraceMs: 25_000,
} as const satisfies Partial<ProxyConfig>;

/** Until a connection to a provider stands, TLS included. */
export const CONNECT_TIMEOUT_MS = 10_000;
