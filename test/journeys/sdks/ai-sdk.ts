import { createAnthropic } from '@ai-sdk/anthropic';
import { createGoogle } from '@ai-sdk/google';
import { createOpenAI } from '@ai-sdk/openai';
import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  APICallError,
  generateText,
  jsonSchema,
  type LanguageModelUsage,
  streamText,
  type ToolSet,
  tool,
} from 'ai';
import { LIST_PRICES, type Tokens } from '../charge-by-hand.js';
import { allOf, type Given, type SdkProduct } from './product.js';

/** Of models that it does not know the package warns where none is given. */
const maxOutputTokens = 200;
const PACED = 'sandbox-chunks30-pace20';
/** The package's own types do not fit each other where a property that may be left out may not be undefined. */
const TOOLS = {
  weather: tool({
    inputSchema: jsonSchema({
      type: 'object',
      properties: { city: { type: 'string' }, days: { type: 'integer' } },
      required: ['city', 'days'],
    }),
  }),
} as unknown as ToolSet;

/** The model of a provider's package, by name. Each base URL has the version in it, as the packages have it. */
const PROVIDERS = [
  {
    provider: 'openai',
    usual: 'gpt-4o',
    modelOf: (baseURL: string, apiKey: string) => createOpenAI({ baseURL: `${baseURL}/v1`, apiKey }),
  },
  {
    provider: 'anthropic',
    usual: 'claude-haiku-4-5',
    modelOf: (baseURL: string, apiKey: string) => createAnthropic({ baseURL: `${baseURL}/v1`, apiKey }),
  },
  {
    provider: 'gemini',
    usual: 'gemini-2.5-flash',
    modelOf: (baseURL: string, apiKey: string) => createGoogle({ baseURL: `${baseURL}/v1beta`, apiKey }),
  },
] as const;

export function aiSdkStories(given: Given): void {
  let product: SdkProduct;
  beforeAll(() => {
    product = given();
  });

  describe.each(PROVIDERS)('with $provider', ({ provider, usual, modelOf }) => {
    const prices = LIST_PRICES[usual];
    const bound = provider === 'gemini' ? [provider] : [];
    const modelsOf = ({ key }: { key: string }) => modelOf(product.proxyUrl(provider), key);

    it('generates text', async () => {
      const user = await product.sdkUser(...bound);
      const answer = await generateText({
        model: modelsOf(user)(usual),
        prompt: '世界 🌍!',
        maxOutputTokens,
      });
      expect(answer.text).toBe('You said: 世界 🌍!');
      expect(answer.finishReason).toBe('stop');
      await product.expectOneCharge(user, { tokens: tokensOf(answer.usage), prices });
    });

    it('streams text', async () => {
      const user = await product.sdkUser(...bound);
      const prompt = 'Answer me piece by piece, please';
      const answer = streamText({ model: modelsOf(user)(usual), prompt, maxOutputTokens });
      const deltas = await allOf(answer.textStream);
      expect(deltas.length).toBeGreaterThan(3);
      expect(deltas.join('')).toBe(`You said: ${prompt}`);
      await product.expectOneCharge(user, { tokens: tokensOf(await answer.usage), prices });
    });

    it.each(['whole', 'streamed'])('is given a tool call, %s', async (how) => {
      const user = await product.sdkUser(...bound);
      const request = {
        model: modelsOf(user)(usual),
        prompt: 'What will the weather be?',
        maxOutputTokens,
        tools: TOOLS,
        toolChoice: 'required' as const,
      };
      const answer = how === 'whole' ? await generateText(request) : streamText(request);
      expect(await answer.toolCalls).toMatchObject([
        { toolName: 'weather', input: { city: 'sandbox', days: 1 } },
      ]);
      await product.expectOneCharge(user, { tokens: tokensOf(await answer.usage), prices });
    });

    it.each([
      { what: "the provider's 429", model: 'sandbox-status429', statusCode: 429, isRetryable: true },
      { what: 'our 402', model: 'unheard-of', statusCode: 402, isRetryable: false },
    ])('throws its APICallError for $what', async ({ model, statusCode, isRetryable }) => {
      const user = await product.sdkUser(...bound);
      const thrown = await generateText({
        model: modelsOf(user)(model),
        prompt: 'x',
        maxOutputTokens,
        maxRetries: 0,
      }).catch((error: unknown) => error);
      expect(thrown).toBeInstanceOf(APICallError);
      expect(thrown).toMatchObject({ statusCode, isRetryable });
      await product.expectNoCharge(user);
    });

    it('pays what the provider would have reported when it aborts a stream in the middle', async () => {
      const user = await product.sdkUser(...bound);
      const leaving = new AbortController();
      const prompt = 'Talk on while I walk away';
      const stream = streamText({
        model: modelsOf(user)(PACED),
        prompt,
        maxOutputTokens,
        abortSignal: leaving.signal,
      });
      const types: string[] = [];
      for await (const { type } of stream.fullStream) {
        types.push(type);
        if (type === 'text-delta') leaving.abort();
      }
      expect(types.at(-1)).toBe('abort');
      const direct = modelOf(product.urls.sandbox, 'direct')(PACED);
      const { usage } = await generateText({ model: direct, prompt, maxOutputTokens });
      await product.expectOneCharge(user, {
        tokens: tokensOf(usage),
        prices: LIST_PRICES.sandbox,
        outcome: 'client_aborted',
        evidence: 'drained',
      });
    });
  });
}

function tokensOf({ inputTokens, inputTokenDetails, outputTokens }: LanguageModelUsage): Tokens {
  if (inputTokens === undefined || outputTokens === undefined) throw new Error('the SDK parsed no usage');
  const { cacheReadTokens = 0, cacheWriteTokens = 0 } = inputTokenDetails;
  return {
    input: inputTokens - cacheReadTokens - cacheWriteTokens,
    cacheRead: cacheReadTokens,
    cacheWrite: cacheWriteTokens,
    output: outputTokens,
  };
}
