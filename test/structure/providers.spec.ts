import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { METERS, type Meter } from '@vendo/events';
import { type CatalogueRow, readCatalogue } from '@vendo/registry';
import ts from 'typescript';
import { parse } from 'yaml';
import { gatewayConfig } from '../../apps/gateway/src/config.js';
import { proxyTarget } from '../../apps/gateway/src/edge/target.js';
import type { Provider } from '../../apps/gateway/src/providers/provider.js';
import { PROVIDERS, providerBySlug } from '../../apps/gateway/src/providers/registry.js';
import { matchRoute } from '../../apps/gateway/src/providers/route-table.js';
import { scenesOf } from '../../apps/gateway/src/proxy/exit-scenes/memory.scene.contract.js';
import { UPSTREAMS } from '../../apps/sandbox/src/upstreams.js';
import { environmentOf } from '../../tools/standalone/settings.js';

const ROOT = path.join(import.meta.dirname, '..', '..');
const ADAPTERS = 'apps/gateway/src/providers';
const FIXTURES_MIN = 3;
const RECORDINGS = path.join(
  process.env.RECORDINGS_DIR ?? path.join(ROOT, '../shared/recordings'),
  'index.json',
);

const FILES = ['provider', 'routes', 'spec'];
/** What only a provider has that bills. */
const METERED_FILES = ['models', 'request', 'usage'];

const read = (...names: string[]): string => readFileSync(path.join(ROOT, ...names), 'utf8');
const folders = readdirSync(path.join(ROOT, ADAPTERS), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);
const bills = ({ routes }: Provider): boolean => routes.some((route) => route.class === 'metered');
const variablesOf = ({ variables: { keys, baseUrl } }: Provider): string[] => [
  ...keys,
  ...(baseUrl ? [baseUrl.name] : []),
];
const sourcesOf = (slug: string): string[] =>
  readdirSync(path.join(ROOT, ADAPTERS, slug)).filter((file) => file.endsWith('.ts'));

const COMPOSE = parse(read('docker-compose.yml'), { merge: true }) as {
  services: Record<string, { environment: Record<string, string> }>;
};
const METERS_OF = new Map<string, Meter[]>();

/** Meters that a folder's code names: what its routes need a price for, and what its answers can have. */
function metersOf(slug: string): Meter[] {
  const known = METERS_OF.get(slug);
  if (known) return known;
  const named = new Set<string>();
  for (const file of sourcesOf(slug).filter((name) => !name.endsWith('.spec.ts'))) {
    const isRequest = file.endsWith('.request.ts');
    const visit = (node: ts.Node): void => {
      if (ts.isStringLiteral(node)) named.add(node.text);
      // The fields of a request may be called as a meter is.
      else if (ts.isObjectLiteralElement(node) && node.name && ts.isIdentifier(node.name) && !isRequest)
        named.add(node.name.text);
      ts.forEachChild(node, visit);
    };
    visit(ts.createSourceFile(file, read(ADAPTERS, slug, file), ts.ScriptTarget.Latest));
  }
  const meters = METERS.filter((meter) => named.has(meter));
  METERS_OF.set(slug, meters);
  return meters;
}

let catalogue: CatalogueRow[] = [];
beforeAll(async () => {
  catalogue = await readCatalogue();
});

describe('providers', () => {
  it('have a folder for each line of the registry, and a line for each folder', () =>
    expect(PROVIDERS.map(({ slug }) => slug).sort()).toEqual([...folders].sort()));

  it('have hosts of their own', () => {
    const upstreams = PROVIDERS.map(({ upstream }) => upstream);
    expect(new Set(upstreams).size).toBe(upstreams.length);
    for (const upstream of upstreams) expect(upstream).toBe(`https://${new URL(upstream).host}`);
  });
});

describe.each(PROVIDERS.map((provider) => [provider.slug, provider] as const))('%s', (slug, provider) => {
  it('has the files that every provider has, and topics beside them', () => {
    const files = readdirSync(path.join(ROOT, ADAPTERS, slug)).filter((file) => file !== 'fixtures');
    const parts = files.map((file) => new RegExp(`^${slug}\\.([a-z-]+)(\\.spec)?\\.ts$`).exec(file));
    expect(files.filter((_, index) => parts[index] === null)).toEqual([]);
    const topics = parts.flatMap((found) => (found?.[1] && !found[2] ? [found[1]] : []));
    expect(topics).toEqual(expect.arrayContaining(bills(provider) ? [...FILES, ...METERED_FILES] : FILES));
    const specs = parts.flatMap((found) => (found?.[1] && found[2] ? [found[1]] : []));
    expect(specs.filter((topic) => !topics.includes(topic))).toEqual([]);
  });

  it(`has ${FIXTURES_MIN} fixtures and more, each named by a spec`, () => {
    const fixtures = readdirSync(path.join(ROOT, ADAPTERS, slug, 'fixtures')).filter(
      (file) => file !== 'index.json',
    );
    expect(fixtures.length).toBeGreaterThanOrEqual(FIXTURES_MIN);
    const specs = [
      ...sourcesOf(slug).map((file) => [ADAPTERS, slug, file]),
      // The walk with a token in the path, which only one provider has.
      ['apps/gateway/src/proxy/token-in-path.spec.ts'],
    ].filter((names) => names.at(-1)?.endsWith('.spec.ts'));
    const text = specs.map((names) => read(...names)).join('\n');
    expect(fixtures.filter((file) => !text.includes(`'${file}'`))).toEqual([]);
  });

  it('is covered by recordings, real ones or its own in their form', () => {
    const indices = [path.join(ROOT, ADAPTERS, slug, 'fixtures', 'index.json'), RECORDINGS].filter(
      existsSync,
    );
    const recorded = indices.flatMap(
      (file) => JSON.parse(readFileSync(file, 'utf8')) as { provider: string }[],
    );
    // Without the real ones nothing can be said of a provider that has no others.
    if (indices.includes(RECORDINGS) || recorded.length > 0)
      expect(recorded.map((one) => one.provider)).toContain(slug);
  });

  // The end of a job is priced without the host that it ran at.
  it('has no jobs where hosts have prices of their own', () =>
    expect(provider.jobs !== undefined && provider.tierAt !== undefined).toBe(false));

  it('is known by its host and its path', () => {
    for (const target of [
      proxyTarget(`${slug}-proxy.example.org`, '/v1', 'example.org'),
      proxyTarget('example.org', `/proxy/${slug}/v1`, 'example.org'),
    ])
      expect(target).toEqual({ slug, raw: '/v1' });
    expect(providerBySlug(slug)).toBe(provider);
  });

  it('has a scene of every metered route, whose answer the matrix of exits ends at each of its points', async () => {
    const scenes = bills(provider) ? Object.values(await scenesOf(slug)) : [];
    const played = scenes.map(({ request }) => {
      const { raw = '' } = proxyTarget('example.org', request.path, 'example.org') ?? {};
      return matchRoute(provider, 'POST', provider.target?.(raw) ?? raw)?.route;
    });
    const metered = provider.routes.filter((route) => route.class === 'metered');
    const namesOf = (routes: readonly ({ name: string } | undefined)[]) =>
      [...new Set(routes.map((route) => route?.name))].sort();
    expect(namesOf(played)).toEqual(namesOf(metered));
  });

  it('has its variables in compose, in the settings of npm start and in the gateway', () => {
    const names = [
      `UPSTREAM_${slug.toUpperCase()}_URL`,
      ...(provider.pool === false ? [] : [`POOL_${slug.toUpperCase()}_API_KEY`]),
    ];
    const shell = Object.fromEntries(names.map((name) => [name, 'https://example.org']));
    for (const gateway of ['gateway-1', 'gateway-2'])
      for (const name of names) expect(COMPOSE.services[gateway]?.environment[name]).toBe(`\${${name}:-}`);
    const token = 'x'.repeat(32);
    const instance = { app: 'gateway', name: 'gateway', port: 1, dataFolder: '/data' } as const;
    const environment = environmentOf(instance, shell, {
      databaseUrl: 'postgres://vendo@127.0.0.1:1/vendo',
      compileCache: '/compiled',
      kafkaBrokers: undefined,
      instances: [
        instance,
        { ...instance, app: 'ledger', name: 'ledger', port: 2 },
        { ...instance, app: 'sandbox', name: 'sandbox', port: 3 },
      ],
      secrets: {
        adminToken: token,
        internalToken: token,
        encryptionKey: Buffer.alloc(32).toString('base64'),
      },
    });
    expect(environment).toMatchObject(shell);
    expect(gatewayConfig(environment).upstreams).toEqual({ [slug]: 'https://example.org' });
  });

  it('has a price for every meter that its code names', () => {
    const rows = catalogue.filter((row) => row.provider === slug);
    const priced = new Set(rows.map(({ meter }) => meter));
    // Where the provider says the cost of every call, the counts beside it are only told.
    const isCosted = rows.some(({ model, meter }) => model === '*' && meter === 'usd');
    const meters = metersOf(slug);
    expect(meters.length > 0).toBe(bills(provider));
    expect(meters.filter((meter) => !priced.has(meter) && !(isCosted && meter.endsWith('_tokens')))).toEqual(
      [],
    );
  });

  it('has a row of the price list with as many models and rows as the catalogue', () => {
    const rows = catalogue.filter((row) => row.provider === slug);
    const models = new Set(rows.map(({ model }) => model)).size;
    expect(read('docs/pricing.md')).toContain(`\n| ${slug} | ${models} | ${rows.length} | `);
  });

  it('answers in the sandbox, from a folder of its own', () => {
    const folder = path.join(ROOT, 'apps/sandbox/src', slug);
    expect(readdirSync(folder)).toEqual(
      expect.arrayContaining([`${slug}.upstream.ts`, `${slug}-wire.ts`, `${slug}.spec.ts`]),
    );
    expect(UPSTREAMS.map((upstream) => upstream.slug)).toContain(slug);
    expect(read('apps/sandbox/README.md')).toContain(`\n| \`${slug}\` | `);
  });

  it('has a page that says how it is reached, what is refused, and every meter that it bills', () => {
    const page = read('docs/providers', `${slug}.md`);
    for (const words of [
      `https://${slug}-proxy.<domain>`,
      `/proxy/${slug}`,
      '| route ',
      'route_not_supported',
    ])
      expect(page).toContain(words);
    expect(metersOf(slug).filter((meter) => !page.includes(`\`${meter}\``))).toEqual([]);
  });

  it('has variables of its own for SDKs, each named by its page', () => {
    const names = variablesOf(provider);
    for (const name of names) expect(name).toMatch(/^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$/);
    const others = PROVIDERS.filter((other) => other !== provider).flatMap(variablesOf);
    expect(names.filter((name) => others.includes(name))).toEqual([]);
    const page = read('docs/providers', `${slug}.md`);
    expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
    const { baseUrl } = provider.variables;
    // An SDK puts its own paths behind it, which begin with a slash.
    if (baseUrl) expect(baseUrl.path).toMatch(/^(\/[a-z0-9]+)*$/);
  });
});
