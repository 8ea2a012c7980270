import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type SandboxUnderTest, sandboxUnderTest } from '../sandbox-under-test.js';

describe('the Composio of the sandbox', () => {
  let sandbox: SandboxUnderTest;
  beforeAll(async () => {
    sandbox = await sandboxUnderTest({ 'x-api-key': 'co' });
  });
  afterAll(() => sandbox.close());

  const execute = (slug: string, version = 'v3.1') =>
    sandbox.post(`/api/${version}/tools/execute/${slug}`, {
      user_id: 'u',
      arguments: { to: 'a@example.com' },
    });

  it.each(['v3.1', 'v3'])('executes a tool under %s', async (version) =>
    expect(await (await execute('GMAIL_SEND_EMAIL', version)).json()).toEqual({
      data: { tool: 'GMAIL_SEND_EMAIL', arguments: { to: 'a@example.com' } },
      error: null,
      successful: true,
      log_id: expect.any(String),
    }),
  );

  it('lets a tool fail with HTTP 200', async () => {
    const answer = await execute('SANDBOX_FAILED');
    expect([answer.status, await answer.json()]).toMatchObject([
      200,
      { successful: false, error: expect.any(String), data: {} },
    ]);
  });

  it('executes in a session', async () => {
    const { session_id } = await (
      await sandbox.post('/api/v3.1/tool_router/session', { user_id: 'u' })
    ).json();
    const path = `/api/v3.1/tool_router/session/${session_id}/execute`;
    const run = async (tool_slug: string) => (await sandbox.post(path, { tool_slug, arguments: {} })).json();
    expect(await run('GMAIL_SEND_EMAIL')).toMatchObject({ successful: true });
    expect(await run('SANDBOX_FAILED')).toMatchObject({ successful: false });
  });

  it('lists tools and toolkits', async () => {
    const { items } = await (await sandbox.get('/api/v3.1/tools')).json();
    expect(items[0]).toMatchObject({ slug: 'GMAIL_SEND_EMAIL', toolkit: { slug: 'gmail' } });
    expect(await (await sandbox.get('/api/v3.1/tools/GITHUB_CREATE_ISSUE')).json()).toMatchObject({
      slug: 'GITHUB_CREATE_ISSUE',
    });
    expect(await (await sandbox.get('/api/v3.1/toolkits')).json()).toMatchObject({ total_items: 3 });
  });

  it('shows a tool that fails when it is executed, as clients look it up before', async () =>
    expect((await sandbox.get('/api/v3.1/tools/SANDBOX_STATUS500')).status).toBe(200));

  it.each([
    ['SANDBOX_STATUS429', 429, { message: expect.any(String) }],
    ['SANDBOX_STATUS500', 500, { error: { status: 500 } }],
    ['SANDBOX_NOTHING', 404, { error: { message: 'Tool not found' } }],
  ])('tells errors: %s', async (slug, status, body) => {
    const answer = await execute(slug);
    expect([answer.status, await answer.json()]).toMatchObject([status, body]);
  });
});
