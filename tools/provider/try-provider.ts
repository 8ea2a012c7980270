import { chmod, mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { demoTenant } from '../standalone/demo.js';
import { startProduct } from '../standalone/product.js';

const SETTLED_WITHIN_MS = 10_000;
const POLL_MS = 50;

export interface Call {
  slug: string;
  /** As the provider's SDK asks for it, without the gateway's own prefix. */
  path: string;
  /** JSON. */
  body: string;
}

/**
 * Starts the product in a folder of its own, on free ports and on its sandbox, makes one call of the demo app to the
 * provider and prints the answer and the usage event. Throws when the answer is no 2xx or no event of it is priced.
 */
export async function tryProvider(call: Call, print: (line: string) => void): Promise<void> {
  const folder = await mkdtemp('/var/tmp/vendo-try-');
  await chmod(folder, 0o711); // as root, Postgres runs as another user, who must get through
  try {
    const env = { PATH: process.env.PATH, HOME: process.env.HOME, GATEWAY_PORT: '0', LEDGER_PORT: '0' };
    const product = await startProduct({ dataFolder: path.join(folder, 'data'), env, report: print });
    try {
      const { gateway } = product.urls;
      const demo = await demoTenant(product.dataFolder, gateway, product.secrets.adminToken);
      const operator = { authorization: `Bearer ${product.secrets.adminToken}` };
      await asked(`${gateway}/api/admin/apps/${demo.app_id}/bindings`, operator, {
        provider_slug: call.slug,
      });
      print(
        await asked(
          `${gateway}/proxy/${call.slug}${call.path}`,
          { authorization: `Bearer ${demo.key}` },
          call.body,
        ),
      );
      print(await pricedEvent(`${gateway}/api/admin/usage-events?tenant_id=${demo.tenant_id}`, operator));
    } finally {
      await product.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function asked(url: string, headers: Record<string, string>, body: object | string): Promise<string> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok)
    throw new Error(`POST ${new URL(url).pathname} answered ${answer.status}: ${text.slice(0, 500)}`);
  return text;
}

/** The first usage event, as JSON, once it is in the read model. */
async function pricedEvent(url: string, headers: Record<string, string>): Promise<string> {
  const deadline = Date.now() + SETTLED_WITHIN_MS;
  while (Date.now() < deadline) {
    const answer = await fetch(url, { headers });
    const { usage_events } = (await answer.json()) as { usage_events: { cost_micros: number }[] };
    const [event] = usage_events;
    if (event && event.cost_micros > 0) return JSON.stringify(event, null, 2);
    if (event) throw new Error(`the call was charged nothing: ${JSON.stringify(event)}`);
    await sleep(POLL_MS);
  }
  throw new Error(`no usage event within ${SETTLED_WITHIN_MS} ms`);
}
