import { beforeAll, expect, it } from '@jest/globals';
import OpenAI, { APIError, RateLimitError } from 'openai-6';
import { LIST_PRICES } from '../charge-by-hand.js';
import { chatTokens, type Given, responseTokens, type SdkProduct } from './product.js';

const PACED = 'sandbox-chunks30-pace20';
const MODEL = 'gpt-4o-mini';

const ECHO_TOOL = {
  type: 'function' as const,
  function: {
    name: 'echo',
    parameters: { type: 'object', properties: { times: { type: 'integer' } }, required: ['times'] },
  },
};

/** The newest version that runs on Node 20, where a newer one needs a newer Node. */
export function openai6Stories(given: Given): void {
  let product: SdkProduct;
  beforeAll(() => {
    product = given();
  });

  const asking = (content: string) => [{ role: 'user' as const, content }];
  const sdkOf = ({ key }: { key: string }) =>
    new OpenAI({ baseURL: `${product.proxyUrl('openai')}/v1`, apiKey: key });

  it('chats', async () => {
    const user = await product.sdkUser();
    const answer = await sdkOf(user).chat.completions.create({ model: MODEL, messages: asking('世界 🌍!') });
    expect(answer.choices[0]?.message.content).toBe('You said: 世界 🌍!');
    expect(answer._request_id).toMatch(/^req_/);
    await product.expectOneCharge(user, { tokens: chatTokens(answer.usage), prices: LIST_PRICES[MODEL] });
  });

  it('streams a response', async () => {
    const user = await product.sdkUser();
    const stream = sdkOf(user).responses.stream({
      model: 'gpt-4o',
      input: 'Answer me piece by piece, please',
    });
    const deltas: string[] = [];
    stream.on('response.output_text.delta', ({ delta }) => deltas.push(delta));
    const answer = await stream.finalResponse();
    expect(deltas.length).toBeGreaterThan(5);
    expect(deltas.join('')).toBe('You said: Answer me piece by piece, please');
    expect(answer.output_text).toBe(deltas.join(''));
    await product.expectOneCharge(user, {
      tokens: responseTokens(answer.usage),
      prices: LIST_PRICES['gpt-4o'],
    });
  });

  it('puts a tool call of a streamed chat together', async () => {
    const user = await product.sdkUser();
    const answer = await sdkOf(user)
      .chat.completions.stream({
        model: MODEL,
        messages: asking('Say it again'),
        tools: [ECHO_TOOL],
        tool_choice: 'required',
        stream_options: { include_usage: true },
      })
      .finalChatCompletion();
    expect(answer.choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: { tool_calls: [{ function: { name: 'echo', arguments: '{"times":1}' } }] },
    });
    await product.expectOneCharge(user, { tokens: chatTokens(answer.usage), prices: LIST_PRICES[MODEL] });
  });

  it("throws its RateLimitError for the provider's 429, and a status of ours without a retry", async () => {
    const user = await product.sdkUser();
    const thrown = await sdkOf(user)
      .chat.completions.create(
        { model: 'sandbox-status429', messages: asking('x'), stream: true },
        { maxRetries: 0 },
      )
      .catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(RateLimitError);
    expect(thrown).toMatchObject({ status: 429, code: 'rate_limit_exceeded' });
    const before = await product.callsAnswered('4xx');
    const refused = await sdkOf(user)
      .chat.completions.create({ model: 'gpt-unheard-of', messages: asking('x') })
      .catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(APIError);
    expect(refused).toMatchObject({ status: 402, code: 'rate_missing' });
    expect((await product.callsAnswered('4xx')) - before).toBe(1);
    await product.expectNoCharge(user);
  });

  it('pays what the provider would have reported when it aborts a stream in the middle', async () => {
    const user = await product.sdkUser();
    const request = { model: PACED, messages: asking('Talk on while I walk away') };
    const stream = await sdkOf(user).chat.completions.create({ ...request, stream: true });
    let seen = 0;
    for await (const _chunk of stream) {
      seen += 1;
      if (seen === 4) stream.controller.abort();
    }
    expect(seen).toBe(4);
    const { usage } = await product.direct.openai.chat.completions.create(request);
    await product.expectOneCharge(user, {
      tokens: chatTokens(usage),
      prices: LIST_PRICES.sandbox,
      outcome: 'client_aborted',
      evidence: 'drained',
    });
  });
}
