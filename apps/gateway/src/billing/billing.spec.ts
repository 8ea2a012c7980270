import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import type { UsageMeasuredV1 } from '@vendo/events';
import { addToRollups, insertUsageEvents } from '@vendo/read-models';
import { APP, billingStand, CONNECTION, CONNECTION_KEY, TENANT } from './billing-stand.contract.js';

const { get, query, request, wallet, withClient } = billingStand();

describe('GET /api/billing/balance', () => {
  it.each([
    ['settled minus held', 12_500_000, 2_500_001, 9_999_999],
    ['never below zero', 100, 2_500_000, 0],
    ['zero for a debt', -5, 0, 0],
  ])('shows what can be spent: %s', async (_, balance, held, remaining) => {
    await wallet(balance, held);
    expect(await get('/api/billing/balance')).toMatchObject({
      status: 200,
      text: `{"credits_remaining_micros":${remaining},"currency":"USD","top_up_url":"https://vendo.run/billing","as_of_seq":7}`,
    });
  });

  it('shows zeros to a tenant without a wallet', async () => {
    expect((await get('/api/billing/balance')).body).toEqual({
      credits_remaining_micros: 0,
      currency: 'USD',
      top_up_url: 'https://vendo.run/billing',
      as_of_seq: 0,
    });
  });
});

describe('GET /api/billing/balance?detail=1', () => {
  it('tells settled and held apart', async () => {
    await wallet(-5, 7);
    expect((await get('/api/billing/balance?detail=1')).body).toEqual({
      credits_remaining_micros: 0,
      currency: 'USD',
      top_up_url: 'https://vendo.run/billing',
      as_of_seq: 7,
      settled_micros: -5,
      held_micros: 7,
      as_of: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    });
  });
});

describe('GET /api/billing/balance?min_seq=', () => {
  it('waits for the journal row that is asked for', async () => {
    const answer = get('/api/billing/balance?min_seq=7');
    await new Promise((resolve) => setTimeout(resolve, 50));
    await wallet(5, 0);
    expect((await answer).body).toMatchObject({ credits_remaining_micros: 5, as_of_seq: 7 });
  });

  it('answers what there is when the row does not come within a second', async () => {
    await wallet(5, 0);
    const began = performance.now();
    expect((await get('/api/billing/balance?min_seq=8')).body).toMatchObject({ as_of_seq: 7 });
    expect(performance.now() - began).toBeGreaterThanOrEqual(1_000);
  });

  it.each(['', '-1', 'x', '1.5'])('refuses %j', async (seq) => {
    expect(await get(`/api/billing/balance?min_seq=${seq}`)).toMatchObject({
      status: 400,
      text: '{"error":{"message":"min_seq: must be a whole number"}}',
    });
  });
});

describe('GET /api/v1/balance', () => {
  it.each([
    [12_500_000, 0, '12.5'],
    [12_345_000, 0, '12.34'],
    [12_355_000, 0, '12.36'],
    [1_000_000, 3_250_000, '-2.25'],
    [-1, 0, '0'],
    [8_999_999_999_990_000, 0, '8999999999.99'],
    [100_000_000, 0, '100'],
  ])('shows %d micros, %d of them held, as %s USD', async (balance, held, usd) => {
    await wallet(balance, held);
    expect((await get('/api/v1/balance')).text).toBe(`{"balance_usd":${usd},"tenant_id":"${TENANT}"}`);
  });

  it('shows zero to a tenant without a wallet', async () => {
    expect((await get('/api/v1/balance')).text).toBe(`{"balance_usd":0,"tenant_id":"${TENANT}"}`);
  });
});

describe('GET /api/billing/usage', () => {
  const now = new Date();
  const day = now.toISOString().slice(0, 10);
  const month = now.toISOString().slice(0, 7);
  const lastMonth = new Date(
    Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 0, 23, 59, 59, 999),
  ).toISOString();

  const line = (
    meter: 'input_tokens' | 'output_tokens',
    quantity: string,
    cost_micros: number,
    model?: string,
  ) => ({
    meter,
    quantity,
    unit_cost_usd: '1',
    per: '1000000',
    margin_pct: '20',
    cost_micros_exact: `${cost_micros}/1`,
    cost_micros,
    ...(model ? { model } : {}),
  });

  async function used(given: Partial<UsageMeasuredV1>): Promise<void> {
    const lines = given.lines ?? [];
    const event: UsageMeasuredV1 = {
      id: randomUUID(),
      tenant_id: TENANT,
      app_id: APP.appId,
      key_id: APP.keyId,
      connection_id: randomUUID(),
      provider: 'openai',
      route: 'chat.completions',
      model: 'gpt-4o',
      upstream_request_id: null,
      status: 200,
      outcome: 'completed',
      evidence: 'exact',
      provider_cost_micros: 0,
      cost_micros: 0,
      rate_version: 1,
      hold_micros: 0,
      reserved_at: `${day}T00:00:00.000Z`,
      started_at: `${day}T00:00:00.000Z`,
      ended_at: `${day}T00:00:01.000Z`,
      ttfb_ms: null,
      stream: false,
      ...given,
      lines,
    };
    await withClient(async (client) => addToRollups(client, await insertUsageEvents(client, [event])));
  }

  it('groups by provider, model and meter, and every total is the sum of its parts', async () => {
    await used({ lines: [line('output_tokens', '7', 70), line('input_tokens', '1.50', 3)] });
    await used({ lines: [line('input_tokens', '10', 20), line('output_tokens', '1', 5, 'gpt-4o-mini')] });
    await used({ provider: 'anthropic', model: null });
    await used({ app_id: randomUUID(), lines: [line('input_tokens', '999', 999)] });
    await used({ tenant_id: randomUUID(), lines: [line('input_tokens', '999', 999)] });
    await used({ reserved_at: lastMonth, lines: [line('input_tokens', '999', 999)] });
    const { status, body } = await get('/api/billing/usage?period=month');
    expect(status).toBe(200);
    expect(body).toEqual({
      period: 'month',
      start: `${month}-01T00:00:00.000Z`,
      end: new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1)).toISOString(),
      currency: 'USD',
      total_micros: 98,
      calls: 3,
      as_of: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      providers: [
        {
          provider: 'anthropic',
          total_micros: 0,
          calls: 1,
          models: [{ model: null, total_micros: 0, calls: 1, meters: [] }],
        },
        {
          provider: 'openai',
          total_micros: 98,
          calls: 2,
          models: [
            {
              model: 'gpt-4o',
              total_micros: 93,
              calls: 2,
              meters: [
                { meter: 'input_tokens', quantity: '11.5', cost_micros: 23 },
                { meter: 'output_tokens', quantity: '7', cost_micros: 70 },
              ],
            },
            {
              model: 'gpt-4o-mini',
              total_micros: 5,
              calls: 0,
              meters: [{ meter: 'output_tokens', quantity: '1', cost_micros: 5 }],
            },
          ],
        },
      ],
    });
  });

  it('shows a connection key what its connection used, through whatever key', async () => {
    await used({ connection_id: CONNECTION.connectionId ?? '', lines: [line('input_tokens', '10', 20)] });
    await used({ lines: [line('input_tokens', '100', 200)] });
    const { body } = await get('/api/billing/usage', { authorization: `Bearer ${CONNECTION_KEY}` });
    expect(body).toMatchObject({ period: 'month', total_micros: 20, calls: 1 });
  });

  it('shows the UTC day', async () => {
    await used({ lines: [line('input_tokens', '1', 2)] });
    await used({ reserved_at: new Date(Date.parse(`${day}T00:00:00.000Z`) - 1).toISOString() });
    const { body } = await get('/api/billing/usage?period=day');
    expect(body).toMatchObject({ period: 'day', start: `${day}T00:00:00.000Z`, total_micros: 2, calls: 1 });
  });

  it('shows zeros to a tenant without usage', async () => {
    expect((await get('/api/billing/usage')).body).toMatchObject({
      total_micros: 0,
      calls: 0,
      providers: [],
    });
  });

  it.each(['year', '', 'Day', 'day&period=month'])('refuses the period %j', async (period) => {
    expect(await get(`/api/billing/usage?period=${period}`)).toMatchObject({
      status: 400,
      text: '{"error":{"message":"period: must be day or month"}}',
    });
  });
});

describe('the billing API', () => {
  const PATHS = ['/api/billing/balance', '/api/v1/balance', '/api/billing/usage', '/api/billing/spend-caps'];

  it.each([
    ['no key', {}, 401, 'Missing Bearer token'],
    ['another scheme', { authorization: 'Basic abc' }, 401, 'Missing Bearer token'],
    ['an unknown key', { authorization: 'Bearer vendo_sk_nobody' }, 401, 'Invalid or revoked token'],
    ['a revoked key', { authorization: 'Bearer vendo_sk_revoked' }, 401, 'Invalid or revoked token'],
    ['an expired key', { authorization: 'Bearer vendo_sk_expired' }, 401, 'Invalid or revoked token'],
    ['a bad token', { authorization: 'Bearer a.bad.token' }, 401, 'Invalid or revoked token'],
    [
      'a token that nobody can check',
      { authorization: 'Bearer the.keys.away' },
      503,
      'Billing is unavailable for the moment. Try again.',
    ],
    [
      'an outage',
      { authorization: 'Bearer vendo_sk_outage' },
      503,
      'Billing is unavailable for the moment. Try again.',
    ],
  ])('answers %s in its own shape on every path', async (_, headers, status, message) => {
    for (const path of PATHS) {
      const answer = await get(path, headers as Record<string, string>);
      expect(answer).toMatchObject({ status, text: JSON.stringify({ error: { message } }) });
      expect(answer.headers).not.toHaveProperty('vendo-error-code');
      expect(answer.headers['access-control-allow-origin']).toBe('*');
    }
  });

  it('tells no detail of a failure of its own', async () => {
    await query('alter table read.wallet_balances rename to gone');
    try {
      expect(await get('/api/v1/balance')).toMatchObject({
        status: 500,
        text: '{"error":{"message":"Internal server error"}}',
      });
    } finally {
      await query('alter table read.gone rename to wallet_balances');
    }
  });

  it('answers a preflight without a key', async () => {
    for (const url of PATHS) {
      const answer = await request('OPTIONS', url, { origin: 'https://x.vendo.run' });
      expect(answer).toMatchObject({ status: 204, text: '' });
      expect(answer.headers).toMatchObject({
        'access-control-allow-origin': 'https://x.vendo.run',
        'access-control-allow-methods': 'GET, OPTIONS',
        'access-control-allow-headers': 'Authorization, Content-Type',
        vary: 'Origin',
      });
    }
  });
});
