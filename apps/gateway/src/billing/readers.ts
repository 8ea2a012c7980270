import { Inject, Injectable } from '@nestjs/common';
import { VendoError } from '@vendo/errors';
import { Callers } from '../callers/callers.js';
import { Identities } from '../identities/identities.js';
import { TenantsService } from '../operator/tenants.service.js';

/** Who asks about money: an app key sees its app, a connection key its connection, a user the whole tenant. */
export type Reader =
  | { kind: 'app'; tenantId: string; appId: string }
  | { kind: 'connection'; tenantId: string; connectionId: string; keyId: string }
  | { kind: 'user'; tenantId: string };

/** Exactly three base64url segments; anything else is looked up as a key. */
const TOKEN_SHAPE = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/** From the header Authorization to who asks. */
@Injectable()
export class Readers {
  constructor(
    @Inject(Callers) private readonly callers: Callers,
    @Inject(Identities) private readonly identities: Identities,
    @Inject(TenantsService) private readonly tenants: TenantsService,
  ) {}

  /** By a key or by a token, whose first sight makes its tenant. Throws VendoError unauthorized, app_unknown, app_revoked, app_expired, billing_unavailable. */
  async byKeyOrToken(authorization: string | undefined): Promise<Reader> {
    const bearer = bearerOf(authorization);
    if (!TOKEN_SHAPE.test(bearer)) return this.byKey(authorization);
    const tenantId = await this.tenants.ensure(await this.identities.identify(bearer));
    return { kind: 'user', tenantId };
  }

  /** By a key only. Throws as `byKeyOrToken`. */
  async byKey(authorization: string | undefined): Promise<Reader> {
    const caller = await this.callers.identify(bearerOf(authorization), 'free');
    const { tenantId, appId, connectionId, keyId } = caller;
    if (appId !== null) return { kind: 'app', tenantId, appId };
    if (connectionId !== null) return { kind: 'connection', tenantId, connectionId, keyId };
    throw new VendoError('app_unknown');
  }
}

function bearerOf(authorization = ''): string {
  const [, bearer] = /^Bearer +(\S+) *$/i.exec(authorization) ?? [];
  if (!bearer) throw new VendoError('unauthorized', 'Missing Bearer token');
  return bearer;
}
