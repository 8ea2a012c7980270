import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { VendoError } from '@vendo/errors';
import { RateBook } from '@vendo/pricing';
import { json } from './memory.proxy-answers.js';
import { type Got, type Sent, send } from './memory.proxy-client.js';
import { KEY, ProxyWorld, REAL_SECRET } from './memory.proxy-world.js';

const EXECUTE = '/api/v3.1/tools/execute/GITHUB_CREATE_ISSUE';
const ANSWERED =
  '{"data": {"id": 12345678901234567890}, "successful": true, "error": null, "log_id": "log_1"}';
const FAILED = '{"data": {}, "successful": false, "error": "Not found", "log_id": "log_2"}';
/** One call at 0.3 USD per thousand, with 20 % margin. */
const CALL_MICROS = 360;

let world: ProxyWorld;
beforeEach(async () => {
  world = await new ProxyWorld().start();
  world.answer = json(200, ANSWERED);
  manage('github');
});
afterEach(() => world.close());

function manage(toolkit: string): void {
  world.connection = { ...world.connection, profile: 'composio_managed' };
  world.accountPart = JSON.stringify({ user_id: 'user-1', connected_account_id: 'ca_1', toolkit });
}

function call(body: object, path = EXECUTE, sent: Sent = {}): Promise<Got | null> {
  return send(world, { path: `/proxy/composio${path}`, body: JSON.stringify(body), ...sent }).got;
}

const own = (body: object, sent: Sent = {}) => call(body, '/v1/execute', sent);
const textOf = (got: Got | null) => got?.body.toString();
const usage = () =>
  world.usages().map(({ data }) => [data.model, data.outcome, data.evidence, data.cost_micros]);

describe('a call on an account that tenants share', () => {
  it('is forwarded for the connection, whatever it says of users, and billed once', async () => {
    const body = { user_id: 'other', connected_account_id: 'ca_other', arguments: { a: 1 } };
    const headers = {
      'x-api-key': KEY,
      authorization: '',
      'x-user-api-key': 'k',
      'x-llm-gateway-headers': '{}',
    };
    expect(textOf(await call(body, `${EXECUTE}?user_id=other`, { headers }))).toBe(ANSWERED);
    const [seen] = world.seen;
    expect([seen?.url, seen?.body]).toEqual([
      EXECUTE,
      '{"user_id":"user-1","connected_account_id":"ca_1","arguments":{"a":1}}',
    ]);
    expect(seen?.headers).toMatchObject({
      'x-api-key': REAL_SECRET,
      'content-length': String(seen?.body.length),
    });
    expect(Object.keys(seen?.headers ?? {}).filter((name) => /user-api|gateway/.test(name))).toEqual([]);
    expect(usage()).toEqual([['GITHUB_CREATE_ISSUE', 'completed', 'header', CALL_MICROS]]);
    expect(world.usages()[0]?.data.upstream_request_id).toBe('log_1');
  });

  it('is billed when it failed in a 200, and not when it was refused', async () => {
    world.answer = json(200, FAILED);
    expect(textOf(await call({}))).toBe(FAILED);
    world.answer = json(429, '{"message":"Rate limit exceeded."}');
    expect((await call({}))?.status).toBe(429);
    expect(usage()).toEqual([['GITHUB_CREATE_ISSUE', 'upstream_error', 'header', CALL_MICROS]]);
    expect(world.ends().map(({ data }) => data.cost_micros)).toEqual([CALL_MICROS, 0]);
  });

  it.each<[what: string, path: string, method: string, body: object]>([
    [
      'a session to call in',
      '/api/v3.1/tool_router/session/trs_1/execute',
      'POST',
      { tool_slug: 'GITHUB_X' },
    ],
    ['a session to look at', '/api/v3.1/tool_router/session/trs_1', 'GET', {}],
    ['a session to make', '/api/v3/tool_router/session', 'POST', { user_id: 'other' }],
    ['an own account', EXECUTE, 'POST', { custom_auth_params: {} }],
  ])('cannot name %s', async (_, path, method, body) => {
    const sent = { method, body: method === 'GET' ? '' : JSON.stringify(body) };
    expect(await call(body, path, sent)).toMatchObject({ status: 400 });
    expect([world.seen, world.reserved]).toEqual([[], []]);
  });

  it("names sessions and users of the tenant's own account as it likes", async () => {
    world.connection = { ...world.connection, profile: 'byok_static' };
    world.accountPart = null;
    expect((await call({ user_id: 'mine' }))?.status).toBe(200);
    expect(
      (await call({ tool_slug: 'GITHUB_X' }, '/api/v3.1/tool_router/session/trs_1/execute'))?.status,
    ).toBe(200);
    expect(world.seen.map(({ body }) => body)).toEqual(['{"user_id":"mine"}', '{"tool_slug":"GITHUB_X"}']);
  });

  it('to a toolkit that no connection is for is refused before anything is reserved', async () => {
    manage('gmail');
    const got = await call({});
    expect(got).toMatchObject({ status: 403, headers: { 'vendo-error-code': 'binding_missing' } });
    expect(JSON.parse(textOf(got) ?? '')).toMatchObject({
      error: { code: 'binding_missing', toolkit: 'github' },
    });
    expect([world.seen, world.reserved]).toEqual([[], []]);
  });

  it('costs nothing when the client leaves before Composio has answered', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    world.answer = () => resolve();
    const { leave } = send(world, { path: `/proxy/composio${EXECUTE}`, body: '{}' });
    await promise;
    leave();
    await world.until(() => world.draining() === 1, 'the drain');
    await world.stopProxy();
    expect(world.ends().map(({ data }) => [data.outcome, data.cost_micros])).toEqual([['upstream_died', 0]]);
  });
});

describe('our own route of Composio', () => {
  const ACTION = { action_id: 'github_create_issue', args: { title: 'x' } };

  it('runs the tool, and answers with its data alone, byte for byte', async () => {
    world.answer = (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json', etag: 'w', 'x-request-id': 'r1' });
      response.write(ANSWERED.slice(0, 20));
      setImmediate(() => response.end(ANSWERED.slice(20)));
    };
    const got = await own(ACTION, { headers: { 'accept-encoding': 'gzip' } });
    expect(got).toMatchObject({ status: 200, broken: false });
    expect(textOf(got)).toBe('{"data": {"id": 12345678901234567890}}');
    expect(got?.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'x-request-id': 'r1',
    });
    expect(got?.headers.etag).toBeUndefined();
    const [seen] = world.seen;
    expect([seen?.url, seen?.body, seen?.headers['accept-encoding']]).toEqual([
      EXECUTE,
      '{"user_id":"user-1","connected_account_id":"ca_1","arguments":{"title":"x"}}',
      'identity',
    ]);
    expect(usage()).toEqual([['GITHUB_CREATE_ISSUE', 'completed', 'header', CALL_MICROS]]);
  });

  it.each([
    [404, '{"error":{"message":"No such tool"}}', '{"error":"No such tool"}', 0],
    [429, '{"message":"Rate limit exceeded."}', '{"error":"Rate limit exceeded."}', 0],
    [200, FAILED, '{"data":{},"error":"Not found"}', CALL_MICROS],
  ])('keeps the status %i of Composio, and says its error as a text', async (status, body, answer, cost) => {
    world.answer = json(status, body);
    const got = await own(ACTION);
    expect([got?.status, textOf(got)?.replace('"data": ', '"data":')]).toEqual([status, answer]);
    expect(world.ends().map(({ data }) => data.cost_micros)).toEqual([cost]);
  });

  it.each<[what: string, prepare: () => void]>([
    ['of this toolkit', () => manage('gmail')],
    ['at all', refuseConnections],
  ])('without a connection %s says which toolkit is missing', async (_, prepare) => {
    prepare();
    const got = await own(ACTION);
    expect(got).toMatchObject({ status: 403, headers: { 'vendo-error-code': 'binding_missing' } });
    expect(textOf(got)).toBe('{"error":"binding_missing","toolkit":"github"}');
  });

  it.each([
    ['no action', {}],
    ['an action that is none', { action_id: '../proxy' }],
    ['an action that is a key of ours', { action_id: KEY }],
    ['arguments that are no object', { action_id: 'GITHUB_X', args: 'x' }],
  ])('refuses %s as everywhere', async (_, body) => {
    const got = await own(body);
    expect(got?.status).toBe(400);
    expect(JSON.parse(textOf(got) ?? '')).toMatchObject({ error: { code: 'invalid_body' } });
    expect(world.seen).toEqual([]);
    expect(JSON.stringify(world.logged).toUpperCase()).not.toContain('VENDO_SK_');
  });

  it('refuses a tool without a price as everywhere', async () => {
    world.rates = new RateBook([], [], 1);
    expect(JSON.parse(textOf(await own(ACTION)) ?? '')).toMatchObject({ error: { code: 'rate_missing' } });
    expect(world.rateMisses).toMatchObject([{ model: 'GITHUB_CREATE_ISSUE' }]);
  });

  it('breaks off with the provider, and bills the call that ran', async () => {
    world.answer = (request) =>
      void request.socket.end('HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"data":{');
    expect(await own(ACTION)).toMatchObject({ status: 200, broken: true, body: Buffer.alloc(0) });
    expect(usage()).toEqual([['GITHUB_CREATE_ISSUE', 'upstream_died', 'header', CALL_MICROS]]);
  });

  it('breaks off where an answer is too large to be held', async () => {
    const part = Buffer.alloc(1_048_576, 'x');
    world.answer = (_request, response) => {
      const more = (left: number): void => {
        if (left === 0) response.end();
        else response.write(part, () => more(left - 1));
      };
      more(40);
    };
    expect(await own(ACTION)).toMatchObject({ status: 200, broken: true, body: Buffer.alloc(0) });
    await world.until(() => world.ends().length === 1, 'the end of the hold');
    expect(usage()).toEqual([['GITHUB_CREATE_ISSUE', 'client_aborted', 'header', CALL_MICROS]]);
  });
});

function refuseConnections(): void {
  world.beforeConnect = () => Promise.reject(new VendoError('binding_missing'));
}
