import path from 'node:path';
import { providerBySlug } from '../../apps/gateway/src/providers/registry.js';
import { sdkEnvironment } from '../../apps/gateway/src/providers/sdk-environment.js';
import { DEMO_CALL, DEMO_PROVIDERS, type Demo } from './demo.js';
import type { Part, Product } from './product.js';

/** What `npm start` prints at the end: what runs where, the demo key, and lines to paste. */
export function welcome(product: Product, demo: Demo): string {
  const { gateway } = product.urls;
  const authorization = `-H 'Authorization: Bearer ${demo.key}'`;
  return [
    '',
    ...table(product),
    '',
    `data folder   ${product.dataFolder}`,
    `operator      ${gateway}/api/admin/  with the adminToken of ${path.join(product.dataFolder, 'secrets.json')}`,
    `demo key      ${demo.key}`,
    '',
    'A call, its charge and the usage (paste them):',
    '',
    `curl -s ${gateway}${DEMO_CALL.path} ${authorization} -H 'Content-Type: application/json' -d '${JSON.stringify(DEMO_CALL.body)}'`,
    '',
    `curl -s ${gateway}/api/billing/balance ${authorization}`,
    '',
    `curl -s '${gateway}/api/billing/usage?period=day' ${authorization}`,
    '',
    'What unmodified SDKs read, to come here:',
    '',
    ...DEMO_PROVIDERS.map((slug) => variables(slug, gateway, demo.key)),
    '',
    'Ctrl-C ends everything.',
    '',
  ].join('\n');
}

function variables(slug: string, gateway: string, key: string): string {
  const provider = providerBySlug(slug);
  const set = provider ? sdkEnvironment(provider, `${gateway}/proxy/${slug}`, key) : {};
  return ['export', ...Object.entries(set).map(([name, value]) => `${name}=${value}`)].join(' ');
}

function table(product: Product): string[] {
  const { urls, dataFolder } = product;
  const rows: [Part, string, string][] = [
    ['gateway', urls.gateway, path.join(dataFolder, 'spool')],
    ['ledger', urls.ledger, product.logFile('ledger')],
    ['projector', urls.projector, product.logFile('projector')],
    ['sandbox', urls.sandbox, product.logFile('sandbox')],
    ['postgres', withoutPassword(urls.database), product.databaseFolder() ?? 'DATABASE_URL'],
  ];
  const width = Math.max(...rows.map(([, url]) => url.length));
  return rows.map(
    ([part, url, where]) =>
      `${part.padEnd(10)} ${url.padEnd(width)}  pid ${String(product.pid(part) ?? '-').padEnd(8)} ${where}`,
  );
}

function withoutPassword(databaseUrl: string): string {
  const url = new URL(databaseUrl);
  url.password = '';
  return url.toString();
}
