import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { operatorStand, PLAINTEXT, refused, uuid } from './operator-stand.contract.js';

const { audit, call, ledger, newApp, newConnection, newTenant, rows, vault } = operatorStand();

describe('connections and bindings', () => {
  it('makes a connection whose credential is sealed and never seen again', async () => {
    const tenant = await newTenant();
    const asked = {
      provider: 'anthropic',
      profile: 'byok_static',
      credential: 'sk-very-real',
      display_name: 'Ours',
    };
    const { status, body } = await call('POST', `/tenants/${tenant}/connections`, asked);
    expect(status).toBe(201);
    expect(body).toEqual({
      connection: { id: uuid, provider: 'anthropic', profile: 'byok_static', status: 'active' },
    });
    const { connection } = body as { connection: { id: string } };
    const [stored] = await rows('select sealed_credential from registry.connections where id = $1', [
      connection.id,
    ]);
    expect(stored?.sealed_credential).toEqual(vault.seal('sk-very-real'));
    expect(JSON.stringify(await rows('select * from registry.audit'))).not.toContain('sk-very-real');
    const after = { tenant_id: tenant, ...connection, display_name: 'Ours' };
    expect(await audit(connection.id)).toEqual([{ action: 'connection.created', before: null, after }]);
  });

  it('seals the connected account of a managed connection, which stays revoked when it is', async () => {
    const credential = { user_id: 'user-1', connected_account_id: 'ca_1', toolkit: 'github' };
    const asked = { provider: 'composio', profile: 'composio_managed', credential };
    const { status, body } = await call('POST', `/tenants/${await newTenant()}/connections`, asked);
    expect(status).toBe(201);
    const { id } = (body as { connection: { id: string } }).connection;
    const sealed = () => rows('select sealed_credential from registry.connections where id = $1', [id]);
    expect(await sealed()).toEqual([{ sealed_credential: vault.seal(JSON.stringify(credential)) }]);
    expect(JSON.stringify(await rows('select * from registry.audit'))).not.toContain('ca_1');
    await call('PATCH', `/connections/${id}`, { status: 'revoked' });
    expect(await sealed()).toEqual([{ sealed_credential: null }]);
    expect(await call('PATCH', `/connections/${id}`, { status: 'active' })).toEqual(
      refused(400, 'invalid_request'),
    );
  });

  const ACCOUNT = { user_id: 'u', connected_account_id: 'ca_1', toolkit: 'github' };
  it.each([
    [
      { provider: 'composio', profile: 'composio_managed', credential: 'ak_key' },
      expect.stringMatching(/^credential: /),
    ],
    [{ provider: 'composio', profile: 'composio_managed' }, expect.stringMatching(/^credential: /)],
    [
      { provider: 'composio', profile: 'byok_static', credential: ACCOUNT },
      expect.stringMatching(/^credential: /),
    ],
    [
      { provider: 'composio', profile: 'composio_managed', credential: { ...ACCOUNT, toolkit: 'GitHub' } },
      expect.stringMatching(/^credential/),
    ],
    [
      { provider: 'openai', profile: 'composio_managed', credential: ACCOUNT },
      'profile: composio_managed is a profile of composio',
    ],
    [{ provider: 'openai', profile: 'byok_static' }, expect.stringMatching(/^credential: /)],
    [
      { provider: 'openai', profile: 'vendo_managed_pool', credential: 'x' },
      expect.stringMatching(/^credential: /),
    ],
    [
      { provider: 'openai', profile: 'byok_static', credential: 'a\r\nb' },
      expect.stringMatching(/^credential: /),
    ],
    [{ provider: 'openai', profile: 'magic' }, expect.stringMatching(/^profile: /)],
    [
      { provider: 'nobody', profile: 'vendo_managed_pool' },
      'provider: must be one of openai, anthropic, composio',
    ],
  ])('refuses the connection %j', async (asked, message) => {
    const path = `/tenants/${await newTenant()}/connections`;
    expect(await call('POST', path, asked)).toEqual(refused(400, 'invalid_request', message));
  });

  it('forgets the credential of a revoked connection, which then stays revoked', async () => {
    const id = await newConnection(await newTenant());
    const view = (status: string) => ({
      status: 200,
      body: { connection: { id, provider: 'openai', profile: 'byok_static', status } },
    });
    for (const status of ['needs_reauth', 'error', 'active', 'revoked'])
      expect(await call('PATCH', `/connections/${id}`, { status })).toEqual(view(status));
    expect(await rows('select sealed_credential from registry.connections where id = $1', [id])).toEqual([
      { sealed_credential: null },
    ]);
    expect(await call('PATCH', `/connections/${id}`, { status: 'active' })).toEqual(
      refused(400, 'invalid_request', 'status: the credential is gone; make a new connection'),
    );
  });

  it('issues a connection key that is a cap subject of its own', async () => {
    const id = await newConnection(await newTenant());
    const { status, body } = await call('POST', `/connections/${id}/keys`, { spend_cap_daily: 2 });
    expect(status).toBe(201);
    const { key } = body as { key: { id: string; plaintext: string } };
    expect(key.plaintext).toMatch(PLAINTEXT);
    expect(ledger.caps.get(key.id)).toEqual({ daily_micros: 2_000_000, monthly_micros: null });
    expect((await call('POST', `/connections/${id}/keys`, null)).status).toBe(400);
    const caps = { spend_cap_micros_daily: 2_000_000, spend_cap_micros_monthly: null };
    expect(await audit(key.id)).toMatchObject([
      { action: 'caps.asked', after: { daily_micros: 2_000_000 } },
      { action: 'key.issued', after: { connection_id: id, ...caps } },
    ]);
  });

  it('binds to the managed pool without a connection, and makes its connection once', async () => {
    const tenant = await newTenant();
    const [one, two] = [await newApp(tenant), await newApp(tenant)];
    const asked = [one, two, one, two].map((id) =>
      call('POST', `/apps/${id}/bindings`, { provider_slug: 'openai' }),
    );
    const answers = await Promise.all(asked);
    const views = answers.map(({ body }) => (body as { binding: Record<string, string> }).binding);
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201]);
    expect(views[0]).toEqual({ id: uuid, app_id: one, provider_slug: 'openai', connection_id: uuid });
    expect(views[2]).toEqual(views[0]);
    expect(views[3]).toEqual(views[1]);
    expect(new Set(views.map((view) => view.connection_id)).size).toBe(1);
    expect(
      await rows('select profile, status from registry.connections where tenant_id = $1', [tenant]),
    ).toEqual([{ profile: 'vendo_managed_pool', status: 'active' }]);
  });

  it('binds several connections, in order, and unbinds them together', async () => {
    const tenant = await newTenant();
    const app = await newApp(tenant);
    const connections = [await newConnection(tenant), await newConnection(tenant)];
    for (const connection_id of connections) {
      const { body } = await call('POST', `/apps/${app}/bindings`, {
        provider_slug: 'openai',
        connection_id,
      });
      expect(body).toEqual({ binding: { id: uuid, app_id: app, provider_slug: 'openai', connection_id } });
    }
    const path = `/apps/${app}/bindings/openai`;
    expect(await call('DELETE', path)).toEqual({ status: 204, body: null });
    expect(await call('DELETE', path)).toEqual(refused(404, 'not_found'));
    const again = { provider_slug: 'openai', connection_id: connections[0] };
    expect((await call('POST', `/apps/${app}/bindings`, again)).status).toBe(201);
  });

  it('refuses a binding to what is not of the tenant, the provider, or in force', async () => {
    const tenant = await newTenant();
    const app = await newApp(tenant);
    const bind = (connection_id: string) =>
      call('POST', `/apps/${app}/bindings`, { provider_slug: 'openai', connection_id });
    const foreign = await bind(await newConnection(await newTenant()));
    expect(foreign).toEqual(refused(404, 'not_found', 'There is no such connection.'));
    expect(await bind(randomUUID())).toEqual(foreign);
    expect(await bind(await newConnection(tenant, 'anthropic'))).toEqual(
      refused(400, 'invalid_request', 'connection_id: is a connection of anthropic'),
    );
    const revoked = await newConnection(tenant);
    await call('PATCH', `/connections/${revoked}`, { status: 'revoked' });
    expect(await bind(revoked)).toEqual(
      refused(400, 'invalid_request', 'connection_id: the connection is revoked'),
    );
    expect(await call('POST', `/apps/${app}/bindings`, { provider_slug: 'nobody' })).toEqual(
      refused(400, 'invalid_request', 'provider_slug: must be one of openai, anthropic, composio'),
    );
  });
});
