import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import type { UsageMeasuredV1 } from '@vendo/events';
import { insertUsageEvents, park } from '@vendo/read-models';
import { OVERDUE, openHold, operatorStand, PARKED, SPOOL } from './operator-stand.contract.js';

const { call, newTenant, withClient } = operatorStand();

describe('what the operator looks at', () => {
  const event = (reserved_at: string, tenant_id: string): UsageMeasuredV1 => ({
    id: randomUUID(),
    tenant_id,
    app_id: null,
    key_id: randomUUID(),
    connection_id: randomUUID(),
    provider: 'openai',
    route: 'embeddings',
    model: 'm',
    upstream_request_id: null,
    status: 200,
    outcome: 'completed',
    evidence: 'exact',
    lines: [],
    provider_cost_micros: 0,
    cost_micros: 0,
    rate_version: 1,
    hold_micros: 10,
    reserved_at,
    started_at: reserved_at,
    ended_at: reserved_at,
    ttfb_ms: 1,
    stream: false,
  });

  const store = (events: UsageMeasuredV1[]) =>
    withClient(async (client) => {
      await client.query('set search_path to read');
      await insertUsageEvents(client, events);
    });

  it('pages through usage events, newest first; what comes in between changes no page', async () => {
    const tenant = await newTenant();
    const at = (n: number) => new Date(Date.UTC(2020, 0, 1, 10, 0, 0, Math.floor(n / 2))).toISOString();
    const events = Array.from({ length: 7 }, (_, n) => event(at(n), tenant));
    await store([...events, event(at(3), randomUUID())]);
    const seen: UsageMeasuredV1[] = [];
    let next: string | null = null;
    do {
      const query = `tenant_id=${tenant}&limit=3${next ? `&after=${next}` : ''}`;
      const { status, body } = await call('GET', `/usage-events?${query}`);
      expect(status).toBe(200);
      const page = body as { usage_events: UsageMeasuredV1[]; next: string | null };
      expect(Object.keys(page)).toEqual(['usage_events', 'next']);
      seen.push(...page.usage_events);
      next = page.next;
      await store([event(new Date().toISOString(), tenant)]);
    } while (next);
    const newestFirst = [...events].sort((a, b) =>
      a.reserved_at === b.reserved_at ? (a.id < b.id ? 1 : -1) : a.reserved_at < b.reserved_at ? 1 : -1,
    );
    expect(seen).toEqual(newestFirst.map((one) => ({ ...one, corrected_micros: 0 })));
  });

  it.each(['limit=0', 'limit=201', 'limit=x', 'tenant_id=7', 'after=zzz', 'colour=red'])(
    'refuses usage events with %s',
    async (query) => {
      const { status, body } = await call('GET', `/usage-events?${query}`);
      expect(status).toBe(400);
      expect(body).toMatchObject({ error: { code: 'invalid_request' } });
    },
  );

  describe('of what was counted or estimated', () => {
    const line = {
      meter: 'output_tokens' as const,
      quantity: '7',
      unit_cost_usd: '1',
      per: '1000000',
      margin_pct: '0',
      cost_micros_exact: '7/1',
      cost_micros: 7,
    };
    /** An event of `cost` micros. */
    const estimate = (
      tenant_id: string,
      provider: string,
      evidence: UsageMeasuredV1['evidence'],
      at: string,
      cost: number,
    ): UsageMeasuredV1 => ({
      ...event(at, tenant_id),
      provider,
      evidence,
      lines: [{ ...line, cost_micros: cost }],
      cost_micros: cost,
    });
    const row = ({
      id,
      tenant_id,
      provider,
      model,
      lines,
      cost_micros,
      evidence,
      reserved_at,
    }: UsageMeasuredV1) => ({
      hold_id: id,
      tenant_id,
      provider,
      model,
      lines,
      cost_micros,
      evidence,
      at: reserved_at,
    });

    /** Two tenants; each event's cost is a power of two, so that a sum says which events it is of. */
    async function stored() {
      const mine = await newTenant();
      const other = await newTenant();
      const events = [
        estimate(mine, 'openai', 'counted', '2021-03-31T23:59:59.999Z', 1),
        estimate(mine, 'openai', 'counted', '2021-04-01T00:00:00.000Z', 2),
        estimate(mine, 'openai', 'estimated', '2021-04-02T12:00:00.000Z', 4),
        estimate(mine, 'anthropic', 'counted', '2021-04-02T23:59:59.999Z', 8),
        estimate(mine, 'anthropic', 'counted', '2021-04-03T00:00:00.000Z', 16),
        estimate(other, 'openai', 'estimated', '2021-04-02T13:00:00.000Z', 32),
        estimate(mine, 'openai', 'exact', '2021-04-02T12:00:00.000Z', 64),
        estimate(mine, 'openai', 'drained', '2021-04-02T12:00:00.000Z', 128),
        estimate(mine, 'openai', 'header', '2021-04-02T12:00:00.000Z', 256),
      ];
      await store(events);
      const newestFirst = events.slice(0, 6).sort((a, b) => (a.reserved_at < b.reserved_at ? 1 : -1));
      return { mine, rows: newestFirst.map(row) };
    }

    type Page = {
      estimates: ReturnType<typeof row>[];
      totals: { provider: string; evidence: string; count: number; cost_micros: number }[];
      next: string | null;
    };

    it.each([
      ['without a filter', '', 63],
      ['of one kind', 'evidence=estimated', 36],
      ['of a tenant', 'tenant_id=MINE', 31],
      ['of a provider', 'provider=anthropic', 24],
      ['from a day on', 'from=2021-04-01', 62],
      ['to a day, which is one of them', 'to=2021-04-02', 47],
      ['of one day', 'from=2021-04-02&to=2021-04-02', 44],
      [
        'of everything at once',
        'tenant_id=MINE&provider=openai&evidence=counted&from=2021-04-01&to=2021-04-02',
        2,
      ],
      ['of a provider without any', 'provider=gemini', 0],
    ])('lists those %s, and their totals', async (_, query, cost) => {
      await withClient((client) => client.query('truncate read.usage_events'));
      const { mine, rows } = await stored();
      const { status, body } = await call('GET', `/estimates?${query.replace('MINE', mine)}`);
      expect(status).toBe(200);
      const page = body as Page;
      const expected = rows.filter((one) => (one.cost_micros & cost) !== 0);
      expect(page.estimates).toEqual(expected);
      const groups = Map.groupBy(expected, ({ provider, evidence }) => `${provider} ${evidence}`);
      expect(page.totals).toEqual(
        [...groups].sort().map(([, group]) => ({
          provider: group[0]?.provider,
          evidence: group[0]?.evidence,
          count: group.length,
          cost_micros: group.reduce((sum, one) => sum + one.cost_micros, 0),
        })),
      );
      expect(page.next).toBeNull();
    });

    it('pages through them, with the same totals on each page; what comes in between changes no page', async () => {
      const tenant = await newTenant();
      const at = (n: number) => new Date(Date.UTC(2021, 5, 1, 10, 0, 0, Math.floor(n / 2))).toISOString();
      const events = Array.from({ length: 7 }, (_, n) => estimate(tenant, 'openai', 'counted', at(n), 1));
      await store(events);
      const seen: Page['estimates'] = [];
      let next: string | null = null;
      let pages = 0;
      do {
        const query = `tenant_id=${tenant}&to=2021-06-30&limit=3${next ? `&after=${next}` : ''}`;
        const page = (await call('GET', `/estimates?${query}`)).body as Page;
        expect(page.totals).toEqual([{ provider: 'openai', evidence: 'counted', count: 7, cost_micros: 7 }]);
        expect(page.estimates.length).toBeLessThanOrEqual(3);
        seen.push(...page.estimates);
        next = page.next;
        pages += 1;
        await store([estimate(tenant, 'openai', 'counted', '2021-07-01T00:00:00.000Z', 1)]);
      } while (next);
      expect(pages).toBe(3);
      expect(seen).toEqual(
        [...events]
          .sort((a, b) =>
            a.reserved_at === b.reserved_at ? (a.id < b.id ? 1 : -1) : a.reserved_at < b.reserved_at ? 1 : -1,
          )
          .map(row),
      );
    });

    it.each([
      'evidence=exact',
      'evidence=',
      'tenant_id=7',
      'provider=Open%20AI',
      'from=2021-02-30',
      'from=0000-01-01',
      'to=2021-04-01T00:00:00Z',
      'from=2021-04-02&to=2021-04-01',
      'limit=0',
      'after=zzz',
      `after=${Buffer.from(`0000-01-01T00:00:00.000Z ${randomUUID()}`).toString('base64url')}`,
      'colour=red',
    ])('refuses %s', async (query) => {
      const { status, body } = await call('GET', `/estimates?${query}`);
      expect(status).toBe(400);
      expect(body).toMatchObject({ error: { code: 'invalid_request' } });
    });

    it.each(['from=0001-01-01', 'to=9999-12-31'])('takes %s', async (query) =>
      expect((await call('GET', `/estimates?${query}`)).status).toBe(200),
    );
  });

  it('shows holds, spools and rate misses', async () => {
    const tenant = await newTenant();
    expect(await call('GET', `/tenants/${tenant}/holds`)).toEqual({
      status: 200,
      body: { holds: [openHold(tenant)] },
    });
    expect(await call('GET', '/spools')).toEqual({ status: 200, body: { spools: [SPOOL] } });
    expect(await call('GET', '/overdue-jobs')).toEqual({ status: 200, body: { overdue_jobs: [OVERDUE] } });
    expect((await call('GET', '/rate-misses')).body).toEqual({ rate_misses: [] });
  });

  it('shows what the ledger and the projections have parked', async () => {
    const tenantId = randomUUID();
    const parked = {
      projection: 'usage',
      generation: 1,
      topic: 'gateway.events' as const,
      partition: 3,
      offset: 9n,
      tenantId,
      headers: {},
      value: Buffer.from('secret body'),
      reason: 'not JSON',
    };
    await withClient((client) => park(client, parked));
    const { body } = await call('GET', '/parked');
    expect(body).toEqual({
      parked: [
        { ...PARKED, by: 'ledger' },
        {
          id: 'projection-1',
          topic: 'gateway.events',
          partition: 3,
          offset: '9',
          tenant_id: tenantId,
          hold_id: null,
          reason: 'not JSON',
          parked_at: expect.stringMatching(/Z$/),
          by: 'projection usage',
        },
      ],
    });
  });
});
