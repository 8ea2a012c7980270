import { once } from 'node:events';
import net from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type Got, send } from '../proxy/memory.proxy-client.js';
import { KEY, ProxyWorld, REAL_SECRET } from '../proxy/memory.proxy-world.js';

let world: ProxyWorld;
beforeAll(async () => {
  world = await new ProxyWorld().start();
});
beforeEach(() => {
  world.seen.length = 0;
  world.answer = (_request, response) => response.end('{}');
});
afterAll(() => world.close());

function codeOf(got: Got | null): string | undefined {
  return JSON.parse(got?.body.toString() || '{}').error?.code;
}

describe('the edge', () => {
  it('gives other hosts to Nest', async () => {
    const got = await send(world, { method: 'GET', path: '/healthz' }).got;
    expect(got?.status).toBe(200);
    expect(got?.headers['access-control-allow-origin']).toBeUndefined();
    expect((await send(world, { method: 'GET', path: '/metrics' }).got)?.body.toString()).toContain('vendo_');
  });

  it('never shows the operations of Nest on a proxy host', async () => {
    const headers = { host: 'openai-proxy.localhost' };
    expect(codeOf(await send(world, { method: 'GET', path: '/healthz', headers }).got)).toBe(
      'route_not_supported',
    );
  });

  it.each([
    ['a known provider', '/proxy/openai/v1/chat/completions'],
    ['an unknown provider', '/proxy/nobody/v1'],
    ['a path that is refused', '/proxy/openai/../x'],
  ])('answers a preflight before every other check: %s', async (_, path) => {
    const got = await send(world, {
      method: 'OPTIONS',
      path,
      body: '',
      headers: { authorization: '', 'access-control-request-headers': 'authorization, x-stainless-os' },
    }).got;
    expect(got?.status).toBe(204);
    expect(got?.headers).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-allow-methods': '*',
      'access-control-allow-headers': 'authorization, x-stainless-os',
    });
  });

  it.each([
    ['a traversal', 'GET', '/proxy/openai/v1/%2e%2e/x', 400, 'path_traversal', undefined],
    ['a traversal of an unknown provider', 'GET', '/proxy/nobody/../x', 400, 'path_traversal', undefined],
    ['an unknown provider', 'GET', '/proxy/nobody/v1', 404, 'adapter_unknown', undefined],
    [
      'an unlisted route',
      'POST',
      '/proxy/openai/v1/files',
      404,
      'route_not_supported',
      'route_not_supported',
    ],
    ['a doubled slash', 'GET', '/proxy/openai//v1/models', 404, 'route_not_supported', 'route_not_supported'],
    [
      'an encoded letter',
      'GET',
      '/proxy/openai/v1/%6dodels',
      404,
      'route_not_supported',
      'route_not_supported',
    ],
    ['parameters', 'GET', '/proxy/openai/v1/models;a=b', 404, 'route_not_supported', 'route_not_supported'],
    [
      'another method',
      'DELETE',
      '/proxy/openai/v1/models',
      404,
      'route_not_supported',
      'route_not_supported',
    ],
  ])('refuses %s', async (_, method, path, status, code, header) => {
    const got = await send(world, { method, path, body: '' }).got;
    expect(got?.status).toBe(status);
    expect(codeOf(got)).toBe(code);
    expect(got?.headers['vendo-error-code']).toBe(header);
    expect(got?.headers['x-should-retry']).toBe('false');
    expect(got?.headers['access-control-allow-origin']).toBe('*');
    expect(world.seen).toEqual([]);
  });

  it('refuses a WebSocket with a clear error', async () => {
    const got = await send(world, {
      method: 'GET',
      path: '/proxy/openai/v1/models',
      headers: { connection: 'upgrade', upgrade: 'websocket' },
    }).got;
    expect(got?.status).toBe(404);
    expect(got?.body.toString()).toContain('WebSocket');
  });

  it.each([
    ['as a subprotocol, as browsers do', `realtime, openai-insecure-api-key.${KEY}`],
    ['of no kind', 'realtime'],
  ])('says so also to a client with a key %s', async (_, protocol) => {
    const got = await send(world, {
      method: 'GET',
      path: '/proxy/openai/v1/realtime?model=gpt-realtime',
      headers: {
        ...{ authorization: '', connection: 'upgrade', upgrade: 'websocket' },
        'sec-websocket-protocol': protocol,
      },
    }).got;
    expect([got?.status, codeOf(got)]).toEqual([404, 'route_not_supported']);
    expect(got?.body.toString()).toContain('WebSocket connections are not supported.');
    expect(world.seen).toEqual([]);
  });
});

describe('the key', () => {
  const other = `${KEY.slice(0, -1)}X`;
  it.each([
    ['Bearer', { authorization: `Bearer ${KEY}` }, '', 200],
    ['a bare Authorization', { authorization: KEY }, '', 200],
    ['x-api-key', { authorization: '', 'x-api-key': KEY }, '', 200],
    ['xi-api-key', { authorization: '', 'xi-api-key': KEY }, '', 200],
    ['x-goog-api-key', { authorization: '', 'x-goog-api-key': KEY }, '', 200],
    ['?key=', { authorization: '' }, `?key=${KEY}`, 200],
    ['?access_token=', { authorization: '' }, `?a=1&access_token=${KEY}`, 200],
    ['ours beside a foreign one', { authorization: 'Bearer sk-mine', 'x-api-key': KEY }, '', 200],
    ['the same twice', { 'x-api-key': KEY }, '', 200],
    ['two different ones', { 'x-api-key': other }, '', 401],
    ['two different ones, one in the query', {}, `?key=${other}`, 401],
    ['none', { authorization: '' }, '', 401],
    ['an unknown one', { authorization: `Bearer ${other}` }, '', 401],
  ])('is read from %s', async (_, headers, query, status) => {
    const got = await send(world, { method: 'GET', path: `/proxy/openai/v1/models${query}`, headers }).got;
    expect(got?.status).toBe(status);
    if (status === 401) expect(got?.headers['vendo-error-code']).toBe('app_unknown');
    const [seen] = world.seen;
    expect(JSON.stringify(seen ?? {})).not.toContain('vendo_sk_');
    expect(JSON.stringify(seen ?? {})).not.toContain('sk-mine');
    if (status === 200) expect(seen?.headers.authorization).toBe(`Bearer ${REAL_SECRET}`);
  });
});

describe('header hygiene', () => {
  it('forwards nothing of the client that tells who it is or selects an account', async () => {
    await send(world, {
      method: 'GET',
      path: '/proxy/openai/v1/models?a=1&key=AIza&b=%2F',
      headers: {
        cookie: 'session=1',
        'x-forwarded-for': '10.0.0.1',
        'x-vendo-connection': 'c',
        'openai-organization': 'org-1',
        'proxy-authorization': 'Basic x',
        'idempotency-key': 'i',
        'sec-websocket-protocol': 'realtime, openai-insecure-api-key.sk-mine',
        'x-custom': 'kept',
        'x-debug': `sent with ${KEY}`,
        connection: 'x-hop, close',
        'x-hop': '1',
      },
    }).got;
    const [seen] = world.seen;
    expect(seen?.url).toBe('/v1/models?a=1&b=%2F');
    expect(Object.keys(seen?.headers ?? {}).sort()).toEqual([
      'authorization',
      'connection',
      'content-type',
      'host',
      'x-custom',
    ]);
  });

  it('returns nothing of the provider that tells about its account or leads around us', async () => {
    world.answer = (_request, response) =>
      response
        .writeHead(200, {
          'set-cookie': ['a=1', 'b=2'],
          'openai-organization': 'org',
          'anthropic-organization-id': 'org',
          'x-ratelimit-remaining-requests': '9',
          'anthropic-ratelimit-tokens-limit': '9',
          'x-account-balance': '100',
          'vendo-error-code': 'spend_cap_daily',
          'alt-svc': 'h3=":443"',
          location: 'https://api.openai.com/v1/files/1',
          'access-control-allow-origin': 'https://x',
          'x-request-id': 'req_1',
          'retry-after': '3',
          'x-should-retry': 'true',
        })
        .end('{}');
    const got = await send(world, { method: 'GET', path: '/proxy/openai/v1/models' }).got;
    const {
      date,
      connection,
      'keep-alive': _keepAlive,
      'transfer-encoding': _coding,
      ...headers
    } = got?.headers ?? {};
    expect(headers).toEqual({
      'x-request-id': 'req_1',
      'retry-after': '3',
      'x-should-retry': 'true',
      'access-control-allow-origin': '*',
      'access-control-expose-headers': 'Vendo-Error-Code, Retry-After, request-id, x-request-id',
    });
  });

  it('keeps a Location that stays with us', async () => {
    world.answer = (_request, response) => response.writeHead(200, { location: '/v1/models/x' }).end('{}');
    const got = await send(world, { method: 'GET', path: '/proxy/openai/v1/models' }).got;
    expect(got?.headers.location).toBe('/v1/models/x');
  });
});

describe('a body', () => {
  it('over the limit is refused although its length is not said', async () => {
    const got = await send(world, { body: 'x'.repeat(200_000), headers: { 'transfer-encoding': 'chunked' } })
      .got;
    expect(got?.status).toBe(413);
  });

  it('never repeats a path that is no URL', async () => {
    const got = await send(world, { method: 'GET', path: '/api/%zz/vendo_sk_secret' }).got;
    expect([got?.status, codeOf(got)]).toEqual([400, 'invalid_request']);
    expect(got?.body.toString()).not.toContain('vendo_sk_secret');
  });

  it('names no objects in the account that tenants share', async () => {
    const { connection } = world;
    world.connection = { ...connection, profile: 'vendo_managed_pool', sealedCredential: null };
    const body = JSON.stringify({ model: 'gpt-4o-mini', input: 'hi', conversation: 'conv_1' });
    const got = await send(world, { path: '/proxy/openai/v1/responses', body }).got;
    world.connection = connection;
    expect(codeOf(got)).toBe('invalid_body');
  });
});

it('a free route makes no hold and no event', async () => {
  expect((await send(world, { method: 'GET', path: '/proxy/openai/v1/models' }).got)?.status).toBe(200);
  expect(world.reserved).toEqual([]);
  expect(world.spooled).toEqual([]);
});

it('stops at once although a connection stands open on which no request ever came', async () => {
  const other = await new ProxyWorld().start();
  const silent = net.connect(other.gatewayPort, '127.0.0.1');
  await once(silent, 'connect');
  const gone = once(silent, 'close');
  await other.close();
  await gone;
}, 5_000);
