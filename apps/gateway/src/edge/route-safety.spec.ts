import http from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { METERS } from '@vendo/events';
import { Rational } from '@vendo/money';
import { RateBook } from '@vendo/pricing';
import type { Provider } from '../providers/provider.js';
import { PROVIDERS } from '../providers/registry.js';
import { matchRoute } from '../providers/route-table.js';
import { KEY, ProxyWorld, REAL_SECRET } from '../proxy/memory.proxy-world.js';
import { blockedRoutes, disguises } from './blocked-routes.contract.js';
import { canBeTogether, MORE_PLACES, PLACES, THEIRS_ONLY } from './credential-places.contract.js';

const CLIENT_SECRET = 'sk-of-the-client';
const OTHER_KEY = KEY.replace('0123', '3210');
/** Some providers have hundreds that are written alike. */
const ROUTES_MAX = 12;

let world: ProxyWorld;
const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
beforeAll(async () => {
  world = await new ProxyWorld().start();
  world.rates = everythingPriced();
});
beforeEach(() => {
  for (const seen of [world.seen, world.reserved, world.spooled]) seen.length = 0;
});
afterAll(async () => {
  agent.destroy();
  await world.close();
});

/** Every model of every provider has a price: nothing is kept from a provider for want of one. */
function everythingPriced(): RateBook {
  const [per, free] = [Rational.of(1_000_000n), false];
  const rates = PROVIDERS.flatMap(({ slug }) =>
    METERS.map((meter) => ({
      ...{ provider: slug, model: '*', meter, tier: 'standard', contextFrom: 0, free, per },
      ...{ unitCostUsd: Rational.ONE, effectiveFrom: 0, version: 1 },
    })),
  );
  return world.rates.with(rates, [], 1);
}

interface Asked {
  method: string;
  target: string;
  headers?: http.OutgoingHttpHeaders;
}

interface Answered {
  status: number;
  /** As Node takes it apart, or the switch of protocols that a client of WebSockets waits for. */
  switched: boolean;
  body: string;
}

/** Over the wire, the target byte for byte. */
function ask({ method, target, headers = {} }: Asked): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const body = method === 'POST' ? '{"model":"m","prompt":"x","messages":[]}' : '';
    const request = http.request({
      ...{ host: '127.0.0.1', port: world.gatewayPort, agent, method, path: target },
      headers: {
        ...(body ? { 'content-type': 'application/json', 'content-length': body.length } : {}),
        ...headers,
      },
    });
    request.on('error', reject);
    request.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode ?? 0, switched: true, body: '' });
    });
    request.on('response', (response) => {
      let text = '';
      response.on('data', (part: Buffer) => {
        text += part.toString();
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, switched: false, body: text }));
    });
    request.end(body);
  });
}

const REFUSED = ['route_not_supported', 'path_traversal'];
const BEARER = { authorization: `Bearer ${KEY}` };
const UPGRADE = {
  ...{ connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' },
  'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
};

/** None of them reaches the provider, and each is refused by us. */
async function expectBlocked(asked: readonly Asked[]): Promise<void> {
  const answers = await Promise.all(asked.map((one) => ask({ headers: BEARER, ...one })));
  const forwarded = world.seen.map(({ method, url }) => `${method} ${url}`);
  expect(forwarded).toEqual([]);
  expect(world.reserved).toEqual([]);
  const odd = asked.filter(({ target }, n) => {
    const { status = 0, body = '' } = answers[n] ?? {};
    // Only where the query is what is wrong has a route been found.
    const codes = target.includes('?') ? [...REFUSED, 'invalid_body'] : REFUSED;
    return status < 400 || status >= 500 || !codes.includes(JSON.parse(body).error?.code);
  });
  expect(odd).toEqual([]);
}

/** The same targets with the query that they have, and with some that could make another route of them. */
function withQueries(target: string): string[] {
  if (target.includes('?')) return [target];
  return [target, `${target}?`, `${target}?beta=true`, `${target}?alt=/v1/models`, `${target}?/../v1/models`];
}

describe.each(PROVIDERS.map((provider) => [provider.slug, provider] as const))('%s', (slug, provider) => {
  const blocked = blockedRoutes(slug);
  const plain = blocked.filter(([method]) => method !== 'WS');

  it('has a list of what is blocked', () => expect(plain.length).toBeGreaterThan(2));

  it.each(plain)('%s %s is blocked, however it is written', async (method, target) => {
    const paths = target.includes('?') ? [] : disguises(target);
    await expectBlocked(
      [...withQueries(target), ...paths].map((spelling) => ({
        method,
        target: `/proxy/${slug}${spelling}`,
      })),
    );
  });

  it('is blocked on its own host as well', () =>
    expectBlocked(
      plain.map(([method, target]) => ({
        method,
        target,
        headers: { ...BEARER, host: `${slug}-proxy.localhost` },
      })),
    ));

  it('takes its own routes in no other spelling than theirs', async () => {
    for (const { method, path } of provider.routes.slice(0, ROUTES_MAX)) {
      const own = examplePath(path);
      const asked = disguises(own)
        .filter((spelling) => !isOwnSpelling(provider, method, spelling))
        .map((target) => ({ method, target: `/proxy/${slug}${target}` }));
      expect(asked.length).toBeGreaterThan(20);
      await expectBlocked(asked);
    }
  });

  const upgrades = [
    ...blocked.filter(([method]) => method === 'WS').map(([, target]) => target),
    ...provider.routes.slice(0, 3).map(({ path }) => examplePath(path)),
  ];
  it.each(upgrades)('is not switched to a WebSocket, and says so: %s', async (target) => {
    const asked = [
      { target: `/proxy/${slug}${target}`, headers: { ...BEARER, ...UPGRADE } },
      { target, headers: { ...BEARER, ...UPGRADE, host: `${slug}-proxy.localhost` } },
      { target: `/proxy/${slug}${target}`, headers: { ...BEARER, ...UPGRADE, upgrade: 'WebSocket, h2c' } },
    ];
    for (const one of asked) {
      const { status, switched, body } = await ask({ method: 'GET', ...one });
      expect([status, switched]).toEqual([404, false]);
      expect(JSON.parse(body).error).toMatchObject({
        code: 'route_not_supported',
        message: 'WebSocket connections are not supported.',
      });
    }
    expect(world.seen).toEqual([]);
  });

  describe('of two credentials in one request', () => {
    const free = provider.routes.find((one) => one.class === 'free' && one.method === 'GET');
    const places = Object.keys(PLACES).filter((place) => place !== 'path' || hasKeyInPath(provider));
    const pairs = places.flatMap((ours) =>
      [...places, ...THEIRS_ONLY]
        .filter((theirs) => canBeTogether(ours, theirs))
        .map((theirs) => [ours, theirs] as const),
    );

    it('has a route to ask', () => expect(free).toBeDefined());

    it.each(pairs)(
      'ours in %s and theirs in %s: ours is read, neither is forwarded',
      async (ours, theirs) => {
        const one = carrying({ [ours]: KEY, [theirs]: CLIENT_SECRET }, provider, free?.path ?? '');
        expect((await ask({ method: 'GET', ...one })).status).toBe(200);
        expectRealSecretOnly();
      },
    );

    it.each(places)('ours in %s and another of ours beside it: refused', async (place) => {
      const other = place === 'x-api-key' ? 'x-goog-api-key' : 'x-api-key';
      const one = carrying({ [place]: KEY, [other]: OTHER_KEY }, provider, free?.path ?? '');
      const { status, body } = await ask({ method: 'GET', ...one });
      expect([status, JSON.parse(body).error.code]).toEqual([401, 'app_unknown']);
      expect(world.seen).toEqual([]);
    });
  });
});

/** The provider saw one request, the real secret once in it, and nothing of any client's. */
function expectRealSecretOnly(): void {
  expect(world.seen).toHaveLength(1);
  const seen = JSON.stringify(world.seen);
  expect(seen.split(REAL_SECRET)).toHaveLength(2);
  expect(seen).not.toContain(CLIENT_SECRET);
  expect(seen).not.toContain('vendo_sk_');
}

function carrying(
  credentials: Record<string, string>,
  provider: Provider,
  route: string,
): Omit<Asked, 'method'> {
  const places = { ...PLACES, ...MORE_PLACES };
  const parts = Object.entries(credentials).flatMap(([place, one]) => places[place]?.(one) ?? []);
  const query = parts.flatMap((part) => part.query ?? []).join('&');
  const token = parts.find((part) => part.token !== undefined)?.token ?? '42:AA';
  const path = examplePath(route).replace('/bot/', `/bot${token}/`);
  return {
    target: `/proxy/${provider.slug}${path}${query && '?'}${query}`,
    headers: Object.assign({}, ...parts.map(({ headers }) => headers)),
  };
}

/** A provider whose clients put their token into the path. */
function hasKeyInPath({ routes }: Provider): boolean {
  return routes.some(({ path }) => path.startsWith('/bot/'));
}

/** A path that the route takes. */
function examplePath(route: string): string {
  return route.replace(/\/([:*])[a-zA-Z]+/g, (_, kind: string) => (kind === '*' ? '/a/B-1' : '/B-1'));
}

/** Ids are the client's to choose: in capitals they are others, and some providers take names in any case. */
function isOwnSpelling(provider: Provider, method: string, target: string): boolean {
  return /^[\w./:-]+$/.test(target) && !/\/\/|\/$/.test(target)
    ? matchRoute(provider, method, provider.target?.(target) ?? target) !== null
    : false;
}
