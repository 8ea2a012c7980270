import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createLogger, SystemClock } from '@vendo/runtime';
import { exportJWK, exportSPKI, generateKeyPair, type JWK, type JWTHeaderParameters, SignJWT } from 'jose';
import { CachedKeys } from './cached-keys.js';
import { HttpKeySource } from './http.key-source.js';
import { JwtIdentities } from './jwt-identities.js';
import { NoIdentities } from './no-identities.js';

/** The system's clock, moved forward by hand. */
class MovedClock extends SystemClock {
  offsetMs = 0;

  override monotonicMs(): number {
    return super.monotonicMs() + this.offsetMs;
  }
}

type Pair = Awaited<ReturnType<typeof generateKeyPair>>;

const es: Record<'first' | 'second', Pair> = {} as never;
let rs: Pair;
let host: Server;
let url: string;
/** What the host says now; null: that it fails. */
let published: JWK[] | null;
let fetches = 0;
let clock: MovedClock;
let identities: JwtIdentities;

async function jwk(kid: string, { publicKey }: Pair): Promise<JWK> {
  return { ...(await exportJWK(publicKey)), kid };
}

beforeAll(async () => {
  es.first = await generateKeyPair('ES256', { extractable: true });
  es.second = await generateKeyPair('ES256', { extractable: true });
  rs = await generateKeyPair('RS256', { extractable: true });
  host = createServer((_, response) => {
    fetches += 1;
    response.statusCode = published ? 200 : 500;
    response.end(JSON.stringify({ keys: published ?? [] }));
  });
  await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(host.address() as AddressInfo).port}/jwks.json`;
});

afterAll(() => {
  host.close();
});

beforeEach(async () => {
  published = [await jwk('first', es.first), await jwk('rsa', rs)];
  fetches = 0;
  clock = new MovedClock();
  identities = new JwtIdentities(
    new CachedKeys(new HttpKeySource(url), clock, createLogger('identities spec', 'silent')),
  );
});

const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds;

interface Signed {
  claims?: Record<string, unknown>;
  header?: Partial<JWTHeaderParameters>;
  by?: Pair['privateKey'] | Uint8Array;
}

function token({ claims = {}, header = {}, by = es.first.privateKey }: Signed = {}): Promise<string> {
  return new SignJWT({ sub: 'u-1', email: 'u@example.com', exp: inSeconds(60), ...claims })
    .setProtectedHeader({ alg: 'ES256', kid: 'first', ...header })
    .sign(by);
}

const unknown = { code: 'app_unknown' };
const away = { code: 'billing_unavailable' };

describe('a token of the identity provider', () => {
  it.each([
    ['ES256', 'first'],
    ['RS256', 'rsa'],
  ])('tells who it is about, signed with %s', async (alg, kid) => {
    const by = alg === 'RS256' ? rs.privateKey : es.first.privateKey;
    expect(await identities.identify(await token({ header: { alg, kid }, by }))).toEqual({
      subject: 'u-1',
      email: 'u@example.com',
    });
  });

  it.each([
    ['has expired', { claims: { exp: inSeconds(-60) } }],
    ['never expires', { claims: { exp: undefined } }],
    ['is not valid yet', { claims: { nbf: inSeconds(60) } }],
    ['is about nobody', { claims: { sub: undefined } }],
    ['is about an empty subject', { claims: { sub: '' } }],
    ['is about what cannot be stored', { claims: { sub: 'a\0b' } }],
    ['names no key', { header: { kid: undefined as unknown as string } }],
    ['names an empty key', { header: { kid: '' } }],
    ['names a key that is not published', { header: { kid: 'third' } }],
    ['names the key of another algorithm', { header: { kid: 'rsa' } }],
  ] as [string, Signed][])('is refused when it %s', async (_, signed) => {
    await expect(identities.identify(await token(signed))).rejects.toMatchObject(unknown);
  });

  it('may be off by 5 seconds, for clocks that are', async () => {
    const late = await token({ claims: { exp: inSeconds(-2) } });
    expect(await identities.identify(late)).toMatchObject({ subject: 'u-1' });
  });

  it('is taken only from the issuer and for the audience that are expected, where they are', async () => {
    const keys = new CachedKeys(new HttpKeySource(url), clock, createLogger('identities spec', 'silent'));
    const strict = new JwtIdentities(keys, { issuer: 'https://login.example.com', audience: 'vendo' });
    const good = { iss: 'https://login.example.com', aud: ['others', 'vendo'] };
    expect(await strict.identify(await token({ claims: good }))).toMatchObject({ subject: 'u-1' });
    for (const claims of [
      {},
      { ...good, iss: undefined },
      { ...good, aud: undefined },
      { ...good, iss: 'https://login.example.com/' },
      { ...good, aud: ['others'] },
    ])
      await expect(strict.identify(await token({ claims }))).rejects.toMatchObject(unknown);
  });

  it('is refused when somebody else signed it', async () => {
    const forged = await token({ by: es.second.privateKey });
    await expect(identities.identify(forged)).rejects.toMatchObject(unknown);
  });

  it('is refused unsigned, and signed with the public key as if it were a secret', async () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = { sub: 'u-1', exp: inSeconds(60) };
    for (const alg of ['none', 'None', 'ES256', 'HS256'])
      for (const signature of ['', 'AAAA'])
        await expect(
          identities.identify(`${part({ alg, kid: 'first' })}.${part(claims)}.${signature}`),
        ).rejects.toMatchObject(unknown);
    const secret = new TextEncoder().encode(await exportSPKI(rs.publicKey));
    const confused = await token({ header: { alg: 'HS256', kid: 'rsa' }, by: secret });
    await expect(identities.identify(confused)).rejects.toMatchObject(unknown);
  });

  it('is refused when a key of its id is symmetric', async () => {
    published = [{ kty: 'oct', kid: 'first', k: 'c2VjcmV0' }];
    await expect(identities.identify(await token())).rejects.toMatchObject(unknown);
  });

  it('is refused where there is no identity provider', async () => {
    await expect(new NoIdentities().identify()).rejects.toMatchObject(unknown);
  });
});

describe('the keys of the identity provider', () => {
  it('are fetched once for all who wait, and kept for 10 minutes', async () => {
    const good = await token();
    await Promise.all(Array.from({ length: 20 }, () => identities.identify(good)));
    clock.offsetMs = 599_000;
    await identities.identify(good);
    expect(fetches).toBe(1);
    clock.offsetMs = 601_000;
    await identities.identify(good);
    expect(fetches).toBe(2);
  });

  it('are fetched anew for an id that is not among them: a new key is good at once', async () => {
    await identities.identify(await token());
    published = [await jwk('second', es.second)];
    const rotated = await token({ header: { kid: 'second' }, by: es.second.privateKey });
    expect(await identities.identify(rotated)).toMatchObject({ subject: 'u-1' });
    expect(fetches).toBe(2);
    await expect(identities.identify(await token())).rejects.toMatchObject(unknown);
  });

  it('are fetched once for a flood of unknown ids', async () => {
    await identities.identify(await token());
    const flood = await Promise.all(
      Array.from({ length: 50 }, async (_, n) => token({ header: { kid: `flood-${n}` } })),
    );
    for (const each of [...flood, ...flood])
      await expect(identities.identify(each)).rejects.toMatchObject(unknown);
    await Promise.all(flood.map((each) => identities.identify(each).catch(() => undefined)));
    expect(fetches).toBe(2);
    clock.offsetMs = 11_000;
    await expect(identities.identify(flood[0] ?? '')).rejects.toMatchObject(unknown);
    expect(fetches).toBe(3);
  });

  it('go on while the host is away until 10 minutes are over; then nobody can say, which is no refusal', async () => {
    const good = await token();
    await identities.identify(good);
    published = null;
    clock.offsetMs = 599_000;
    expect(await identities.identify(good)).toMatchObject({ subject: 'u-1' });
    const newer = await token({ header: { kid: 'second' }, by: es.second.privateKey });
    await expect(identities.identify(newer)).rejects.toMatchObject(away);
    clock.offsetMs = 606_000;
    for (let n = 0; n < 10; n += 1) await expect(identities.identify(good)).rejects.toMatchObject(away);
    expect(fetches).toBe(3);
    published = [await jwk('first', es.first)];
    clock.offsetMs = 612_000;
    expect(await identities.identify(good)).toMatchObject({ subject: 'u-1' });
  });

  it('may not come by a redirect', async () => {
    const elsewhere = createServer((_, response) => response.writeHead(302, { location: url }).end());
    await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
    const { port } = elsewhere.address() as AddressInfo;
    const source = new HttpKeySource(`http://127.0.0.1:${port}/`);
    await expect(source.fetch()).rejects.toThrow();
    elsewhere.close();
    expect(fetches).toBe(0);
  });
});
