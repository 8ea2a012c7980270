import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { ADMIN, operatorStand, PLAINTEXT, refused, uuid } from './operator-stand.contract.js';

const { audit, call, ledger, newApp, newTenant, rows } = operatorStand();

describe('the operator API', () => {
  it.each([undefined, 'Bearer wrong', `Bearer ${ADMIN}x`, `Basic ${ADMIN}`, 'Bearer '])(
    'lets nobody in with the authorization %j',
    async (authorization) => {
      const requests = [
        ['POST', '/tenants'],
        ['GET', '/usage-events'],
        ['PUT', '/margins'],
        ['PATCH', `/connections/${randomUUID()}`],
        ['DELETE', `/keys/${randomUUID()}`],
      ] as const;
      for (const [method, path] of requests)
        expect(await call(method, path, undefined, { authorization: authorization ?? '' })).toEqual(
          refused(401, 'unauthorized'),
        );
    },
  );

  it.each([
    [{}, 'name: Invalid input: expected string, received undefined'],
    [{ name: ' ' }, 'name: Too small: expected string to have >=1 characters'],
    [{ name: 'A', colour: 'red' }, 'request: Unrecognized key: "colour"'],
    [{ name: 'a\0b' }, 'name: must be text without NUL'],
    [{ name: 'a\ud800b' }, 'name: must be text without NUL'],
  ])('refuses the tenant %j by naming what is wrong', async (body, message) => {
    expect(await call('POST', '/tenants', body)).toEqual(refused(400, 'invalid_request', message));
  });

  it.each([
    ['POST', '/tenants/{id}/credits', { amount_micros: 5, source: 'grant' }],
    ['POST', '/tenants/{id}/apps', { display_name: 'Bot' }],
    ['PATCH', '/apps/{id}', { display_name: 'Bot' }],
    ['POST', '/apps/{id}/keys', {}],
    ['POST', '/tenants/{id}/connections', { provider: 'openai', profile: 'vendo_managed_pool' }],
    ['PATCH', '/connections/{id}', { status: 'revoked' }],
    ['POST', '/connections/{id}/keys', {}],
    ['POST', '/apps/{id}/bindings', { provider_slug: 'openai' }],
    ['DELETE', '/apps/{id}/bindings/openai', undefined],
    ['DELETE', '/apps/{id}/bindings/%00', undefined],
    ['DELETE', '/keys/{id}', undefined],
    ['GET', '/tenants/{id}/holds', undefined],
  ] as const)('answers 404 to %s %s for an id that nothing has', async (method, path, body) => {
    for (const id of [randomUUID(), 'not-an-id'])
      expect(await call(method, path.replace('{id}', id), body, { 'idempotency-key': 'k' })).toEqual(
        refused(404, 'not_found'),
      );
  });
});

describe('tenants and credit', () => {
  it('makes a tenant', async () => {
    const { status, body } = await call('POST', '/tenants', { name: ' Acme ', is_test: true });
    expect(status).toBe(201);
    expect(body).toEqual({ tenant: { id: uuid, name: 'Acme', is_test: true } });
  });

  it('posts credit once per idempotency key, with one audit row', async () => {
    const tenant = await newTenant();
    const path = `/tenants/${tenant}/credits`;
    const credit = { amount_micros: 25_000_000, source: 'grant', note: 'welcome' };
    const first = await call('POST', path, credit, { 'idempotency-key': 'one' });
    expect(first).toEqual({
      status: 201,
      body: {
        entry: { id: expect.any(String), amount_micros: 25_000_000, balance_micros: 25_000_000, seq: 1 },
      },
    });
    expect(await call('POST', path, credit, { 'idempotency-key': 'one' })).toEqual(first);
    expect(await call('POST', path, { ...credit, amount_micros: 1 }, { 'idempotency-key': 'one' })).toEqual(
      refused(409, 'idempotency_conflict'),
    );
    const { entry } = first.body as { entry: { id: string } };
    expect(await audit(entry.id)).toEqual([
      {
        action: 'credit.granted',
        before: null,
        after: { ...entry, tenant_id: tenant, source: 'grant', note: 'welcome', idempotency_key: 'one' },
      },
    ]);
  });

  it.each([
    [{ amount_micros: 0, source: 'grant' }, 'amount_micros: must not be zero'],
    [{ amount_micros: 1.5, source: 'grant' }, expect.stringContaining('amount_micros: ')],
    [{ amount_micros: '5', source: 'grant' }, expect.stringContaining('amount_micros: ')],
    [{ amount_micros: 10_000_000_000_001, source: 'grant' }, expect.stringContaining('amount_micros: ')],
    [{ amount_micros: 5 }, expect.stringContaining('source: ')],
  ])('refuses the credit %j', async (credit, message) => {
    const path = `/tenants/${await newTenant()}/credits`;
    expect(await call('POST', path, credit, { 'idempotency-key': 'k' })).toEqual(
      refused(400, 'invalid_request', message),
    );
  });

  it('refuses credit without an idempotency key', async () => {
    const path = `/tenants/${await newTenant()}/credits`;
    expect(await call('POST', path, { amount_micros: 5, source: 'grant' })).toEqual(
      refused(400, 'invalid_request', expect.stringContaining('the header Idempotency-Key is required')),
    );
  });

  it('says that the ledger is away, and records that credit was asked for, not that it was granted', async () => {
    const tenant = await newTenant();
    ledger.away = true;
    const credit = { amount_micros: 5, source: 'grant', note: null };
    expect(await call('POST', `/tenants/${tenant}/credits`, credit, { 'idempotency-key': 'k' })).toEqual(
      refused(503, 'billing_unavailable'),
    );
    const asked = { ...credit, tenant_id: tenant, idempotency_key: 'k' };
    expect(await audit(tenant)).toMatchObject([
      { action: 'tenant.created' },
      { action: 'credit.asked', before: null, after: asked },
    ]);
    expect(
      await rows("select from registry.audit where after->>'tenant_id' = $1 and action = 'credit.granted'", [
        tenant,
      ]),
    ).toEqual([]);
  });
});

describe('apps, caps and keys', () => {
  it('makes an app with its first key, shown once', async () => {
    const tenant = await newTenant();
    const { status, body } = await call('POST', `/tenants/${tenant}/apps`, {
      display_name: 'Bot',
      spend_cap_daily: 5,
      spend_cap_monthly: '12.345678',
    });
    expect(status).toBe(201);
    expect(body).toEqual({
      app: { id: uuid },
      key: { id: uuid, prefix: expect.any(String), plaintext: expect.stringMatching(PLAINTEXT) },
    });
    const { app: made, key } = body as {
      app: { id: string };
      key: { plaintext: string; prefix: string };
    };
    expect(key.prefix).toBe(key.plaintext.slice(0, 13));
    expect(ledger.caps.get(made.id)).toEqual({ daily_micros: 5_000_000, monthly_micros: 12_345_678 });
    const everything = JSON.stringify(await rows('select * from registry.audit'));
    expect(everything).toContain(key.prefix);
    expect(everything).not.toContain(key.plaintext);
  });

  it('changes what is named, and clears a cap with null', async () => {
    const id = await newApp(await newTenant());
    expect(await call('PATCH', `/apps/${id}`, { spend_cap_daily: '0.5', spend_cap_monthly: 100 })).toEqual({
      status: 200,
      body: {
        app: {
          id,
          display_name: 'Bot',
          spend_cap_micros_daily: 500_000,
          spend_cap_micros_monthly: 100_000_000,
        },
      },
    });
    expect(await call('PATCH', `/apps/${id}`, { display_name: 'Robot', spend_cap_monthly: null })).toEqual({
      status: 200,
      body: {
        app: { id, display_name: 'Robot', spend_cap_micros_daily: 500_000, spend_cap_micros_monthly: null },
      },
    });
    expect((await audit(id)).at(-1)).toEqual({
      action: 'app.changed',
      before: {
        id,
        display_name: 'Bot',
        spend_cap_micros_daily: 500_000,
        spend_cap_micros_monthly: 100_000_000,
      },
      after: { id, display_name: 'Robot', spend_cap_micros_daily: 500_000, spend_cap_micros_monthly: null },
    });
  });

  it.each([-1, 1_000_000.01, '1e7', 'lots', '', true, 0.0000001, '0.0000001', {}])(
    'refuses the spend cap %j',
    async (spend_cap_daily) => {
      const id = await newApp(await newTenant());
      expect(await call('PATCH', `/apps/${id}`, { spend_cap_daily })).toEqual(
        refused(400, 'invalid_request', expect.stringMatching(/^spend_cap_daily: /)),
      );
    },
  );

  it.each([
    [0, 0],
    ['0', 0],
    [1_000_000, 1_000_000_000_000],
    [0.1, 100_000],
    [0.000001, 1],
  ])('takes the spend cap %j as %d micros', async (spend_cap_daily, micros) => {
    const id = await newApp(await newTenant());
    const { body } = await call('PATCH', `/apps/${id}`, { spend_cap_daily });
    expect(body).toMatchObject({ app: { spend_cap_micros_daily: micros } });
  });

  it('refuses an empty change', async () => {
    const id = await newApp(await newTenant());
    expect(await call('PATCH', `/apps/${id}`, {})).toEqual(
      refused(400, 'invalid_request', 'request: must name a field to change'),
    );
  });

  it('makes no app when the ledger did not take its caps', async () => {
    const tenant = await newTenant();
    ledger.away = true;
    const asked = { display_name: 'Capless', spend_cap_daily: 1 };
    expect(await call('POST', `/tenants/${tenant}/apps`, asked)).toEqual(refused(503, 'billing_unavailable'));
    expect(await rows('select * from registry.apps where tenant_id = $1', [tenant])).toEqual([]);
  });

  it('issues further keys and revokes one for good', async () => {
    const app = await newApp(await newTenant());
    const { status, body } = await call('POST', `/apps/${app}/keys`);
    expect(status).toBe(201);
    expect((await call('POST', `/apps/${app}/keys`, null)).status).toBe(400);
    const { key } = body as { key: { id: string; plaintext: string } };
    expect(key.plaintext).toMatch(PLAINTEXT);
    const first = await call('DELETE', `/keys/${key.id}`);
    expect(first).toEqual({ status: 200, body: { revoked_at: expect.stringMatching(/^\d{4}-.*Z$/) } });
    expect(await call('DELETE', `/keys/${key.id}`)).toEqual(first);
    expect((await audit(key.id)).map(({ action }) => action)).toEqual(['key.issued', 'key.revoked']);
  });
});
