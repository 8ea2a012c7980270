import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Answer, framingOf, type SandboxUnderTest, sandboxUnderTest } from '../sandbox-under-test.js';

const PATH = '/api/v1/chat/completions';
const MESSAGES = [{ role: 'user', content: 'Say hello to the world' }];

describe('the OpenRouter of the sandbox', () => {
  let sandbox: SandboxUnderTest;
  beforeAll(async () => {
    sandbox = await sandboxUnderTest({ authorization: 'Bearer sk-or' });
  });
  afterAll(() => sandbox.close());

  const ask = (model: string, more: object = {}): Promise<Answer> =>
    sandbox.post(PATH, { model, messages: MESSAGES, ...more });
  const usageOf = async (model: string, more: object = {}) => (await (await ask(model, more)).json()).usage;

  it('answers behind whitespace, and charges exactly what its price feed says', async () => {
    const answer = await ask('openai/gpt-4o-mini');
    const text = await answer.text();
    expect(text).toMatch(/^\n +\n\n +\n\{/);
    const { id, usage, choices } = JSON.parse(text);
    expect(answer.headers.get('x-generation-id')).toBe(id);
    expect(choices[0]).toMatchObject({ native_finish_reason: 'stop', finish_reason: 'stop' });
    // 9 at 1 USD and 8 at 3 USD for a million.
    expect(usage).toMatchObject({ prompt_tokens: 9, completion_tokens: 8, cost: 0.000033, is_byok: false });
    const { data } = await (await sandbox.get('/api/v1/models')).json();
    expect(data[0].pricing).toMatchObject({ prompt: '0.000001', completion: '0.000003' });
  });

  it.each([
    ['sandbox-cached100', {}, 0.000043, 0.000043],
    ['sandbox-cachewrite100', {}, 0.000158, 0.000158],
    ['openai/sandbox-cost1234', {}, 0.001234, 0.001234],
    ['sandbox-cost1234-byok', {}, 0, 0.001234],
    ['sandbox-tooluses2', { plugins: [{ id: 'web' }] }, 0.020033, 0.020033],
    ['openai/gpt-4o-mini:online', {}, 0.010033, 0.010033],
  ])('%s with %j costs %p, upstream %p', async (model, more, cost, upstream) =>
    expect(await usageOf(model, more)).toMatchObject({
      cost,
      cost_details: { upstream_inference_cost: upstream },
    }),
  );

  it('streams comments, then words, then usage with a choice beside it', async () => {
    const { comments, data } = framingOf(await (await ask('sandbox-reasoning5', { stream: true })).text());
    expect(comments).toEqual(['OPENROUTER PROCESSING']);
    expect(data.at(-1)).toBe('[DONE]');
    const last = JSON.parse(data.at(-2) ?? '');
    expect(last).toMatchObject({
      choices: [{ finish_reason: 'stop' }],
      usage: { completion_tokens: 13, completion_tokens_details: { reasoning_tokens: 5 } },
    });
    expect(data.slice(0, -2).filter((chunk) => chunk.includes('"usage"'))).toEqual([]);
  });

  it('tells an error inside a stream, and after it what it cost', async () => {
    const answer = await ask('sandbox-errorevent3', { stream: true });
    expect(answer.status).toBe(200);
    const chunks = framingOf(await answer.text()).data.slice(-3);
    expect(chunks[2]).toBe('[DONE]');
    expect(chunks.slice(0, 2).map((chunk) => JSON.parse(chunk))).toMatchObject([
      { error: { code: 502 }, choices: [{ finish_reason: 'error' }] },
      { usage: { cost: 0.000033 } },
    ]);
  });

  it('tells an error with HTTP 200 where it has begun to pad', async () => {
    const answer = await ask('sandbox-errorevent1');
    expect([answer.status, await answer.json()]).toMatchObject([200, { error: { code: 502 } }]);
  });

  it('tells of a generation afterwards, even of one that was broken off', async () => {
    const broken = new AbortController();
    const answer = await fetch(sandbox.url + PATH, {
      method: 'POST',
      headers: { authorization: 'Bearer sk-or' },
      body: JSON.stringify({ model: 'sandbox-chunks50-pace50', messages: MESSAGES, stream: true }),
      signal: broken.signal,
    });
    broken.abort();
    const id = answer.headers.get('x-generation-id');
    const { data } = await (await sandbox.get(`/api/v1/generation?id=${id}`)).json();
    expect(data).toMatchObject({ id, streamed: true, total_cost: expect.any(Number) });
    expect((await sandbox.get('/api/v1/generation?id=gen-0')).status).toBe(404);
  });

  it('embeds, with a cost', async () => {
    const answer = await sandbox.post('/api/v1/embeddings', {
      model: 'text-embedding-3-small',
      input: 'abcd',
    });
    expect(await answer.json()).toMatchObject({
      usage: { prompt_tokens: 1, cost: 0.000001 },
      provider: 'Sandbox',
    });
  });

  it('tells errors in its own words', async () => {
    const answer = await ask('sandbox-status429');
    expect([answer.status, await answer.json()]).toMatchObject([
      429,
      { error: { code: 429, metadata: { provider_name: 'Sandbox' } } },
    ]);
  });
});
