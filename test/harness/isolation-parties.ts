import { randomBytes, randomUUID } from 'node:crypto';
import type { IdentityProvider } from './identity-provider.js';
import type { ProductUnderTest } from './index.js';

/** A tenant with everything that a tenant can have, all of it named so that it is known again wherever it turns up. */
export interface Party {
  token: string;
  tenantId: string;
  appId: string;
  appKey: string;
  keyId: string;
  connectionId: string;
  connectionKey: string;
  connectionKeyId: string;
  /** The account of its own at the provider. */
  credential: string;
  /** The token of the operator that serves it. */
  operatorToken: string;
  /** Whatever of it nobody else may ever be shown: ids, names, keys, amounts. */
  markers: string[];
}

/** The model that both are charged for; 1 USD per token, so that sums are long numbers. */
export const MODEL = 'isolation-model';

export async function party(
  product: ProductUnderTest,
  identities: IdentityProvider,
  creditMicros: number,
): Promise<Party> {
  const { admin } = product;
  const name = `party-${randomBytes(6).toString('hex')}`;
  const token = await identities.tokenOf(`subject-${name}`, `${name}@example.com`);
  const tenantId = await tenantOf(product, token);
  await admin.credit(tenantId, creditMicros);
  const {
    id: appId,
    key: appKey,
    keyId,
  } = await admin.createApp(tenantId, `app of ${name}`, {
    spend_cap_monthly: '987654.321',
  });
  const credential = `sk-real-${name}`;
  const { id: connectionId } = await admin.connect(tenantId, 'openai', 'byok_static', credential);
  await admin.bind(appId, 'openai', connectionId);
  await admin.bind(appId, 'anthropic');
  const { key } = await admin.post<{ key: { id: string; plaintext: string } }>(
    `/connections/${connectionId}/keys`,
    {},
  );
  const ids = { tenantId, appId, keyId, connectionId, connectionKeyId: key.id };
  const secrets = { token, appKey, connectionKey: key.plaintext, credential };
  const markers = [name, ...Object.values(ids), ...Object.values(secrets)];
  return { ...ids, ...secrets, operatorToken: product.secrets.adminToken, markers };
}

async function tenantOf(product: ProductUnderTest, token: string): Promise<string> {
  const path = '/api/v1/balance';
  const { body } = await product.raw({ method: 'GET', path, headers: { authorization: `Bearer ${token}` } });
  return (JSON.parse(body.toString()) as { tenant_id: string }).tenant_id;
}

/** What a party has and what happened to it, without the instants of asking. */
export async function books({ admin, raw }: ProductUnderTest, { token, tenantId, appId }: Party) {
  const read = async (path: string) => {
    const { status, body } = await raw({
      method: 'GET',
      path,
      headers: { authorization: `Bearer ${token}` },
    });
    const { as_of, ...rest } = JSON.parse(body.toString()) as Record<string, unknown>;
    return { status, ...rest };
  };
  return {
    balance: await read('/api/billing/balance?detail=1'),
    usage: await read('/api/billing/usage'),
    caps: await read(`/api/billing/spend-caps?app_id=${appId}`),
    holds: await admin.openHolds(tenantId),
    events: (await admin.usageEvents(tenantId)).length,
  };
}

/** Somebody whose things nobody has: what is said of them is what may be said of a stranger's. */
export function nobody(like: Party): Party {
  const key = () => `vendo_sk_${randomBytes(24).toString('base64url')}`;
  return {
    token: `${like.token.slice(0, -8)}AAAAAAAA`,
    tenantId: randomUUID(),
    appId: randomUUID(),
    appKey: key(),
    keyId: randomUUID(),
    connectionId: randomUUID(),
    connectionKey: key(),
    connectionKeyId: randomUUID(),
    credential: `sk-real-${randomBytes(6).toString('hex')}`,
    operatorToken: randomBytes(24).toString('base64url'),
    markers: [],
  };
}
