// Over 400 lines: it is the status table of the contract, row by row.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type ProductUnderTest, productForTests } from '../harness/index.js';
import type { RawAnswer } from '../harness/raw-http.js';

const BODY_LIMIT_BYTES = 100_000;
const UPSTREAM_TIMEOUT_MS = 2_000;
/** By its host name, which not every client can resolve, and by a path. */
const FORMS = ['{slug}-proxy.localhost', '/proxy/{slug}'];
/** Less than any hold. */
const TINY_CAP = '0.000001';
const UNKNOWN_KEY = `vendo_sk_${'0'.repeat(32)}`;
const CHAT = '/v1/chat/completions';
const DIRECTIVES = ['sandbox-status429', 'sandbox-status500', 'sandbox-diebeforeheaders', 'sandbox-hang'];

/** Keys of callers in every state that the table asks for; none was used before its row. */
interface Keys {
  rich: string;
  empty: string;
  almostEmpty: string;
  cappedDaily: string;
  cappedMonthly: string;
  cappedAndEmpty: string;
  revoked: string;
  needsReauth: string;
  connectionRevoked: string;
  unboundAndEmpty: string;
  openaiConnection: string;
}

interface Asked {
  slug?: string;
  method?: string;
  path?: string;
  key?: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
}

interface Row {
  status: number;
  code: string;
  /** Whether the answer carries `Vendo-Error-Code`. */
  header: boolean;
  when: string;
  ask: (keys: Keys) => Asked;
}

const chat = (model: string, key: string): Asked => ({ key, body: question(model) });

const ROWS: Row[] = [
  {
    status: 400,
    code: 'path_traversal',
    header: false,
    when: 'the path climbs, raw',
    ask: ({ rich }) => ({ key: rich, path: '/v1/../v1/chat/completions' }),
  },
  {
    status: 400,
    code: 'path_traversal',
    header: false,
    when: 'the path climbs, encoded, at an unknown provider and without a key',
    ask: () => ({ slug: 'nobody', path: '/v1/%2e%2E/models' }),
  },
  {
    status: 400,
    code: 'invalid_body',
    header: true,
    when: 'the body is not JSON',
    ask: ({ rich }) => ({ key: rich, body: '{"model":' }),
  },
  {
    status: 400,
    code: 'invalid_body',
    header: true,
    when: 'the body is compressed',
    ask: ({ rich }) => ({ key: rich, headers: { 'content-encoding': 'gzip' } }),
  },
  {
    status: 401,
    code: 'app_unknown',
    header: true,
    when: 'there is no key',
    ask: () => ({}),
  },
  {
    status: 401,
    code: 'app_unknown',
    header: true,
    when: 'nobody has that key',
    ask: () => ({ key: UNKNOWN_KEY }),
  },
  {
    status: 401,
    code: 'app_unknown',
    header: true,
    when: 'the key is a provider key',
    ask: () => ({ key: 'sk-proj-0123456789' }),
  },
  {
    status: 401,
    code: 'app_unknown',
    header: true,
    when: 'there are two different keys',
    ask: ({ rich, empty }) => ({ key: rich, headers: { 'x-api-key': empty } }),
  },
  {
    status: 401,
    code: 'app_revoked',
    header: true,
    when: 'the key was revoked',
    ask: ({ revoked }) => ({ key: revoked }),
  },
  {
    status: 401,
    code: 'connection_needs_reauth',
    header: true,
    when: 'the bound connection needs reauth',
    ask: ({ needsReauth }) => ({ key: needsReauth }),
  },
  {
    status: 402,
    code: 'balance_exhausted',
    header: false,
    when: 'there is no credit',
    ask: ({ empty }) => ({ key: empty }),
  },
  {
    status: 402,
    code: 'balance_exhausted',
    header: false,
    when: 'the credit does not cover the hold',
    ask: ({ almostEmpty }) => ({ key: almostEmpty }),
  },
  {
    status: 402,
    code: 'rate_missing',
    header: false,
    when: 'the model has no price',
    ask: ({ rich }) => chat('gpt-unheard-of', rich),
  },
  {
    status: 403,
    code: 'binding_missing',
    header: true,
    when: 'nothing is bound, whatever the balance',
    ask: ({ unboundAndEmpty }) => ({ key: unboundAndEmpty }),
  },
  {
    status: 403,
    code: 'binding_missing',
    header: true,
    when: 'a connection key is used at another provider',
    ask: ({ openaiConnection }) => ({
      slug: 'anthropic',
      path: '/v1/messages',
      key: openaiConnection,
      body: question('claude-haiku-4-5'),
    }),
  },
  {
    status: 403,
    code: 'binding_missing',
    header: true,
    when: 'X-Vendo-Connection names nothing that is bound',
    ask: ({ rich }) => ({
      key: rich,
      headers: { 'x-vendo-connection': '01980000-0000-7000-8000-000000000000' },
    }),
  },
  {
    status: 403,
    code: 'connection_revoked',
    header: true,
    when: 'the bound connection was revoked',
    ask: ({ connectionRevoked }) => ({ key: connectionRevoked }),
  },
  {
    status: 404,
    code: 'adapter_unknown',
    header: false,
    when: 'there is no such provider',
    ask: ({ rich }) => ({ slug: 'nobody', key: rich }),
  },
  {
    status: 404,
    code: 'route_not_supported',
    header: true,
    when: 'the route is not on the list',
    ask: ({ rich }) => ({ key: rich, path: '/v1/files' }),
  },
  {
    status: 404,
    code: 'route_not_supported',
    header: true,
    when: 'the method is not on the list',
    ask: ({ rich }) => ({ key: rich, method: 'DELETE', path: '/v1/models/gpt-4o', body: '' }),
  },
  {
    status: 413,
    code: 'body_too_large',
    header: true,
    when: 'the body is over the limit',
    ask: ({ rich }) => ({ key: rich, body: Buffer.alloc(BODY_LIMIT_BYTES + 1, ' ') }),
  },
  {
    status: 502,
    code: 'upstream_unreachable',
    header: true,
    when: 'the provider hangs up before it answers',
    ask: ({ rich }) => chat('sandbox-diebeforeheaders', rich),
  },
  {
    status: 504,
    code: 'upstream_timeout',
    header: true,
    when: 'the provider never answers',
    ask: ({ rich }) => chat('sandbox-hang', rich),
  },
];

const CAPS: { code: string; window: 'day' | 'month'; when: string; key: keyof Keys }[] = [
  { code: 'spend_cap_daily', window: 'day', when: 'the daily cap is reached', key: 'cappedDaily' },
  { code: 'spend_cap_monthly', window: 'month', when: 'the monthly cap is reached', key: 'cappedMonthly' },
  {
    code: 'spend_cap_daily',
    window: 'day',
    when: 'both caps are reached and the balance is empty',
    key: 'cappedAndEmpty',
  },
];

const FREE: { slug: string; method: string; path: string; body?: string }[] = [
  { slug: 'openai', method: 'GET', path: '/v1/models' },
  { slug: 'openai', method: 'GET', path: '/v1/models/gpt-5' },
  { slug: 'anthropic', method: 'GET', path: '/v1/models' },
  { slug: 'anthropic', method: 'GET', path: '/v1/models/claude-haiku-4-5' },
  {
    slug: 'anthropic',
    method: 'POST',
    path: '/v1/messages/count_tokens',
    body: question('claude-haiku-4-5'),
  },
];

let product: ProductUnderTest;
let keys: Keys;

beforeAll(async () => {
  product = await productForTests({
    env: {
      VENDO_MAX_JSON_BYTES: String(BODY_LIMIT_BYTES),
      VENDO_UPSTREAM_TIMEOUT_MS: String(UPSTREAM_TIMEOUT_MS),
    },
  });
  await product.admin.importRates(
    DIRECTIVES.flatMap((model) =>
      ['input_tokens', 'output_tokens'].map((meter) => ({
        provider: 'openai',
        model,
        meter,
        unit_cost_usd: '1',
        per: '1000000',
      })),
    ),
  );
  keys = await prepareKeys();
  await product.ratesAreIn('openai', 'sandbox-status429', keys.rich);
});
afterAll(() => product?.stop());

describe.each(FORMS)('asked as %s, the proxy answers', (form) => {
  it.each(ROWS)('$status $code when $when', async ({ status, code, header, ask }) => {
    const answer = await send(form, ask(keys));
    expectRefusal(answer, status, code, header);
    expect(answer.headers['retry-after']).toBeUndefined();
  });

  it.each(CAPS)('429 $code when $when, with the seconds to the end of the window', async (row) => {
    const before = Date.now();
    const answer = await send(form, { key: keys[row.key] });
    expectRefusal(answer, 429, row.code, true);
    const { error } = JSON.parse(answer.body.toString());
    expect(answer.headers['retry-after']).toBe(String(error.retry_after));
    const left = [before, Date.now()].map((now) => secondsLeft(row.window, now));
    expect(left.some((seconds) => Math.abs(seconds - error.retry_after) <= 1)).toBe(true);
  });

  it.each(FREE)('200 to $method $path of $slug at a balance of 0', async (route) => {
    const answer = await send(form, { ...route, key: keys.empty });
    expect(answer.status).toBe(200);
    expect(answer.headers['vendo-error-code']).toBeUndefined();
    expectOpenToBrowsers(answer);
  });

  it.each([
    { status: 429, code: 'rate_limit_exceeded' },
    { status: 500, code: null },
  ])("the provider's own $status, unchanged and without our header", async ({ status, code }) => {
    const answer = await send(form, chat(`sandbox-status${status}`, keys.rich));
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body.toString())).toMatchObject({ error: { code } });
    expect(answer.headers['vendo-error-code']).toBeUndefined();
    expect(answer.headers['x-should-retry']).toBeUndefined();
    expectOpenToBrowsers(answer);
  });

  it('204 to a preflight before every other check, unknown providers included', async () => {
    const answer = await send(form, {
      slug: 'nobody',
      method: 'OPTIONS',
      path: '/v1/../anything',
      headers: {
        origin: 'https://a.tool',
        'access-control-request-headers': 'authorization, x-stainless-os',
      },
      body: '',
    });
    expect(answer.status).toBe(204);
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-allow-methods': '*',
      'access-control-allow-headers': 'authorization, x-stainless-os',
    });
  });

  it('the same bytes for a connection that is unbound, unknown, foreign or no id at all', async () => {
    const [foreign, unbound] = [await newConnection(), await newConnection(richTenant)];
    const named = [foreign, unbound, '01980000-0000-7000-8000-000000000000', "x' or 1=1"];
    const answers = await Promise.all(
      named.map((id) => send(form, { key: keys.rich, headers: { 'x-vendo-connection': id } })),
    );
    expect(answers.map(({ status }) => status)).toEqual([403, 403, 403, 403]);
    expect(new Set(answers.map(({ body }) => body.toString())).size).toBe(1);
  });
});

describe('while the provider refuses connections', () => {
  beforeAll(() => product.kill('sandbox', 'SIGKILL'));
  afterAll(() => product.start('sandbox'));

  it.each(FORMS)('calls as %s get 502, free ones too', async (form) => {
    expectRefusal(await send(form, { key: keys.rich }), 502, 'upstream_unreachable', true);
    expectRefusal(await send(form, { ...FREE[0], key: keys.rich }), 502, 'upstream_unreachable', true);
  });
});

describe('while the ledger is down', () => {
  beforeAll(() => product.kill('ledger', 'SIGKILL'));
  afterAll(() => product.start('ledger'));

  it('metered calls get 503 and free ones go on', async () => {
    const metered = Promise.all(FORMS.map((form) => send(form, { key: keys.rich })));
    const free = await Promise.all(FORMS.map((form) => send(form, { ...FREE[0], key: keys.empty })));
    expect(free.map(({ status }) => status)).toEqual([200, 200]);
    for (const answer of await metered) {
      expectRefusal(answer, 503, 'billing_unavailable', false);
      expect(answer.headers['x-should-retry']).toBeUndefined();
    }
  });
});

describe('after all of it', () => {
  it('an operator finds the model without a price among the rate misses', async () => {
    const { rate_misses } = await product.waitUntil(async () => {
      const answer = await product.admin.call<{ rate_misses: { model: string }[] }>('GET', '/rate-misses');
      return answer.rate_misses.some(({ model }) => model === 'gpt-unheard-of') && answer;
    }, 'the rate miss');
    expect(rate_misses.find(({ model }) => model === 'gpt-unheard-of')).toMatchObject({
      tenant_id: richTenant,
      provider: 'openai',
      count: FORMS.length,
    });
  });

  it('the ledger is back, a call is answered and charged, and none of the refused ones was', async () => {
    const answer = await product.waitUntil(async () => {
      const next = await send('/proxy/{slug}', { key: keys.rich });
      return next.status === 200 && next;
    }, 'a call that is answered');
    expect(JSON.parse(answer.body.toString())).toMatchObject({ object: 'chat.completion' });
    const events = await product.waitUntil(async () => {
      const all = await product.admin.usageEvents(richTenant);
      return all.length > 0 && all;
    }, 'its usage event');
    expect(events).toHaveLength(1);
    await product.settled(richTenant);
  });
});

let richTenant: string;

async function prepareKeys(): Promise<Keys> {
  const { admin } = product;
  const rich = await product.customer();
  richTenant = rich.tenantId;
  const revoked = await product.customer();
  await admin.revokeKey(revoked.keyId);
  const connection = await newConnection(rich.tenantId);
  const { key } = await admin.post<{ key: { plaintext: string } }>(`/connections/${connection}/keys`, {});
  const capped = { spend_cap_daily: TINY_CAP, spend_cap_monthly: TINY_CAP };
  return {
    rich: rich.key,
    empty: (await product.customer({ creditMicros: 0 })).key,
    almostEmpty: (await product.customer({ creditMicros: 1 })).key,
    cappedDaily: (await product.customer({ spend_cap_daily: TINY_CAP })).key,
    cappedMonthly: (await product.customer({ spend_cap_monthly: TINY_CAP })).key,
    cappedAndEmpty: (await product.customer({ creditMicros: 0, ...capped })).key,
    revoked: revoked.key,
    needsReauth: await appWithConnection('needs_reauth'),
    connectionRevoked: await appWithConnection('revoked'),
    unboundAndEmpty: (await admin.createApp((await admin.createTenant()).id)).key,
    openaiConnection: key.plaintext,
  };
}

/** The key of an app with credit whose only connection to openai is in this state. */
async function appWithConnection(status: string): Promise<string> {
  const { admin } = product;
  const { id: tenantId } = await admin.createTenant();
  await admin.credit(tenantId, 10_000_000);
  const app = await admin.createApp(tenantId);
  const id = await newConnection(tenantId);
  await admin.bind(app.id, 'openai', id);
  await admin.call('PATCH', `/connections/${id}`, { status });
  return app.key;
}

/** @param tenantId without it, somebody else's. */
async function newConnection(tenantId?: string): Promise<string> {
  const owner = tenantId ?? (await product.admin.createTenant()).id;
  return (await product.admin.connect(owner, 'openai', 'vendo_managed_pool')).id;
}

function question(model: string): string {
  return JSON.stringify({ model, max_tokens: 16, messages: [{ role: 'user', content: 'Hello' }] });
}

/** A chat of gpt-4o-mini at openai, but for what is given. */
function send(
  form: string,
  { slug = 'openai', method = 'POST', path = CHAT, key, headers = {}, body = question('gpt-4o-mini') }: Asked,
): Promise<RawAnswer> {
  const byHost = !form.startsWith('/');
  const place = form.replace('{slug}', slug);
  return product.raw({
    method,
    path: byHost ? path : place + path,
    headers: {
      ...(byHost ? { host: place } : {}),
      ...(slug === 'anthropic' ? { 'anthropic-version': '2023-06-01' } : {}),
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(method === 'GET' ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(method === 'GET' ? {} : { body }),
  });
}

function expectRefusal(answer: RawAnswer, status: number, code: string, header: boolean): void {
  const { error, ...rest } = JSON.parse(answer.body.toString());
  expect({ status: answer.status, code: error.code }).toEqual({ status, code });
  expect(rest).toEqual({});
  expect(error.message).toMatch(/\w.*\./);
  expect(answer.headers['vendo-error-code']).toBe(header ? code : undefined);
  expect(answer.headers['x-should-retry']).toBe(status < 500 ? 'false' : undefined);
  expect(answer.headers['content-type']).toContain('application/json');
  expectOpenToBrowsers(answer);
}

function expectOpenToBrowsers({ headers }: RawAnswer): void {
  expect(headers['access-control-allow-origin']).toBe('*');
  expect(headers['access-control-expose-headers']).toContain('Vendo-Error-Code');
}

function secondsLeft(window: 'day' | 'month', nowMs: number): number {
  const now = new Date(nowMs);
  const end =
    window === 'day'
      ? Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate() + 1)
      : Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1);
  return Math.ceil((end - nowMs) / 1_000);
}
