import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';

export interface IdentityProvider {
  jwksUrl: string;
  /** A token that is good for an hour. */
  tokenOf(subject: string, email: string): Promise<string>;
  stop(): void;
}

/** An identity provider with one ES256 key, on a free port of 127.0.0.1. */
export async function identityProvider(): Promise<IdentityProvider> {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256' }] });
  const server = createServer((_, response) => response.end(keys));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    jwksUrl: `http://127.0.0.1:${port}/jwks.json`,
    tokenOf: (subject, email) =>
      new SignJWT({ email })
        .setProtectedHeader({ alg: 'ES256', kid: 'one' })
        .setSubject(subject)
        .setExpirationTime('1h')
        .sign(privateKey),
    stop: () => void server.close(),
  };
}
