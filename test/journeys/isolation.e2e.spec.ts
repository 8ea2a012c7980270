import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type IdentityProvider, identityProvider } from '../harness/identity-provider.js';
import { type ProductUnderTest, productForTests } from '../harness/index.js';
import {
  aimedCases,
  type Case,
  isolationCases,
  type Operation,
  PROXY_OPERATIONS,
  requestOf,
} from '../harness/isolation-cases.js';
import { books, MODEL, nobody, type Party, party } from '../harness/isolation-parties.js';

/** `ISOLATION_CASES=10000` is the long form. */
const CASES = Number(process.env.ISOLATION_CASES ?? 1_000);
const SEED = 20_260_521;
const AT_ONCE = 8;
const CREDITS = [8_123_456_789, 9_876_543_211] as const;

/** A stand-in for both providers that says nothing of what it was asked, and remembers with which account. */
function upstream(accounts: Set<string>): Server {
  const usage = {
    prompt_tokens: 1,
    completion_tokens: 1,
    total_tokens: 2,
    input_tokens: 1,
    output_tokens: 1,
  };
  const answer = JSON.stringify({
    id: 'x',
    object: 'chat.completion',
    model: MODEL,
    choices: [],
    content: [],
    usage,
  });
  return createServer((request, response) => {
    accounts.add(`${request.headers.authorization ?? ''} ${request.headers['x-api-key'] ?? ''}`);
    request.resume().on('end', () => response.setHeader('content-type', 'application/json').end(answer));
  });
}

describe(`two tenants, ${CASES} requests that put the things of one where those of the other belong`, () => {
  let product: ProductUnderTest;
  let identities: IdentityProvider;
  let provider: Server;
  let parties: [Party, Party];
  let operations: Operation[];
  const accounts = new Set<string>();
  const statuses = new Map<number, number>();
  const reached = new Set<Operation>();

  beforeAll(async () => {
    provider = upstream(accounts);
    await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
    const origin = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;
    identities = await identityProvider();
    product = await productForTests({
      env: { VENDO_JWKS_URL: identities.jwksUrl },
      upstreams: { openai: origin, anthropic: origin },
    });
    await product.admin.importRates(
      ['openai', 'anthropic'].flatMap((slug) =>
        ['input_tokens', 'output_tokens'].map((meter) => ({
          ...{ provider: slug, model: MODEL, meter, unit_cost_usd: '0.000123', per: '1' },
        })),
      ),
    );
    parties = [await party(product, identities, CREDITS[0]), await party(product, identities, CREDITS[1])];
    for (const { appKey } of parties) await product.ratesAreIn('openai', MODEL, appKey);
    const { body } = await product.raw({ method: 'GET', path: '/api/docs/openapi.json' });
    const { paths } = JSON.parse(body.toString()) as { paths: Record<string, object> };
    const documented = Object.entries(paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => ({ method: method.toUpperCase(), path })),
    );
    const proxied = PROXY_OPERATIONS;
    // The billing API and the proxy know tenants; the operator API knows none of their credentials.
    const billing = documented.filter(({ path }) => !path.startsWith('/api/admin/'));
    operations = [...documented, ...billing, ...billing, ...proxied, ...proxied, ...proxied];
  });

  afterAll(async () => {
    identities?.stop();
    provider?.close();
    await product?.stop();
  });

  /** What is wrong with the answer to `own` when `other` stands where others do; null when nothing is. */
  async function leak(given: Case, own: Party, other: Party, secrets: string[]): Promise<string | null> {
    reached.add(given.operation);
    const answer = await product.raw(requestOf(given, own, other, MODEL));
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    const shown = `${JSON.stringify(answer.headers)}\n${answer.decodedBody.toString('latin1')}`;
    const told = secrets.filter((secret) => shown.includes(secret));
    if (told.length > 0) return `told ${told.join(', ')}`;
    if (answer.status >= 500) return `answered ${answer.status}`;
    const stranger = await product.raw(requestOf(given, own, nobody(other), MODEL));
    if (stranger.status !== answer.status) return `${answer.status}, of a stranger's ${stranger.status}`;
    if (answer.status >= 400 && !stranger.body.equals(answer.body))
      return `${answer.body}, of a stranger's ${stranger.body}`;
    return null;
  }

  async function leaks(cases: Case[], own: Party, other: Party, secrets: string[]): Promise<string[]> {
    const found: string[] = [];
    const queue = cases.values();
    const worker = async (): Promise<void> => {
      for (const given of queue) {
        const wrong = await leak(given, own, other, secrets);
        if (wrong !== null) found.push(`${wrong}: ${JSON.stringify(given)}`);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    return found;
  }

  it.each([
    ['the first asks', 0, 1],
    ['the second asks', 1, 0],
  ] as const)(
    '%s: nothing of the other is shown, nothing of it moves, and it looks like nobody',
    async (_, own, other) => {
      const [asker, stranger] = [parties[own], parties[other]];
      for (const { tenantId } of parties) await product.settled(tenantId);
      await product.waitUntil(async () => {
        const { balance } = await books(product, stranger);
        return (balance as { held_micros?: number }).held_micros === 0;
      }, 'read models without a hold');
      const before = await books(product, stranger);
      const { settled_micros } = before.balance as { settled_micros?: number };
      const secrets = [...stranger.markers, String(settled_micros)];
      const cases = [
        ...aimedCases(operations),
        ...isolationCases(operations, Math.ceil(CASES / 2), SEED + own),
      ];
      const found = await leaks(cases, asker, stranger, secrets);
      await product.settled(asker.tenantId);
      expect({ leaks: found, books: await books(product, stranger) }).toEqual({ leaks: [], books: before });
    },
    900_000,
  );

  it('reached what it was to reach: money was spent, and refusals of every kind were met', async () => {
    process.stderr.write(
      `isolation: ${CASES} cases, statuses ${JSON.stringify(Object.fromEntries(statuses))}\n`,
    );
    expect(reached.size).toBe(new Set(operations).size);
    expect([...statuses.keys()]).toEqual(expect.arrayContaining([200, 400, 401, 403, 404]));
    for (const { tenantId } of parties)
      expect((await product.admin.usageEvents(tenantId)).length).toBeGreaterThan(CASES / 100);
  });

  it('was served by each with its own account, and wrote no secret into any log', async () => {
    const used = [...accounts].join('\n');
    for (const { credential, appKey, connectionKey, token } of parties) {
      expect(used).toContain(credential);
      for (const secret of [appKey, connectionKey, token]) expect(used).not.toContain(secret);
    }
    for (const app of ['gateway', 'ledger', 'projector'] as const) {
      const log = await readFile(product.logFile(app), 'utf8');
      for (const { credential, appKey, connectionKey, token } of parties)
        for (const secret of [credential, appKey, connectionKey, token]) expect(log).not.toContain(secret);
    }
  });
});
