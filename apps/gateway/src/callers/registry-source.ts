import type { Margin, Rate } from '@vendo/pricing';

export interface KeyRecord {
  id: string;
  tenantId: string;
  appId: string | null;
  connectionId: string | null;
  expiresAtMs: number | null;
  revoked: boolean;
}

export interface ConnectionRecord {
  id: string;
  tenantId: string;
  provider: string;
  profile: string;
  status: 'active' | 'needs_reauth' | 'error' | 'revoked';
  sealedCredential: Buffer | null;
}

/** A row that changed, and the cache entry that was read from it. */
export interface RegistryChange {
  kind: 'key' | 'connection' | 'bindings';
  /** A key's hash in hex, a connection's id, or `bindingsKey`. */
  entry: string;
  /** Row and instant of the change: the same change has the same mark in every poll. */
  mark: string;
}

export interface RegistryPoll {
  /** The database's clock, for the next poll; only the source reads it. */
  now: string;
  rateVersion: number;
  changes: RegistryChange[];
}

export interface RateMissCount {
  tenantId: string;
  provider: string;
  model: string;
  /** Empty for the whole model. */
  meter: string;
  count: number;
}

/** Reads the registry, each call at the database and within about 2 s. Everything rejects when that fails. */
export abstract class RegistrySource {
  /** @param hash SHA-256 in hex. Null when there is no such key. */
  abstract key(hash: string): Promise<KeyRecord | null>;
  /** Connection ids of the live bindings, the oldest first. */
  abstract bindings(appId: string, provider: string): Promise<readonly string[]>;
  abstract connection(id: string): Promise<ConnectionRecord | null>;
  /** What changed since 30 s before the poll that answered `since`; null at the first. */
  abstract poll(since: string | null): Promise<RegistryPoll>;
  /** Rows of the versions above `from`, up to `to`. */
  abstract prices(from: number, to: number): Promise<{ rates: Rate[]; margins: Margin[] }>;
  abstract addRateMisses(misses: readonly RateMissCount[]): Promise<void>;
}

export function bindingsKey(appId: string, provider: string): string {
  return `${appId}/${provider}`;
}
