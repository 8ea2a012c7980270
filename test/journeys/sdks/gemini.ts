import { ApiError, FunctionCallingConfigMode, GoogleGenAI } from '@google/genai';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { ApiError as ApiError2, GoogleGenAI as GoogleGenAI2 } from 'google-genai-2';
// The SDK hands its requests to the dispatcher of Node's fetch, which Jest keeps away from a test. This puts one there.
import 'undici';
import { LIST_PRICES, type Tokens } from '../charge-by-hand.js';
import { allOf, type Given, type SdkProduct } from './product.js';

const MODEL = 'gemini-2.5-flash';
const EMBEDDING_MODEL = 'gemini-embedding-001';
const PACED = 'sandbox-chunks30-pace20';

/** What both versions report. */
interface Usage {
  promptTokenCount?: number;
  cachedContentTokenCount?: number;
  candidatesTokenCount?: number;
  thoughtsTokenCount?: number;
}

const TOOLS = {
  tools: [
    {
      functionDeclarations: [
        {
          name: 'weather',
          parametersJsonSchema: {
            type: 'object',
            properties: { city: { type: 'string' }, days: { type: 'integer' } },
            required: ['city', 'days'],
          },
        },
      ],
    },
  ],
  toolConfig: { functionCallingConfig: { mode: FunctionCallingConfigMode.ANY } },
};

/** Both versions have the same methods; 3.x asks `/v1`, 2.x `/v1beta`. */
const VERSIONS = [
  { version: '3.x', Client: GoogleGenAI, Thrown: ApiError },
  { version: '2.x', Client: GoogleGenAI2 as unknown as typeof GoogleGenAI, Thrown: ApiError2 },
];

export function geminiStories(given: Given): void {
  let product: SdkProduct;
  beforeAll(() => {
    product = given();
  });

  describe.each(VERSIONS)('$version', ({ Client, Thrown }) => {
    const sdkOf = ({ key }: { key: string }) =>
      new Client({ apiKey: key, httpOptions: { baseUrl: product.proxyUrl('gemini') } });

    it('generates content', async () => {
      const user = await product.sdkUser('gemini');
      const answer = await sdkOf(user).models.generateContent({ model: MODEL, contents: '世界 🌍!' });
      expect(answer.text).toBe('You said: 世界 🌍!');
      expect(answer.modelVersion).toBe(MODEL);
      await product.expectOneCharge(user, {
        tokens: tokensOf(answer.usageMetadata),
        prices: LIST_PRICES[MODEL],
      });
    });

    it('streams content, of which the last chunk says what all of it used', async () => {
      const user = await product.sdkUser('gemini');
      const stream = await sdkOf(user).models.generateContentStream({
        model: 'sandbox-cached64-reasoning32',
        contents: 'Answer me piece by piece, please',
      });
      const texts: string[] = [];
      let usage: Usage | undefined;
      for await (const chunk of stream) {
        texts.push(chunk.text ?? '');
        usage = chunk.usageMetadata ?? usage;
      }
      expect(texts.length).toBeGreaterThan(5);
      expect(texts.join('')).toBe('You said: Answer me piece by piece, please');
      expect(usage).toMatchObject({ cachedContentTokenCount: 64, thoughtsTokenCount: 32 });
      await product.expectOneCharge(user, { tokens: tokensOf(usage), prices: LIST_PRICES.sandbox });
    });

    it.each(['whole', 'streamed'])('is given a function call, %s', async (how) => {
      const user = await product.sdkUser('gemini');
      const { models } = sdkOf(user);
      const request = { model: MODEL, contents: 'What will the weather be?', config: TOOLS };
      const answers =
        how === 'whole'
          ? [await models.generateContent(request)]
          : await allOf(await models.generateContentStream(request));
      expect(answers.flatMap(({ functionCalls }) => functionCalls ?? [])).toMatchObject([
        { name: 'weather', args: { city: 'sandbox', days: 1 } },
      ]);
      await product.expectOneCharge(user, {
        tokens: tokensOf(answers.at(-1)?.usageMetadata),
        prices: LIST_PRICES[MODEL],
      });
    });

    it('interacts', async () => {
      const user = await product.sdkUser('gemini');
      const answer = await sdkOf(user).interactions.create({ model: MODEL, input: 'Answer me' });
      expect(answer.status).toBe('completed');
      expect(JSON.stringify(answer)).toContain('You said: Answer me');
      const { usage } = answer;
      await product.expectOneCharge(user, {
        tokens: {
          input: usage?.total_input_tokens ?? 0,
          cacheRead: 0,
          cacheWrite: 0,
          output: usage?.total_output_tokens ?? 0,
        },
        prices: LIST_PRICES[MODEL],
      });
    });

    it('embeds; where the answer does not say what that used, the count of the same contents is paid', async () => {
      const user = await product.sdkUser('gemini');
      const texts = ['a text to embed', 'and another, longer one'];
      const { embeddings } = await sdkOf(user).models.embedContent({
        model: EMBEDDING_MODEL,
        contents: texts,
      });
      expect(embeddings?.map(({ values }) => values?.length)).toEqual([768, 768]);
      const direct = new Client({ apiKey: 'direct', httpOptions: { baseUrl: product.urls.sandbox } });
      const contents = texts.map((text) => ({ role: 'user', parts: [{ text }] }));
      const { totalTokens = 0 } = await direct.models.countTokens({ model: EMBEDDING_MODEL, contents });
      expect(totalTokens).toBeGreaterThan(0);
      await product.expectOneCharge(user, {
        tokens: { input: totalTokens, cacheRead: 0, cacheWrite: 0, output: 0 },
        prices: LIST_PRICES[EMBEDDING_MODEL],
        evidence: 'counted',
      });
    });

    it('counts tokens and lists models for nothing', async () => {
      const user = await product.sdkUser('gemini');
      const { models } = sdkOf(user);
      const { totalTokens } = await models.countTokens({ model: MODEL, contents: 'Answer me' });
      expect(totalTokens).toBeGreaterThan(0);
      const names: (string | undefined)[] = [];
      for await (const { name } of await models.list()) names.push(name);
      expect(names).toContain(`models/${MODEL}`);
      await product.expectNoCharge(user);
    });

    it.each([
      { what: "the provider's 429", model: 'sandbox-status429', status: 429, says: 'RESOURCE_EXHAUSTED' },
      { what: 'our 402', model: 'gemini-unheard-of', status: 402, says: 'rate_missing' },
    ])('throws its ApiError for $what', async ({ model, status, says }) => {
      const user = await product.sdkUser('gemini');
      for (const method of ['generateContent', 'generateContentStream'] as const) {
        const thrown = await sdkOf(user)
          .models[method]({ model, contents: 'x' })
          .catch((error: unknown) => error);
        expect(thrown).toBeInstanceOf(Thrown);
        expect(thrown).toMatchObject({ status, message: expect.stringContaining(says) });
      }
      await product.expectNoCharge(user);
    });

    it('pays what the provider would have reported when it aborts a stream in the middle', async () => {
      const user = await product.sdkUser('gemini');
      const leaving = new AbortController();
      const request = { model: PACED, contents: 'Talk on while I walk away' };
      const stream = await sdkOf(user).models.generateContentStream({
        ...request,
        config: { abortSignal: leaving.signal },
      });
      const read = async (): Promise<void> => {
        for await (const { text } of stream) if (text) leaving.abort();
      };
      await expect(read()).rejects.toThrow(/abort/i);
      const direct = new Client({ apiKey: 'direct', httpOptions: { baseUrl: product.urls.sandbox } });
      const { usageMetadata } = await direct.models.generateContent(request);
      await product.expectOneCharge(user, {
        tokens: tokensOf(usageMetadata),
        prices: LIST_PRICES.sandbox,
        outcome: 'client_aborted',
        evidence: 'drained',
      });
    });
  });
}

/** Disjoint: what was cached is part of the prompt, thoughts are beside what was said. */
function tokensOf(usage: Usage | undefined): Tokens {
  if (!usage) throw new Error('the SDK parsed no usage');
  const { promptTokenCount = 0, cachedContentTokenCount = 0 } = usage;
  return {
    input: promptTokenCount - cachedContentTokenCount,
    cacheRead: cachedContentTokenCount,
    cacheWrite: 0,
    output: (usage.candidatesTokenCount ?? 0) + (usage.thoughtsTokenCount ?? 0),
  };
}

/** Models of the sandbox that these stories need a price of. */
export const GEMINI_MODELS = ['sandbox-cached64-reasoning32', 'sandbox-status429', PACED];
