import { existsSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

const CREDIT_MICROS = 25_000_000;

/** Models of the sandbox that have a price in the demo, so that its behaviours can be tried (apps/sandbox/README.md). */
export const DEMO_MODELS = [
  'sandbox-chunks10',
  'sandbox-chunks100',
  'sandbox-chunks20-pace100',
  'sandbox-chunks200-pace50',
  'sandbox-bytes100000',
  'sandbox-cached50',
  'sandbox-cachewrite50',
  'sandbox-gzip',
  'sandbox-nousage',
  'sandbox-status429',
  'sandbox-status500',
  'sandbox-die5',
  'sandbox-diebeforeheaders',
  'sandbox-errorevent5',
  'sandbox-stall5',
  'sandbox-chunks20-pace100-held',
  'sandbox-hang',
] as const;

/** Which providers the demo app is bound to with which prices for these models, and the call that is shown: data. */
const DATA = JSON.parse(readFileSync(path.join(import.meta.dirname, 'demo.json'), 'utf8')) as {
  call: { path: string; body: object };
  usd_per_million: Readonly<Record<string, Readonly<Record<string, string>>>>;
};

/** The providers that the demo app is bound to. */
export const DEMO_PROVIDERS = Object.keys(DATA.usd_per_million);

/** The call that the welcome has to paste. */
export const DEMO_CALL = DATA.call;

export interface Demo {
  tenant_id: string;
  app_id: string;
  key: string;
}

/**
 * The demo tenant: $25 of credit, one app, providers on the managed pool, prices for the sandbox's models.
 * Kept in `demo.json` (owner only) and used again by the next start, while the gateway still knows its key.
 */
export async function demoTenant(dataFolder: string, gatewayUrl: string, adminToken: string): Promise<Demo> {
  const file = path.join(dataFolder, 'demo.json');
  if (existsSync(file)) {
    const kept = JSON.parse(await readFile(file, 'utf8')) as Demo;
    if (await isKnown(gatewayUrl, kept.key)) return kept;
  }
  const demo = await seed(operatorOf(gatewayUrl, adminToken));
  await writeFile(file, JSON.stringify(demo, null, 2), { mode: 0o600 });
  return demo;
}

async function isKnown(gatewayUrl: string, key: string): Promise<boolean> {
  const answer = await fetch(`${gatewayUrl}/api/billing/balance`, {
    headers: { authorization: `Bearer ${key}` },
  });
  await answer.arrayBuffer();
  return answer.status !== 401;
}

async function seed(post: Operator): Promise<Demo> {
  const { tenant } = await post<{ tenant: { id: string } }>('/tenants', { name: 'Demo', is_test: true });
  await post(
    `/tenants/${tenant.id}/credits`,
    { amount_micros: CREDIT_MICROS, source: 'demo', note: 'npm start' },
    { 'idempotency-key': `demo-credit-${tenant.id}` },
  );
  const { app, key } = await post<{ app: { id: string }; key: { plaintext: string } }>(
    `/tenants/${tenant.id}/apps`,
    { display_name: 'Demo' },
  );
  for (const provider of DEMO_PROVIDERS) await post(`/apps/${app.id}/bindings`, { provider_slug: provider });
  await post('/rates', { rates: demoRates() });
  return { tenant_id: tenant.id, app_id: app.id, key: key.plaintext };
}

function demoRates(): object[] {
  return Object.entries(DATA.usd_per_million).flatMap(([provider, prices]) =>
    DEMO_MODELS.flatMap((model) =>
      Object.entries(prices).map(([meter, unit_cost_usd]) => ({
        provider,
        model,
        meter,
        unit_cost_usd,
        per: '1000000',
      })),
    ),
  );
}

type Operator = <Answer>(route: string, body: object, headers?: Record<string, string>) => Promise<Answer>;

/** Throws with the gateway's own words when it refuses. */
function operatorOf(gatewayUrl: string, adminToken: string): Operator {
  return async (route, body, headers = {}) => {
    const answer = await fetch(`${gatewayUrl}/api/admin${route}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${adminToken}`,
        'content-type': 'application/json',
        ...headers,
      },
      body: JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok)
      throw new Error(`seeding the demo: POST ${route} answered ${answer.status}: ${text.slice(0, 300)}`);
    return JSON.parse(text);
  };
}
