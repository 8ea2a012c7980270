import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import type { UsageMeasuredV1 } from '@vendo/events';
import { insertUsageEvents, park } from '@vendo/read-models';
import { openHold, operatorStand, PARKED, SPOOL } from './operator-stand.contract.js';

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

  it('shows holds, spools and rate misses', async () => {
    const tenant = await newTenant();
    expect(await call('GET', `/tenants/${tenant}/holds`)).toEqual({
      status: 200,
      body: { holds: [openHold(tenant)] },
    });
    expect(await call('GET', '/spools')).toEqual({ status: 200, body: { spools: [SPOOL] } });
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
