import type { RateBook } from '@vendo/pricing';

/** An app key or a connection key that is good right now. */
export interface Caller {
  keyId: string;
  tenantId: string;
  /** The app of an app key; null for a connection key. */
  appId: string | null;
  /** The connection of a connection key; null for an app key. */
  connectionId: string | null;
  /** Whom caps count for: the app, or the connection key itself. */
  capSubject: string;
}

/** A connection that may be used for this call. Holds ciphertext only; `CredentialVault` opens it per call. */
export interface Connection {
  id: string;
  tenantId: string;
  provider: string;
  profile: string;
  /** Null for the managed pool. */
  sealedCredential: Buffer | null;
}

/** `metered` demands fresh knowledge of the registry (a poll begun within 1 s, else a read per call, else 503); `free` may go on for 10 minutes on what is cached. */
export type Freshness = 'metered' | 'free';

/** Who calls and with which connection: an in-memory cache over the registry, changes hold everywhere within 1 s. */
export abstract class Callers {
  /** Throws VendoError app_unknown, app_revoked, app_expired, billing_unavailable. */
  abstract identify(presentedKey: string, freshness: Freshness): Promise<Caller>;

  /**
   * The oldest binding of app and provider, or the one that `requested` (X-Vendo-Connection) names; for a connection
   * key its own connection, whatever is requested. With `suits`, the oldest that suits; one that was revoked has forgotten
   * what it was for, and is passed over. Tenant and provider are checked again.
   * Throws VendoError binding_missing, connection_revoked, connection_needs_reauth, billing_unavailable.
   */
  abstract connect(
    caller: Caller,
    provider: string,
    requested: string | null,
    freshness: Freshness,
    suits?: (connection: Connection) => boolean,
  ): Promise<Connection>;

  /**
   * A connection by its id, for what goes on after the call that used it, bindings aside.
   * Throws VendoError binding_missing for one that there is not, connection_revoked, connection_needs_reauth, billing_unavailable.
   */
  abstract connection(id: string): Promise<Connection>;

  /** Rates and margins of the newest version polled. Throws VendoError billing_unavailable before the first poll. */
  abstract rates(): RateBook;

  /** Counts a refused or unpriced (tenant, provider, model) in the hour's bucket; never throws, never waits. */
  abstract reportRateMiss(miss: {
    tenantId: string;
    provider: string;
    model: string;
    meter: string | null;
  }): void;
}
