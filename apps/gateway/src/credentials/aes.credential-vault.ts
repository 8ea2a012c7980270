import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { VendoError } from '@vendo/errors';
import type { Connection } from '../callers/callers.js';
import type { Account } from '../providers/provider.js';
import { PROVIDERS } from '../providers/registry.js';
import { CredentialVault, type Destination } from './credential-vault.js';

export interface CredentialsConfig {
  /** 32 bytes. */
  encryptionKey: Buffer;
  /** The operator's own credential per provider slug (POOL_<SLUG>_API_KEY). */
  pool: Readonly<Record<string, string>>;
  /** Origin to forward to instead of the real one, per provider slug (UPSTREAM_<SLUG>_URL). */
  upstreams: Readonly<Record<string, string>>;
  /** Where pool connections without a credential go (VENDO_SANDBOX_URL). */
  sandboxUrl?: string | undefined;
}

const MANAGED_POOL = 'vendo_managed_pool';
/** The key is the pool's; what is sealed is the tenant's part of the account behind it. */
const MANAGED_PARTS = PROVIDERS.flatMap(({ managedPart }) => managedPart?.profile ?? []);
const SANDBOX_SECRET = 'sandbox-pool-key';

const ALGORITHM = 'aes-256-gcm';
const KEY_ID = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEAD_BYTES = 1 + NONCE_BYTES + TAG_BYTES;

/** Sealed credentials are: key id (1 byte), nonce (12), tag (16), ciphertext; the connection's id is authenticated with them. */
export class AesCredentialVault extends CredentialVault {
  readonly #config: CredentialsConfig;

  constructor(config: CredentialsConfig) {
    super();
    if (config.encryptionKey.length !== 32) throw new RangeError('the encryption key must have 32 bytes');
    this.#config = config;
  }

  open(connection: Connection, realOrigin: string): Destination {
    if (isShared(connection)) return this.openPool(connection.provider, realOrigin);
    return { origin: this.origin(connection, realOrigin), secret: this.unseal(connection) };
  }

  origin(connection: Connection, realOrigin: string): string {
    if (isShared(connection)) return this.openPool(connection.provider, realOrigin).origin;
    return this.upstreamOf(connection.provider) ?? realOrigin;
  }

  account(connection: Connection): Account {
    const { tenantId, profile } = connection;
    return {
      tenantId,
      isShared: isShared(connection),
      part: MANAGED_PARTS.includes(profile) ? this.unseal(connection) : null,
    };
  }

  seal(secret: string, connectionId: string): Buffer {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#config.encryptionKey, nonce);
    cipher.setAAD(Buffer.from(connectionId));
    const ciphertext = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
    return Buffer.concat([Buffer.of(KEY_ID), nonce, cipher.getAuthTag(), ciphertext]);
  }

  /** Without a credential of the operator's the pool plays in the sandbox: no real money is spent by accident. */
  private openPool(provider: string, realOrigin: string): Destination {
    const secret = own(this.#config.pool, provider);
    const upstream = this.upstreamOf(provider);
    if (secret) return { origin: upstream ?? realOrigin, secret };
    const origin = upstream ?? originOf(this.#config.sandboxUrl);
    if (!origin) throw new VendoError('connection_needs_reauth');
    return { origin, secret: SANDBOX_SECRET };
  }

  private unseal({ id, sealedCredential }: Connection): string {
    if (!sealedCredential || sealedCredential.length < HEAD_BYTES || sealedCredential[0] !== KEY_ID)
      throw new VendoError('connection_needs_reauth');
    const nonce = sealedCredential.subarray(1, 1 + NONCE_BYTES);
    const decipher = createDecipheriv(ALGORITHM, this.#config.encryptionKey, nonce, {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(Buffer.from(id));
    decipher.setAuthTag(sealedCredential.subarray(1 + NONCE_BYTES, HEAD_BYTES));
    try {
      const plain = [decipher.update(sealedCredential.subarray(HEAD_BYTES)), decipher.final()];
      return Buffer.concat(plain).toString('utf8');
    } catch {
      // Another key, another connection or damaged bytes; which one is nobody's business.
      throw new VendoError('connection_needs_reauth');
    }
  }

  private upstreamOf(provider: string): string | undefined {
    return originOf(own(this.#config.upstreams, provider));
  }
}

function isShared({ profile }: Connection): boolean {
  return profile === MANAGED_POOL || MANAGED_PARTS.includes(profile);
}

function own(record: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

function originOf(url: string | undefined): string | undefined {
  return url ? new URL(url).origin : undefined;
}
