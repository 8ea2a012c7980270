import { beforeAll, expect, it } from '@jest/globals';
import { OpenRouter } from '@openrouter/sdk';
import type { ChatUsage } from '@openrouter/sdk/models';
import { OpenRouterError, TooManyRequestsResponseError } from '@openrouter/sdk/models/errors';
import { withMargin } from '../charge-by-hand.js';
import { allOf, type Bill, type Given, type SdkProduct } from './product.js';

const MODEL = 'openai/gpt-4o-mini';

const WEATHER_TOOL = {
  type: 'function' as const,
  function: {
    name: 'weather',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string' }, days: { type: 'integer' } },
      required: ['city', 'days'],
    },
  },
};

/** `serverURL`, or the variable OPENROUTER_BASE_URL. */
export function openrouterStories(given: Given): void {
  let product: SdkProduct;
  beforeAll(() => {
    product = given();
  });

  const asking = (model: string, content: string) => ({
    model,
    messages: [{ role: 'user' as const, content }],
  });
  const sdkOf = ({ key }: { key: string }) =>
    new OpenRouter({ apiKey: key, serverURL: `${product.proxyUrl('openrouter')}/api/v1` });

  async function streamed(sdk: OpenRouter, chatRequest: object & ReturnType<typeof asking>) {
    const stream = await sdk.chat.send({ chatRequest: { ...chatRequest, stream: true } });
    if (!('getReader' in stream)) throw new Error('the answer is no stream');
    return allOf(stream);
  }

  async function whole(sdk: OpenRouter, chatRequest: object & ReturnType<typeof asking>) {
    const answer = await sdk.chat.send({ chatRequest });
    if ('getReader' in answer) throw new Error('the answer is a stream');
    return answer;
  }

  it('chats, and is charged what OpenRouter says that it cost', async () => {
    const user = await product.sdkUser('openrouter');
    const answer = await whole(sdkOf(user), asking(MODEL, '世界 🌍!'));
    expect(answer.choices[0]?.message.content).toBe('You said: 世界 🌍!');
    await product.expectOneBill(user, billOf(answer.usage));
  });

  it('streams a chat through comments, without asking for the usage that it gets', async () => {
    const user = await product.sdkUser('openrouter');
    const request = asking('sandbox-cached64-reasoning32', 'Answer me piece by piece, please');
    const chunks = await streamed(sdkOf(user), request);
    const texts = chunks.map(({ choices }) => choices[0]?.delta.content ?? '');
    expect(texts.filter((text) => text !== '').length).toBeGreaterThan(5);
    expect(texts.join('')).toBe('You said: Answer me piece by piece, please');
    const usage = chunks.at(-1)?.usage;
    expect(usage).toMatchObject({
      promptTokensDetails: { cachedTokens: 64 },
      completionTokensDetails: { reasoningTokens: 32 },
    });
    await product.expectOneBill(user, billOf(usage));
  });

  it.each(['whole', 'streamed'])('is given a tool call, %s', async (how) => {
    const user = await product.sdkUser('openrouter');
    const request = {
      ...asking(MODEL, 'What will the weather be?'),
      tools: [WEATHER_TOOL],
      toolChoice: 'required' as const,
    };
    const expected = [{ function: { name: 'weather', arguments: '{"city":"sandbox","days":1}' } }];
    if (how === 'whole') {
      const { choices, usage } = await whole(sdkOf(user), request);
      expect(choices[0]?.message.toolCalls).toMatchObject(expected);
      await product.expectOneBill(user, billOf(usage));
    } else {
      const chunks = await streamed(sdkOf(user), request);
      expect(chunks.flatMap(({ choices }) => choices[0]?.delta.toolCalls ?? [])).toMatchObject(expected);
      await product.expectOneBill(user, billOf(chunks.at(-1)?.usage));
    }
  });

  it("throws its own error for the provider's 429 and for our 402", async () => {
    const user = await product.sdkUser('openrouter');
    const thrown = await whole(sdkOf(user), asking('sandbox-status429', 'x')).catch(
      (error: unknown) => error,
    );
    expect(thrown).toBeInstanceOf(TooManyRequestsResponseError);
    expect(thrown).toMatchObject({
      statusCode: 429,
      error: { code: 429, message: 'Provider returned error' },
    });
    await product.expectNoCharge(user);

    const poor = await product.customer({ creditMicros: 0 });
    await product.admin.bind(poor.appId, 'openrouter');
    const refused = await whole(sdkOf(poor), asking(MODEL, 'x')).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(OpenRouterError);
    expect(refused).toMatchObject({ statusCode: 402, body: expect.stringContaining('balance_exhausted') });
  });

  it('pays what the call would have cost when it aborts a stream in the middle', async () => {
    const user = await product.sdkUser('openrouter');
    const leaving = new AbortController();
    const chatRequest = asking('sandbox-chunks30-pace20', 'Talk on while I walk away');
    const stream = await sdkOf(user).chat.send(
      { chatRequest: { ...chatRequest, stream: true } },
      { signal: leaving.signal },
    );
    if (!('getReader' in stream)) throw new Error('the answer is no stream');
    const read = async (): Promise<void> => {
      for await (const { choices } of stream) if (choices[0]?.delta.content) leaving.abort();
    };
    await expect(read()).rejects.toThrow(/abort/i);
    const direct = new OpenRouter({ apiKey: 'direct', serverURL: `${product.urls.sandbox}/api/v1` });
    const { usage } = await whole(direct, chatRequest);
    await product.expectOneBill(user, { ...billOf(usage), outcome: 'client_aborted', evidence: 'drained' });
  });
}

/** The cost is charged, the tokens are told. */
function billOf(usage: ChatUsage | undefined): Bill {
  const cost = usage?.cost;
  if (!usage || typeof cost !== 'number') throw new Error('the SDK parsed no cost');
  const cached = usage.promptTokensDetails?.cachedTokens ?? 0;
  return {
    quantities: {
      usd: cost,
      input_tokens: usage.promptTokens - cached,
      cache_read_tokens: cached,
      output_tokens: usage.completionTokens,
    },
    micros: withMargin(Math.round(cost * 1e9)),
  };
}
