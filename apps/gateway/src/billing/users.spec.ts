import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { storeWindows } from '@vendo/read-models';
import { APP, APP_KEY, billingStand, CONNECTION, CONNECTION_KEY, TENANT } from './billing-stand.contract.js';

const { get, ledger, query, request, withClient } = billingStand();

const ALICE = { authorization: 'Bearer alice.good.token' };
const BOB = { authorization: 'Bearer bob.good.token' };
const CAPS = '/api/billing/spend-caps';

async function tenantOf(user: Record<string, string>): Promise<string> {
  return ((await get('/api/v1/balance', user)).body as { tenant_id: string }).tenant_id;
}

/** An app of the user, as the operator would make it. */
async function appOf(user: Record<string, string>): Promise<string> {
  const id = randomUUID();
  await query('insert into registry.apps (id, tenant_id, display_name) values ($1, $2, $3)', [
    id,
    await tenantOf(user),
    'Bot',
  ]);
  return id;
}

async function used(tenantId: string, subject: string, spent: number, held: number): Promise<void> {
  const [now] = await query(
    `select to_char(now() at time zone 'UTC', 'YYYY-MM-DD') as daily, to_char(now() at time zone 'UTC', 'YYYY-MM') as monthly`,
  );
  const row = { subject, tenant_id: tenantId, held_micros: held, cap_micros: null, position: '1' };
  await withClient((client) =>
    storeWindows(client, [
      { ...row, period: 'daily', cap_window: String(now?.daily), spent_micros: spent },
      { ...row, period: 'daily', cap_window: '2001-02-03', spent_micros: 999 },
      { ...row, period: 'monthly', cap_window: String(now?.monthly), spent_micros: spent * 10 },
    ]),
  );
}

describe('the first sight of a token', () => {
  it('makes its tenant once, however many come together, with one audit row', async () => {
    const tenants = await Promise.all(Array.from({ length: 20 }, () => tenantOf(ALICE)));
    const [tenant] = tenants;
    expect(new Set(tenants).size).toBe(1);
    expect(await query('select name, is_test from registry.tenants where id = $1', [tenant])).toEqual([
      { name: 'alice@example.com', is_test: false },
    ]);
    expect(await query('select who, action from registry.audit where subject = $1', [tenant])).toEqual([
      { who: 'identity', action: 'tenant.created' },
    ]);
  });

  it('makes another tenant for another user, named by its subject where there is no address', async () => {
    const bob = await tenantOf(BOB);
    expect(bob).not.toBe(await tenantOf(ALICE));
    expect(await query('select name from registry.tenants where id = $1', [bob])).toEqual([{ name: 'bob' }]);
  });
});

describe('GET /api/billing/usage by a token', () => {
  it('shows the tenant, and narrows to an app of it', async () => {
    const app = await appOf(ALICE);
    for (const path of ['/api/billing/usage', `/api/billing/usage?app_id=${app.toUpperCase()}`])
      expect(await get(path, ALICE)).toMatchObject({ status: 200, body: { total_micros: 0 } });
  });

  it('answers the same to a foreign app and to one that does not exist', async () => {
    const answers = [];
    for (const app of [await appOf(BOB), randomUUID()])
      answers.push(await get(`/api/billing/usage?app_id=${app}`, ALICE));
    expect(answers[0]).toMatchObject({ status: 404, text: '{"error":{"message":"There is no such app."}}' });
    expect(answers[1]?.text).toBe(answers[0]?.text);
  });
});

describe('GET /api/billing/spend-caps', () => {
  beforeEach(() => ledger.caps.clear());

  it.each([
    ['an app key those of its app', APP_KEY, APP.capSubject],
    ['a connection key its own', CONNECTION_KEY, CONNECTION.keyId],
  ])('shows %s, and what is used of the current windows, holds included', async (_, key, subject) => {
    ledger.caps.set(subject, { daily_micros: 5_000_000, monthly_micros: null });
    await used(TENANT, subject, 30, 4);
    for (const query of ['', `?app_id=${randomUUID()}`])
      expect((await get(CAPS + query, { authorization: `Bearer ${key}` })).body).toEqual({
        daily_micros: 5_000_000,
        monthly_micros: null,
        used_today_micros: 34,
        used_month_micros: 304,
      });
  });

  it('shows no use of another tenant, whatever the subject', async () => {
    await used(randomUUID(), APP.capSubject, 30, 4);
    expect((await get(CAPS)).body).toMatchObject({ used_today_micros: 0, used_month_micros: 0 });
  });

  it('wants to know the app from a token, and knows its own ones only', async () => {
    expect(await get(CAPS, ALICE)).toMatchObject({
      status: 400,
      text: '{"error":{"message":"app_id: is required with a token"}}',
    });
    const [foreign, unknown] = [
      await get(`${CAPS}?app_id=${await appOf(BOB)}`, ALICE),
      await get(`${CAPS}?app_id=${randomUUID()}`, ALICE),
    ];
    expect(foreign).toMatchObject({ status: 404, text: unknown?.text });
    expect(await get(`${CAPS}?app_id=${await appOf(ALICE)}`, ALICE)).toMatchObject({ status: 200 });
  });

  it('says that the ledger is away', async () => {
    ledger.away = true;
    expect(await get(CAPS)).toMatchObject({ status: 503 });
  });
});

describe('PUT /api/billing/spend-caps', () => {
  beforeEach(() => ledger.caps.clear());

  it('sets, keeps and clears the caps of an own app, and the audit says who', async () => {
    const app = await appOf(ALICE);
    const path = `${CAPS}?app_id=${app}`;
    const set = await request('PUT', path, ALICE, { spend_cap_daily: '5.5', spend_cap_monthly: 100 });
    expect(set).toMatchObject({
      status: 200,
      body: { daily_micros: 5_500_000, monthly_micros: 100_000_000, used_today_micros: 0 },
    });
    const cleared = await request('PUT', path, ALICE, { spend_cap_daily: null });
    expect(cleared.body).toMatchObject({ daily_micros: null, monthly_micros: 100_000_000 });
    expect(await get(path, ALICE)).toMatchObject({ body: cleared.body });
    const who = `user of tenant ${await tenantOf(ALICE)}`;
    expect(
      await query('select who, action from registry.audit where subject = $1 order by id', [app]),
    ).toEqual([
      { who, action: 'caps.asked' },
      { who, action: 'app.changed' },
      { who, action: 'caps.asked' },
      { who, action: 'app.changed' },
    ]);
  });

  it('changes nothing of a foreign app, and answers as to an unknown one', async () => {
    const foreign = await appOf(BOB);
    const body = { spend_cap_daily: 1 };
    const answer = await request('PUT', `${CAPS}?app_id=${foreign}`, ALICE, body);
    expect(answer.status).toBe(404);
    expect((await request('PUT', `${CAPS}?app_id=${randomUUID()}`, ALICE, body)).text).toBe(answer.text);
    expect(ledger.caps.has(foreign)).toBe(false);
  });

  it.each([APP_KEY, CONNECTION_KEY])('lets no key lift its caps: %s', async (key) => {
    const answer = await request('PUT', CAPS, { authorization: `Bearer ${key}` }, { spend_cap_daily: null });
    expect(answer.status).toBe(403);
    expect(ledger.caps.size).toBe(0);
  });

  it.each([
    ['no JSON', '{', 400, 'invalid_body'],
    [
      'JSON that is too large',
      JSON.stringify({ spend_cap_daily: '1'.repeat(1_100_000) }),
      413,
      'body_too_large',
    ],
  ])('refuses %s as every other route does', async (_, body, status, code) => {
    const headers = { ...ALICE, 'content-type': 'application/json' };
    expect(await request('PUT', CAPS, headers, body)).toMatchObject({ status, body: { error: { code } } });
  });

  it.each([
    {},
    { spend_cap_daily: -1 },
    { spend_cap_daily: 1_000_001 },
    { spend_cap_daily: 'much' },
    { spend_cap_daily: '0.0000001' },
    { spend_cap_weekly: 1 },
  ])('refuses %j', async (body) => {
    const answer = await request('PUT', `${CAPS}?app_id=${await appOf(ALICE)}`, ALICE, body);
    expect(answer.status).toBe(400);
    expect(ledger.caps.size).toBe(0);
  });
});
