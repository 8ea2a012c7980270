import ComposioClient, { APIUserAbortError, RateLimitError } from '@composio/client';
import { Composio, ComposioRequestCancelledError } from '@composio/core';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { withMargin } from '../charge-by-hand.js';
import type { Bill, Given, SdkProduct } from './product.js';

const TOOL = 'GMAIL_SEND_EMAIL';
const VERSION = '20260101_00';
const ARGUMENTS = { to: 'a@example.com', body: 'Olá mundo👋' };

/** Neither its telemetry nor its look for a newer version goes to the base URL. */
export const QUIET = { allowTracking: false, disableVersionCheck: true };

/** One action, at the default price. */
const ONE_CALL: Bill = {
  quantities: { 'composio.action_call': 1 },
  micros: withMargin(299_000),
  evidence: 'header',
};

/** `baseURL`, or the variable COMPOSIO_BASE_URL. */
export function composioStories(given: Given): void {
  let product: SdkProduct;
  beforeAll(() => {
    product = given();
  });

  describe('core', () => {
    const sdkOf = ({ key }: { key: string }) =>
      new Composio({ apiKey: key, baseURL: product.proxyUrl('composio'), ...QUIET });

    const executing = (slug: string) =>
      [slug, { userId: 'somebody', version: VERSION, arguments: ARGUMENTS }] as const;

    it('wraps tools for a model for nothing', async () => {
      const user = await product.sdkUser('composio');
      const tools = await sdkOf(user).tools.get('somebody', { tools: [TOOL] });
      expect(tools.map((tool) => tool.type === 'function' && tool.function.name)).toContain(TOOL);
      await product.expectNoCharge(user);
    });

    it('executes a tool', async () => {
      const user = await product.sdkUser('composio');
      const answer = await sdkOf(user).tools.execute(...executing(TOOL));
      expect(answer).toMatchObject({
        successful: true,
        error: null,
        data: { tool: TOOL, arguments: ARGUMENTS },
      });
      await product.expectOneBill(user, ONE_CALL);
    });

    it('pays for a tool that failed', async () => {
      const user = await product.sdkUser('composio');
      const answer = await sdkOf(user).tools.execute(...executing('SANDBOX_FAILED'));
      expect(answer).toMatchObject({ successful: false, error: 'The tool could not do it.' });
      await product.expectOneBill(user, { ...ONE_CALL, outcome: 'upstream_error' });
    });

    it("throws for the provider's 400", async () => {
      const user = await product.sdkUser('composio');
      const thrown = await sdkOf(user)
        .tools.execute(...executing('SANDBOX_STATUS400'))
        .catch((error: unknown) => error);
      expect(thrown).toMatchObject({ name: 'ComposioToolExecutionError', cause: { status: 400 } });
      await product.expectNoCharge(user);
    });

    it('pays for the tool that it left alone', async () => {
      const user = await product.sdkUser('composio');
      const leaving = new AbortController();
      const [slug, params] = executing('SANDBOX_PACE400');
      const call = sdkOf(user).tools.execute(slug, params, { signal: leaving.signal });
      await onceHeld(user.tenantId);
      leaving.abort();
      await expect(call).rejects.toThrow(ComposioRequestCancelledError);
      await product.expectOneBill(user, { ...ONE_CALL, outcome: 'client_aborted' });
    });
  });

  describe('client', () => {
    const sdkOf = ({ key }: { key: string }) =>
      new ComposioClient({ apiKey: key, baseURL: product.proxyUrl('composio') });
    const params = { user_id: 'somebody', arguments: ARGUMENTS };

    it('executes a tool', async () => {
      const user = await product.sdkUser('composio');
      const answer = await sdkOf(user).tools.execute(TOOL, params);
      expect(answer).toMatchObject({ successful: true, data: { tool: TOOL, arguments: ARGUMENTS } });
      await product.expectOneBill(user, ONE_CALL);
    });

    it("lists tools for nothing, and throws its RateLimitError for the provider's 429", async () => {
      const user = await product.sdkUser('composio');
      const { items } = await sdkOf(user).tools.list();
      expect(items.map(({ slug }) => slug)).toContain(TOOL);
      const thrown = await sdkOf(user)
        .tools.execute('SANDBOX_STATUS429', params, { maxRetries: 0 })
        .catch((error: unknown) => error);
      expect(thrown).toBeInstanceOf(RateLimitError);
      expect(thrown).toMatchObject({
        status: 429,
        error: { message: expect.stringContaining('Rate limit') },
      });
      await product.expectNoCharge(user);
    });

    it('pays for the tool that it left alone', async () => {
      const user = await product.sdkUser('composio');
      const leaving = new AbortController();
      const call = sdkOf(user).tools.execute('SANDBOX_PACE400', params, { signal: leaving.signal });
      const thrown = call.catch((error: unknown) => error);
      await onceHeld(user.tenantId);
      leaving.abort();
      expect(await thrown).toBeInstanceOf(APIUserAbortError);
      await product.expectOneBill(user, { ...ONE_CALL, outcome: 'client_aborted' });
    });
  });

  async function onceHeld(tenantId: string): Promise<void> {
    await product.waitUntil(
      async () => (await product.admin.openHolds(tenantId)).length === 1,
      'the hold of the call',
    );
  }
}
