import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { Quantity } from '@vendo/pricing';
import fc from 'fast-check';
import type { Account, Outgoing } from '../provider.js';
import { readRequest, reported } from '../read-answer.contract.js';
import { matchRoute } from '../route-table.js';
import { composio } from './composio.provider.js';

const EXECUTE = '/api/v3.1/tools/execute/GITHUB_CREATE_ISSUE';
const SESSION = '/api/v3.1/tool_router/session/trs_1';
const CALL = 'composio.action_call';
const OWN: Account = { tenantId: 't', isShared: false, part: null };
const POOL: Account = { tenantId: 'tenant-1', isShared: true, part: null };
const MANAGED = managed('github');

const fixture = (name: string): string => readFileSync(join(import.meta.dirname, 'fixtures', name), 'utf8');
const read = (body: unknown, path = EXECUTE) => readRequest(composio, path, body);

function managed(toolkit: string): Account {
  const part = JSON.stringify({ user_id: 'user-1', connected_account_id: 'ca_1', toolkit });
  return { tenantId: 'tenant-1', isShared: true, part };
}

function forwarded(body: unknown, account: Account, path = EXECUTE): string | undefined {
  return read(body, path).bodyFor?.(account).toString();
}

describe('composio requests', () => {
  it.each([
    ['an own account for a call', { custom_auth_params: { base_url: 'https://x' } }],
    ['credentials of its own', { custom_connection_data: { val: {} } }],
    ['arguments that are no object', { arguments: [] }],
    ['a choice that is made twice', '{"user_id":"a","user_id":"b"}'],
    ['the same, escaped', '{"user_id":"a","user_\\u0069d":"b"}'],
    ['what is no JSON', '{'],
  ])('refuses %s', (_, body) =>
    expect(() => read(body)).toThrow(expect.objectContaining({ code: 'invalid_body' })),
  );

  it.each(['proxy', 'PROXY', 'Proxy', 'github', '_X', 'A_', 'GITHUB-CREATE_ISSUE', 'A.B_C'])(
    'has no tool %s',
    (tool) =>
      expect(() => read({}, `/api/v3.1/tools/execute/${tool}`)).toThrow(
        expect.objectContaining({ code: 'route_not_supported' }),
      ),
  );

  it('goes to the tool in its one spelling, without a query', () =>
    expect(read({}, '/api/v3/tools/execute/github_create_issue?user_id=other')).toMatchObject({
      model: 'GITHUB_CREATE_ISSUE',
      path: '/api/v3/tools/execute/GITHUB_CREATE_ISSUE',
      needs: [CALL],
      bound: { kind: 'units', units: { [CALL]: 1 } },
      stream: false,
    }));

  const several = { tools: [{ tool_slug: 'A_B' }, { tool_slug: 'A_B' }, { tool_slug: 'C_D' }, 7] };
  it.each([
    ['a tool in a session', `${SESSION}/execute`, { tool_slug: 'GMAIL_SEND_EMAIL' }, { [CALL]: 1 }],
    ['a search in a session', `${SESSION}/execute_meta`, { slug: 'COMPOSIO_SEARCH_TOOLS' }, { [CALL]: 1 }],
    [
      'several tools',
      `${SESSION}/execute_meta`,
      { slug: 'COMPOSIO_MULTI_EXECUTE_TOOL', arguments: several },
      { [CALL]: 1, [`${CALL}@A_B`]: 2, [`${CALL}@C_D`]: 1 },
    ],
    [
      'several tools by the other route',
      `${SESSION}/execute`,
      { tool_slug: 'COMPOSIO_MULTI_EXECUTE_TOOL', arguments: several },
      { [CALL]: 1, [`${CALL}@A_B`]: 2, [`${CALL}@C_D`]: 1 },
    ],
    [
      'several tools without a session',
      '/api/v3.1/tools/execute/COMPOSIO_MULTI_EXECUTE_TOOL',
      { arguments: several },
      { [CALL]: 1, [`${CALL}@A_B`]: 2, [`${CALL}@C_D`]: 1 },
    ],
    [
      'no tools at all',
      `${SESSION}/execute_meta`,
      { slug: 'COMPOSIO_MULTI_EXECUTE_TOOL', arguments: { tools: [] } },
      { [CALL]: 1 },
    ],
    ['a list that another tool is given', EXECUTE, { arguments: several }, { [CALL]: 1 }],
  ])('counts %s', (_, path, body, lines) => {
    const request = read(body, path);
    const meter = request.meter();
    meter.onHead?.({});
    expect(lineSums(meter.reading().quantities)).toEqual(lines);
    const calls = Object.values(lines).reduce((sum, count) => sum + count, 0);
    expect(request.bound).toEqual({ kind: 'units', units: { [CALL]: calls } });
  });

  it.each([
    ['a list as text', '[{"tool_slug":"A_B"},{"tool_slug":"A_B"}]'],
    ['one without a list', { tool_slug: 'A_B' }],
    ['a number', 2],
  ])('refuses tools that are no list: %s', (_, tools) => {
    const body = { arguments: { tools } };
    const refused = expect.objectContaining({ code: 'invalid_body' });
    for (const [path, slug] of [
      [`${SESSION}/execute_meta`, { slug: 'COMPOSIO_MULTI_EXECUTE_TOOL' }],
      [`${SESSION}/execute`, { tool_slug: 'COMPOSIO_MULTI_EXECUTE_TOOL' }],
      ['/api/v3.1/tools/execute/COMPOSIO_MULTI_EXECUTE_TOOL', {}],
    ] as const)
      expect(() => read({ ...slug, ...body }, path)).toThrow(refused);
    expect(() => read({ action_id: 'COMPOSIO_MULTI_EXECUTE_TOOL', args: { tools } }, '/v1/execute')).toThrow(
      refused,
    );
    expect(read(body, EXECUTE).bound).toEqual({ kind: 'units', units: { [CALL]: 1 } });
  });

  it('refuses more tools in one call than Composio takes', () => {
    const tools = Array.from({ length: 101 }, () => ({ tool_slug: 'A_B' }));
    const body = { slug: 'COMPOSIO_MULTI_EXECUTE_TOOL', arguments: { tools } };
    expect(() => read(body, `${SESSION}/execute_meta`)).toThrow(
      expect.objectContaining({ code: 'invalid_body' }),
    );
  });

  it.each([
    ['a tool in a session', `${SESSION}/execute`, { tool_slug: 'A_B' }],
    ['a tool of Composio in a session', `${SESSION}/execute_meta`, { slug: 'COMPOSIO_REMOTE_BASH_TOOL' }],
    ['a tool of Composio', '/api/v3.1/tools/execute/composio_remote_bash_tool', {}],
    ['the same by our own route', '/v1/execute', { action_id: 'COMPOSIO_REMOTE_BASH_TOOL' }],
  ])('%s reads what is stored in the account', (_, path, body) =>
    expect(read(body, path).accountObjects).toEqual(['session_id']),
  );

  it('an ordinary tool reads nothing of it', () => expect(read({}).accountObjects).toBeUndefined());
});

describe('whose account is used', () => {
  const chosen = { user_id: 'other', entity_id: 'other', connected_account_id: 'ca_other' };

  it.each([
    [
      'the connection says',
      MANAGED,
      '{"user_id":"user-1","connected_account_id":"ca_1","arguments":{"a":1}}',
    ],
    ['the tenant is, on the managed pool', POOL, '{"user_id":"tenant-1","arguments":{"a":1}}'],
  ])('%s', (_, account, body) => {
    expect(forwarded({ ...chosen, arguments: { a: 1 } }, account)).toBe(body);
    expect(forwarded({ arguments: { a: 1 } }, account)).toBe(body);
    expect(
      forwarded({ action_id: 'GITHUB_X', args: { a: 1 }, user_id: 'other' }, account, '/v1/execute'),
    ).toBe(body);
  });

  it("the client says, of the tenant's own", () => {
    const body = JSON.stringify({ ...chosen, arguments: { a: 1 }, unheard_of: 1 });
    expect(forwarded(body, OWN)).toBe(body);
  });

  it('is said whatever keys a client thinks of, and no byte of the arguments changes', () =>
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.object(), (others, args) => {
        const raw = JSON.stringify(args).replace('}', ',"n":12345678901234567890}').replace('{,', '{');
        const head = Object.entries(others)
          .filter(([key]) => key !== 'arguments')
          .map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)},`);
        const body = `{${head.join('')}"arguments": ${raw}}`;
        let sent: string | undefined;
        try {
          sent = forwarded(body, MANAGED);
        } catch (thrown) {
          expect(thrown).toMatchObject({ code: 'invalid_body' });
          return;
        }
        expect(sent?.startsWith('{"user_id":"user-1","connected_account_id":"ca_1",')).toBe(true);
        expect(sent).toContain(raw);
        const { user_id, connected_account_id, ...rest } = JSON.parse(sent ?? '');
        expect([user_id, connected_account_id]).toEqual(['user-1', 'ca_1']);
        expect(Object.keys(rest).filter((key) => !KEPT.includes(key))).toEqual([]);
      }),
    ));
  const KEPT = ['arguments', 'text', 'version', 'allow_tracing'];

  it.each(['userId', 'User_Id', 'auth_config_id', 'x'])('is not said by %s, which is refused', (key) =>
    expect(() => forwarded({ [key]: 'other' }, MANAGED)).toThrow(
      expect.objectContaining({ code: 'invalid_body' }),
    ),
  );

  it.each(['', '{}', '[]', 'null', '{"user_id":"","connected_account_id":"x","toolkit":"github"}'])(
    'must be authorized again where the connection stores %j',
    (part) =>
      expect(() => forwarded({}, { ...MANAGED, part })).toThrow(
        expect.objectContaining({ code: 'connection_needs_reauth' }),
      ),
  );

  it.each([
    ['github', 'GITHUB_CREATE_ISSUE', true],
    ['gmail', 'GITHUB_CREATE_ISSUE', false],
    ['git', 'GITHUB_CREATE_ISSUE', false],
    ['one_drive', 'ONE_DRIVE_GET_FILE', true],
    ['one', 'ONEDRIVE_GET_FILE', false],
  ])('a connection to %s and the tool %s suit each other: %s', (toolkit, tool, suits) =>
    expect(read({}, `/api/v3.1/tools/execute/${tool}`).binding?.suits(managed(toolkit))).toBe(suits),
  );

  it('every tool suits an own account and the pool, and a missing one says its toolkit', () => {
    const { binding } = read({ action_id: 'gmail_send_email' }, '/v1/execute');
    expect([binding?.suits(OWN), binding?.suits(POOL), binding?.wanted]).toEqual([
      true,
      true,
      { toolkit: 'gmail' },
    ]);
  });
});

describe('composio usage', () => {
  it.each([
    ['succeeded.json', false, 'log_ok_1'],
    ['failed-with-200.json', true, 'log_failed_1'],
  ])('%s is one call, failed or not', (name, failed, upstreamId) => {
    const meter = read({}).meter();
    meter.onBody(JSON.parse(fixture(name)));
    expect(reported(meter)).toEqual({ [CALL]: 1 });
    expect(meter.reading()).toMatchObject({ state: 'final', evidence: 'header', failed, upstreamId });
  });

  it('is known at the head of an answer and not before, so that a call that is not answered costs nothing', () => {
    const meter = read({}).meter();
    expect(meter.reading()).toMatchObject({ state: 'none', quantities: [] });
    meter.onHead?.({});
    expect(reported(meter)).toEqual({ [CALL]: 1 });
    meter.onTornBody('{"data":');
    expect(meter.counted()).toEqual(meter.reading());
  });

  it('never throws on what it is answered', () =>
    fc.assert(
      fc.property(fc.jsonValue(), (answer) => {
        const meter = read({}).meter();
        meter.onBody(answer);
        expect(reported(meter)).toEqual({ [CALL]: 1 });
      }),
    ));
});

describe('the answers of /v1/execute', () => {
  const route = matchRoute(composio, 'POST', '/v1/execute')?.route;
  const answers = route?.class === 'metered' ? route.answers : undefined;
  const answered = (status: number, body: string) => answers?.answer(status, Buffer.from(body)).toString();

  it.each([
    [200, fixture('succeeded.json'), '{"data": { "id": 12345678901234567890, "title": "Größe" }}'],
    [
      200,
      fixture('failed-with-200.json'),
      '{"data": {"http_error": "404 Not Found", "id": 9007199254740993},"error":"Repository was not found"}',
    ],
    [200, '{"successful":false}', '{"data":null,"error":"The action failed."}'],
    [200, 'no JSON', '{"data":null}'],
    [200, '[1]', '{"data":null}'],
    [429, '{"message":"Rate limit exceeded."}', '{"error":"Rate limit exceeded."}'],
    [400, fixture('error-object.json'), '{"error":"No connected account was found for this user"}'],
    [500, '{"error":"broken"}', '{"error":"broken"}'],
    [502, '<html>', '{"error":"Composio answered with status 502."}'],
    [503, '', '{"error":"Composio answered with status 503."}'],
  ])('of a %i', (status, body, own) => {
    const made = answered(status, body);
    expect(made).toBe(own);
    JSON.parse(made ?? '');
  });

  it('are JSON whatever Composio answers', () =>
    fc.assert(
      fc.property(fc.uint8Array(), fc.jsonValue(), fc.constantFrom(200, 404), (bytes, json, status) => {
        for (const body of [Buffer.from(bytes), Buffer.from(JSON.stringify(json))])
          JSON.parse(answers?.answer(status, body).toString() ?? '');
      }),
    ));

  it('of a missing binding name its toolkit, and all others are as everywhere', () => {
    const missing = { code: 'binding_missing', message: 'm', toolkit: 'gmail' } as const;
    expect(answers?.refusal({ error: missing })).toEqual({ error: 'binding_missing', toolkit: 'gmail' });
    const other = { error: { code: 'balance_exhausted', message: 'm' } } as const;
    expect(answers?.refusal(other)).toEqual(other);
  });
});

describe('composio routes', () => {
  it.each([
    ['POST', '/tools/execute/GITHUB_X', 'metered'],
    ['POST', '/tool_router/session/trs_1/execute', 'metered'],
    ['POST', '/tool_router/session/trs_1/execute_meta', 'metered'],
    ['GET', '/tools', 'free'],
    ['GET', '/tools?toolkit_slug=github', 'free'],
    ['GET', '/tools/enum', 'free'],
    ['GET', '/tools/GITHUB_X', 'free'],
    ['POST', '/tools/execute/GITHUB_X/input', 'free'],
    ['POST', '/tools/scopes/required', 'free'],
    ['GET', '/toolkits', 'free'],
    ['GET', '/toolkits/github', 'free'],
    ['GET', '/toolkits/categories', 'free'],
    ['GET', '/triggers_types', 'free'],
    ['GET', '/triggers_types/list/enum', 'free'],
    ['POST', '/tool_router/session', 'free'],
    ['GET', '/tool_router/session/trs_1', 'free'],
    ['POST', '/tool_router/session/trs_1/search', 'free'],
    ['GET', '/tool_router/session/trs_1/tools', 'free'],
    ['GET', '/tool_router/session/trs_1/toolkits', 'free'],
  ])('%s %s is %s in both versions', (method, path, kind) => {
    for (const base of ['/api/v3.1', '/api/v3'])
      expect(matchRoute(composio, method, base + path)?.route.class).toBe(kind);
  });

  it.each([
    ['GET', '/api/v3.1/auth_configs'],
    ['POST', '/api/v3.1/connected_accounts'],
    ['GET', '/api/v3.1/connected_accounts/ca_1'],
    ['POST', '/api/v3.1/connected_accounts/link'],
    ['POST', '/api/v3.1/tool_router/session/trs_1/proxy_execute'],
    ['POST', '/api/v3.1/tool_router/session/trs_1/link'],
    ['POST', '/api/v3.1/tool_router/session/trs_1/attach'],
    ['GET', '/api/v3.1/tool_router/session/trs_1/mounts/m/items'],
    ['POST', '/api/v3.1/files/upload/request'],
    ['GET', '/api/v3.1/files/list'],
    ['GET', '/api/v3.1/org/usage'],
    ['POST', '/api/v3.1/api_key_revocation'],
    ['POST', '/api/v3.1/cli/create-session'],
    ['POST', '/api/v3.1/internal/action_execution/logs'],
    ['GET', '/api/v3.1/trigger_instances/active'],
    ['POST', '/api/v3.1/mcp/servers'],
    ['GET', '/api/v3.1/auth/session/info'],
    ['GET', '/api/v3.1/webhook_subscriptions'],
    ['GET', EXECUTE],
    ['POST', `${EXECUTE}/`],
    ['POST', '/api/v3.1//tools/execute/GITHUB_X'],
    ['POST', '/api/v3.1/tools/execute/%47ITHUB_X'],
    ['POST', '/api/v3.1/tools%2Fexecute/GITHUB_X'],
    ['POST', '/API/v3.1/tools/execute/GITHUB_X'],
    ['POST', '/api/v3%2E1/tools/execute/GITHUB_X'],
    ['POST', '/api/v2/actions/GITHUB_X/execute'],
    ['POST', '/v1/execute/'],
    ['GET', '/v1/execute'],
  ])('%s %s is blocked', (method, path) => expect(matchRoute(composio, method, path)).toBeNull());

  it('names sessions as objects of the account on every free route that has them', () => {
    const named = composio.routes.filter(({ path }) => path.includes('/tool_router/'));
    const free = named.filter((route) => route.class === 'free');
    expect(free.map(({ accountObjects }) => accountObjects)).toEqual(free.map(() => ['session_id']));
    expect(free).toHaveLength(10);
  });
});

describe('composio credentials and prices', () => {
  it('puts the key in once, and takes out what would go on to language models', () => {
    const outgoing: Outgoing = { path: EXECUTE, headers: { 'x-llm-gateway-headers': '{}', accept: '*/*' } };
    composio.authorize(outgoing, 'ak_real');
    expect(outgoing).toEqual({ path: EXECUTE, headers: { accept: '*/*', 'x-api-key': 'ak_real' } });
  });

  it.each([
    ['GITHUB_CREATE_ISSUE', ['GITHUB_CREATE_ISSUE', 'github_create', 'github', '*']],
    ['ONE_DRIVE_GET_FILE', ['ONE_DRIVE_GET_FILE', 'one_drive_get', 'one_drive', 'one', '*']],
  ])('%s is priced as %j', (tool, keys) => expect(composio.rateKeys(tool)).toEqual(keys));
});

function lineSums(quantities: readonly Quantity[]) {
  const sums: Record<string, number> = {};
  for (const { meter, model, quantity } of quantities) {
    const line = model ? `${meter}@${model}` : meter;
    sums[line] = (sums[line] ?? 0) + Number(quantity.toDecimal());
  }
  return sums;
}
