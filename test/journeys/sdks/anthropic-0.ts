import { beforeAll, expect, it } from '@jest/globals';
import Anthropic, { APIError, RateLimitError } from 'anthropic-sdk-0';
import { LIST_PRICES } from '../charge-by-hand.js';
import { type Given, messageTokens, type SdkProduct } from './product.js';

const PACED = 'sandbox-chunks30-pace20';
const MODEL = 'claude-haiku-4-5';

const ECHO_TOOL: Anthropic.Tool = {
  name: 'echo',
  input_schema: { type: 'object', properties: { times: { type: 'integer' } }, required: ['times'] },
};

/** The versions before 1.0, which send the key as `x-api-key` and another version of the API. */
export function anthropic0Stories(given: Given): void {
  let product: SdkProduct;
  beforeAll(() => {
    product = given();
  });

  const asking = (model: string, content: string) => ({
    model,
    max_tokens: 200,
    messages: [{ role: 'user' as const, content }],
  });
  const sdkOf = ({ key }: { key: string }) =>
    new Anthropic({ baseURL: product.proxyUrl('anthropic'), apiKey: key });

  it('gets a message', async () => {
    const user = await product.sdkUser();
    const answer = await sdkOf(user).messages.create(asking(MODEL, '世界 🌍!'));
    expect(answer.content).toEqual([{ type: 'text', text: 'You said: 世界 🌍!' }]);
    expect(answer._request_id).toMatch(/^req_/);
    await product.expectOneCharge(user, { tokens: messageTokens(answer.usage), prices: LIST_PRICES[MODEL] });
  });

  it('streams a message', async () => {
    const user = await product.sdkUser();
    const stream = sdkOf(user).messages.stream(asking(MODEL, 'Tell me a longer story, please'));
    const deltas: string[] = [];
    stream.on('text', (delta) => deltas.push(delta));
    const answer = await stream.finalMessage();
    expect(deltas.length).toBeGreaterThan(5);
    expect(deltas.join('')).toBe('You said: Tell me a longer story, please');
    expect(answer.content).toMatchObject([{ type: 'text', text: deltas.join('') }]);
    await product.expectOneCharge(user, { tokens: messageTokens(answer.usage), prices: LIST_PRICES[MODEL] });
  });

  it('puts a tool call of a stream together', async () => {
    const user = await product.sdkUser();
    const answer = await sdkOf(user)
      .messages.stream({
        ...asking(MODEL, 'Say it again'),
        tools: [ECHO_TOOL],
        tool_choice: { type: 'tool', name: 'echo' },
      })
      .finalMessage();
    expect(answer.stop_reason).toBe('tool_use');
    expect(answer.content).toMatchObject([{ type: 'tool_use', name: 'echo', input: { times: 1 } }]);
    await product.expectOneCharge(user, { tokens: messageTokens(answer.usage), prices: LIST_PRICES[MODEL] });
  });

  it("throws its RateLimitError for the provider's 429, and a status of ours without a retry", async () => {
    const user = await product.sdkUser();
    const thrown = await sdkOf(user)
      .messages.create(asking('sandbox-status429', 'x'), { maxRetries: 0 })
      .catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(RateLimitError);
    expect(thrown).toMatchObject({ status: 429, error: { error: { type: 'rate_limit_error' } } });
    const before = await product.callsAnswered('4xx');
    const refused = await sdkOf(user)
      .messages.create(asking('claude-unheard-of', 'x'))
      .catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(APIError);
    expect(refused).toMatchObject({ status: 402, error: { error: { code: 'rate_missing' } } });
    expect((await product.callsAnswered('4xx')) - before).toBe(1);
    await product.expectNoCharge(user);
  });

  it('pays what the provider would have reported when it aborts a stream in the middle', async () => {
    const user = await product.sdkUser();
    const request = asking(PACED, 'Talk on while I walk away');
    const stream = await sdkOf(user).messages.create({ ...request, stream: true });
    for await (const { type } of stream) if (type === 'content_block_delta') break;
    const { usage } = await product.direct.anthropic.messages.create(request);
    await product.expectOneCharge(user, {
      tokens: messageTokens(usage),
      prices: LIST_PRICES.sandbox,
      outcome: 'client_aborted',
      evidence: 'drained',
    });
  });
}
