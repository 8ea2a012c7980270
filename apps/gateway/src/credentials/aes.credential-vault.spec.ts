import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { VendoError } from '@vendo/errors';
import type { Connection } from '../callers/callers.js';
import { AesCredentialVault } from './aes.credential-vault.js';

const REAL = 'https://api.openai.com';
const SECRET = 'sk-the-real-one-ü';
const encryptionKey = randomBytes(32);
const bare = { encryptionKey, pool: {}, upstreams: {} };

function vaultOf(config: Partial<ConstructorParameters<typeof AesCredentialVault>[0]> = {}) {
  return new AesCredentialVault({ ...bare, ...config });
}

function byok(vault = vaultOf()): Connection {
  const id = randomUUID();
  return {
    ...{ id, tenantId: randomUUID(), provider: 'openai', profile: 'byok_static' },
    sealedCredential: vault.seal(SECRET, id),
  };
}

const pool: Connection = { ...byok(), profile: 'vendo_managed_pool', sealedCredential: null };
const refused = new VendoError('connection_needs_reauth');

describe('the vault', () => {
  it('opens what it sealed, for the real provider', () =>
    expect(vaultOf().open(byok(), REAL)).toEqual({ origin: REAL, secret: SECRET }));

  it('seals the same secret differently each time, and never in plain text', () => {
    const [a, b] = [vaultOf().seal(SECRET, 'x'), vaultOf().seal(SECRET, 'x')];
    expect(a.equals(b)).toBe(false);
    expect(a.includes('sk-the')).toBe(false);
  });

  it('refuses every change of a single bit', () => {
    const connection = byok();
    const sealed = connection.sealedCredential ?? Buffer.alloc(0);
    for (let at = 0; at < sealed.length; at += 1) {
      const damaged = Buffer.from(sealed);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      expect(() => vaultOf().open({ ...connection, sealedCredential: damaged }, REAL)).toThrow(refused);
    }
  });

  it.each<[string, () => Connection]>([
    ['bytes of another connection', () => ({ ...byok(), id: randomUUID() })],
    ['bytes sealed with another key', () => byok(vaultOf({ encryptionKey: randomBytes(32) }))],
    ['bytes cut short', () => ({ ...byok(), sealedCredential: Buffer.from([1, 2, 3]) })],
    ['no bytes', () => ({ ...byok(), sealedCredential: null })],
  ])('refuses %s as a credential to authorize again', (_, connection) =>
    expect(() => vaultOf().open(connection(), REAL)).toThrow(refused),
  );

  it('keeps its key out of what a logger could print', () =>
    expect(JSON.stringify(vaultOf({ pool: { openai: 'sk-pool' } }))).toBe('{}'));

  it('refuses a key that is not 32 bytes', () =>
    expect(() => vaultOf({ encryptionKey: randomBytes(16) })).toThrow(RangeError));
});

describe('whose account a connection is', () => {
  const managed: Connection = { ...byok(), profile: 'composio_managed' };
  const { tenantId } = managed;

  it.each<[string, Connection, object]>([
    ['byok is the tenant’s own', { ...byok(), tenantId }, { tenantId, isShared: false, part: null }],
    ['the pool is shared', { ...pool, tenantId }, { tenantId, isShared: true, part: null }],
    ['managed is a part of the shared one', managed, { tenantId, isShared: true, part: SECRET }],
  ])('%s', (_, connection, account) => expect(vaultOf().account(connection)).toEqual(account));

  it('is not known of a managed one whose part cannot be opened', () => {
    for (const sealedCredential of [null, Buffer.from('x'), byok().sealedCredential])
      expect(() => vaultOf().account({ ...managed, sealedCredential })).toThrow(refused);
  });
});

describe('where a call goes', () => {
  const sandboxUrl = 'http://127.0.0.1:9/';
  const upstreams = { openai: 'http://127.0.0.1:9999/' };
  const own = { openai: 'sk-pool' };

  it.each([
    ['byok goes to the real provider', byok(), {}, REAL, SECRET],
    ['byok never goes to the sandbox', byok(), { sandboxUrl, pool: own }, REAL, SECRET],
    ['byok goes to the upstream that is set', byok(), { upstreams }, 'http://127.0.0.1:9999', SECRET],
    [
      'the pool with a credential goes to the real provider',
      pool,
      { sandboxUrl, pool: own },
      REAL,
      'sk-pool',
    ],
    [
      'managed goes with the credential of the pool, never with what it stores',
      { ...byok(), profile: 'composio_managed' },
      { pool: own },
      REAL,
      'sk-pool',
    ],
    [
      'managed without one goes to the sandbox',
      { ...byok(), profile: 'composio_managed' },
      { sandboxUrl },
      'http://127.0.0.1:9',
      'sandbox-pool-key',
    ],
    [
      'the pool without one goes to the sandbox',
      pool,
      { sandboxUrl },
      'http://127.0.0.1:9',
      'sandbox-pool-key',
    ],
    [
      'the upstream that is set wins over the sandbox',
      pool,
      { sandboxUrl, upstreams },
      'http://127.0.0.1:9999',
      'sandbox-pool-key',
    ],
    [
      'the pool with a credential goes to the upstream that is set',
      pool,
      { upstreams, pool: own },
      'http://127.0.0.1:9999',
      'sk-pool',
    ],
  ])('%s', (_, connection, config, origin, secret) => {
    expect(vaultOf(config).open(connection, REAL)).toEqual({ origin, secret });
    expect(vaultOf(config).origin(connection, REAL)).toBe(origin);
  });

  it('the pool with neither credential nor sandbox must be authorized again', () =>
    expect(() => vaultOf({ pool: { anthropic: 'sk-other' } }).open(pool, REAL)).toThrow(refused));
});
