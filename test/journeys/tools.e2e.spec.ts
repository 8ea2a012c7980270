import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type ReplayUpstream, startReplayUpstream } from '../conformance/replay-upstream.js';
import { type ProductUnderTest, productForTests } from '../harness/index.js';
import type { RawAnswer } from '../harness/raw-http.js';

const BOT_TOKEN = '987654321:AAE-the-real-token-of-a-bot';
const POOL_KEY = 'ak_the-real-key-of-composio';
const ANSWERED = '{"data":{"id":1},"successful":true,"error":null,"log_id":"log_1"}';

interface Tenant {
  id: string;
  appId: string;
  key: string;
}

describe('tools of two tenants', () => {
  let product: ProductUnderTest;
  let upstream: ReplayUpstream;
  let ours: Tenant;
  let theirs: Tenant;

  beforeAll(async () => {
    upstream = await startReplayUpstream(1);
    product = await productForTests({
      upstreams: { composio: upstream.url, telegram: upstream.url },
      env: { POOL_COMPOSIO_API_KEY: POOL_KEY },
    });
    [ours, theirs] = [await newTenant(), await newTenant()];
    await connectToolkit(ours, 'github', 'ca_ours_github');
    await connectToolkit(ours, 'gmail', 'ca_ours_gmail');
    await connectToolkit(theirs, 'github', 'ca_theirs_github');
    const { id } = await product.admin.connect(ours.id, 'telegram', 'byok_static', BOT_TOKEN);
    await product.admin.bind(ours.appId, 'telegram', id);
    const price = { provider: 'composio', model: '*', unit_cost_usd: '0.299', per: '1000' };
    const meters = ['composio.action_call', 'input_tokens', 'output_tokens'];
    await product.admin.importRates(meters.map((meter) => ({ ...price, meter })));
    play(ANSWERED);
    await product.waitUntil(
      async () => (await execute(ours, 'GITHUB_WAIT_FOR_PRICE')).status !== 402,
      'a price of every tool',
    );
  }, 60_000);

  afterAll(async () => {
    await product?.stop();
    await upstream?.stop();
  }, 30_000);

  async function newTenant(): Promise<Tenant> {
    const { id } = await product.admin.createTenant();
    await product.admin.credit(id, 5_000_000);
    const app = await product.admin.createApp(id);
    return { id, appId: app.id, key: app.key };
  }

  async function connectToolkit(tenant: Tenant, toolkit: string, account: string): Promise<void> {
    const { connection } = await product.admin.post<{ connection: { id: string } }>(
      `/tenants/${tenant.id}/connections`,
      {
        provider: 'composio',
        profile: 'composio_managed',
        credential: { user_id: `user-${tenant.id}`, connected_account_id: account, toolkit },
      },
    );
    await product.admin.bind(tenant.appId, 'composio', connection.id);
  }

  function play(body: string): void {
    upstream.play({ status: 200, contentType: 'application/json', body: Buffer.from(body) });
  }

  function post(tenant: Tenant, path: string, body: object): Promise<RawAnswer> {
    const headers = { authorization: `Bearer ${tenant.key}`, 'content-type': 'application/json' };
    return product.raw({ method: 'POST', path, headers, body: JSON.stringify(body) });
  }

  const execute = (tenant: Tenant, action_id: string) =>
    post(tenant, '/proxy/composio/v1/execute', { action_id, args: { a: 1 } });
  const asked = () => {
    const [request] = upstream.requests();
    return { ...JSON.parse(request?.body ?? '{}'), path: request?.path, key: request?.headers['x-api-key'] };
  };

  it('run on the account that each has for the toolkit', async () => {
    for (const [tenant, tool, account] of [
      [ours, 'GITHUB_CREATE_ISSUE', 'ca_ours_github'],
      [ours, 'GMAIL_SEND_EMAIL', 'ca_ours_gmail'],
      [theirs, 'GITHUB_CREATE_ISSUE', 'ca_theirs_github'],
    ] as const) {
      play(ANSWERED);
      const answer = await execute(tenant, tool);
      expect([answer.status, answer.body.toString()]).toEqual([200, '{"data":{"id":1}}']);
      expect(asked()).toEqual({
        path: `/api/v3.1/tools/execute/${tool}`,
        key: POOL_KEY,
        user_id: `user-${tenant.id}`,
        connected_account_id: account,
        arguments: { a: 1 },
      });
    }
  });

  it('never run on an account that a tenant only names', async () => {
    play(ANSWERED);
    const body = { user_id: `user-${theirs.id}`, connected_account_id: 'ca_theirs_github', arguments: {} };
    const path = '/proxy/composio/api/v3.1/tools/execute/GITHUB_CREATE_ISSUE';
    expect((await post(ours, path, body)).status).toBe(200);
    expect(asked()).toMatchObject({ user_id: `user-${ours.id}`, connected_account_id: 'ca_ours_github' });
  });

  it('are refused for a toolkit that the tenant has no connection to', async () => {
    play(ANSWERED);
    const answer = await execute(theirs, 'GMAIL_SEND_EMAIL');
    expect([answer.status, JSON.parse(answer.body.toString())]).toEqual([
      403,
      { error: 'binding_missing', toolkit: 'gmail' },
    ]);
    expect(upstream.requests()).toEqual([]);
  });

  it('are billed one by one', async () => {
    await product.settled(theirs.id);
    const [event, ...others] = await product.admin.usageEvents(theirs.id);
    expect(others).toEqual([]);
    expect(event).toMatchObject({
      ...{ provider: 'composio', model: 'GITHUB_CREATE_ISSUE', outcome: 'completed', evidence: 'header' },
      // 299 micros and 20 %, rounded.
      cost_micros: 359,
      lines: [{ meter: 'composio.action_call', quantity: '1', cost_micros: 359 }],
    });
  });

  it('reach Telegram with the real token, from a client that has ours in its place', async () => {
    play('{"ok":true,"result":{}}');
    const headers = { 'content-type': 'application/json' };
    const path = `/bot123:${ours.key}/sendMessage`;
    const { port } = new URL(product.urls.gateway);
    const answer = await product.raw({
      ...{ method: 'POST', path, body: '{"chat_id":1,"text":"hi"}' },
      headers: { ...headers, host: `telegram-proxy.localhost:${port}` },
    });
    expect([answer.status, answer.body.toString()]).toEqual([200, '{"ok":true,"result":{}}']);
    expect(upstream.requests().map((request) => request.path)).toEqual([`/bot${BOT_TOKEN}/sendMessage`]);
    const blocked = await product.raw({ method: 'GET', path: `/proxy/telegram/bot${ours.key}/getUpdates` });
    expect(blocked.status).toBe(404);
  });
});
