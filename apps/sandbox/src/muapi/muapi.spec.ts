import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type SandboxUnderTest, sandboxUnderTest } from '../sandbox-under-test.js';

const COST = { amount_usd: 0.025, amount_credits: 3, bonus_credits_used: 0, refunded: false };

describe('the MuAPI of the sandbox', () => {
  let sandbox: SandboxUnderTest;
  beforeAll(async () => {
    sandbox = await sandboxUnderTest({ 'x-api-key': 'mu' });
  });
  afterAll(() => sandbox.close());

  const submit = (model: string) => sandbox.post(`/api/v1/${model}`, { prompt: 'a cat' });
  const poll = (id: string) => sandbox.get(`/api/v1/predictions/${id}/result`);
  const submitted = async (model: string): Promise<string> => (await (await submit(model)).json()).request_id;

  it.each(['flux-dev-image', 'mmaudio-v2/text-to-audio'])('charges %s at once', async (model) => {
    const answer = await submit(model);
    expect(answer.headers.get('x-muapi-cost-usd')).toBe('0.025');
    expect(answer.headers.get('x-account-balance')).not.toBeNull();
    expect(await answer.json()).toEqual({ request_id: expect.any(String), status: 'processing', cost: COST });
  });

  it('tells the cost again with every poll', async () => {
    const id = await submitted('flux-dev-image');
    expect(await (await poll(id)).json()).toEqual({ id, status: 'processing', outputs: [], cost: COST });
    const answer = await poll(id);
    expect(answer.headers.get('x-muapi-cost-usd')).toBe('0.025');
    expect(await answer.json()).toEqual({
      id,
      status: 'completed',
      outputs: [`https://cdn.example/${id}.png`],
      cost: COST,
    });
  });

  it.each([
    ['sandbox-polls1-failed', 'failed', false],
    ['sandbox-polls1-refunded', 'failed', true],
    ['sandbox-polls1', 'completed', false],
  ])('%s ends as %s, refunded: %p', async (model, status, refunded) => {
    const answer = await poll(await submitted(model));
    expect(answer.headers.get('x-muapi-cost-refunded')).toBe(String(refunded));
    expect(await answer.json()).toMatchObject({ status, cost: { ...COST, refunded } });
  });

  it('costs what the model name says', async () =>
    expect(await (await submit('sandbox-cost1500000')).json()).toMatchObject({
      cost: { amount_usd: 1.5, amount_credits: 150 },
    }));

  it('lists models with their prices', async () =>
    expect(await (await sandbox.get('/api/v1/models')).json()).toContainEqual(
      expect.objectContaining({ name: 'flux-dev-image', cost: 0.025, cost_strategy: 'fixed_cost' }),
    ));

  it.each([
    ['sandbox-status402', 402, { detail: 'Insufficient credits' }],
    ['sandbox-status422', 422, { detail: [{ type: 'missing' }] }],
    ['sandbox-nothing', 404, { detail: 'Not Found' }],
  ])('tells errors as FastAPI does: %s', async (model, status, body) => {
    const answer = await submit(model);
    expect([answer.status, await answer.json()]).toMatchObject([status, body]);
  });
});
