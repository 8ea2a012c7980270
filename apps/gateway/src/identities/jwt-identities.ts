import { VendoError } from '@vendo/errors';
import { errors, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { z } from 'zod';
import type { CachedKeys } from './cached-keys.js';
import { Identities, type Identity } from './identities.js';

/** By asymmetric keys only: a key that the world can read must not be one that signs. */
const ALGORITHMS = ['ES256', 'RS256'];
/** How far the identity provider's clock may be from ours, seconds. */
const CLOCK_TOLERANCE_S = 5;

const Text = z.string().refine((text) => text.isWellFormed() && !text.includes('\0'));
const Claims = z.object({
  sub: Text.min(1).max(255),
  email: Text.min(1).max(320).nullish().catch(null),
});

/** Whom tokens must be from and for; what is absent is not checked. */
export interface Expected {
  issuer?: string | undefined;
  audience?: string | undefined;
}

/** Tokens that the identity provider signed: ES256 or RS256, with a key id, in their time, and from and for whom is expected. */
export class JwtIdentities extends Identities {
  constructor(
    private readonly keys: CachedKeys,
    private readonly expected: Expected = {},
  ) {
    super();
  }

  async identify(token: string): Promise<Identity> {
    const { sub, email } = await this.claims(token);
    return { subject: sub, email: email ?? null };
  }

  private async claims(token: string): Promise<z.infer<typeof Claims>> {
    const keyOf: JWTVerifyGetKey = async (header, jws) => {
      // Without an id, whichever key fits would be tried.
      if (typeof header.kid !== 'string' || header.kid === '') throw new errors.JWSInvalid('no key id');
      return this.keys.find(header, jws);
    };
    const { issuer, audience } = this.expected;
    try {
      const { payload } = await jwtVerify(token, keyOf, {
        algorithms: ALGORITHMS,
        requiredClaims: ['exp', 'sub'],
        clockTolerance: CLOCK_TOLERANCE_S,
        ...(issuer === undefined ? {} : { issuer }),
        ...(audience === undefined ? {} : { audience }),
      });
      return Claims.parse(payload);
    } catch (thrown) {
      if (thrown instanceof VendoError) throw thrown;
      // Whatever is wrong with it, its bearer is told one thing.
      throw new VendoError('app_unknown', undefined, {}, { cause: thrown });
    }
  }
}
