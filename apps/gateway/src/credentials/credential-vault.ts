import type { Connection } from '../callers/callers.js';
import type { Account } from '../providers/provider.js';

/** Where a call goes and with what: both decided by the connection's profile and the operator's environment. */
export interface Destination {
  /** Origin to forward to, e.g. `https://api.openai.com`. */
  origin: string;
  /** The real credential, in plain text: for this call only, never cached, never logged. */
  secret: string;
}

/** Opens credentials. AES-256-GCM with a key id; nothing outside of this room sees a key or writes plain text anywhere. */
export abstract class CredentialVault {
  /** Throws VendoError connection_needs_reauth when the credential cannot be opened. */
  abstract open(connection: Connection, realOrigin: string): Destination;

  /** Origin that `open` says. Throws VendoError connection_needs_reauth when there is none. */
  abstract origin(connection: Connection, realOrigin: string): string;

  /** Whose account the connection is. Throws VendoError connection_needs_reauth when what it stores cannot be opened. */
  abstract account(connection: Connection): Account;

  /** The bytes that the registry stores. They open for this connection only. */
  abstract seal(secret: string, connectionId: string): Buffer;
}
