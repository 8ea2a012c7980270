// Over 400 lines: one product and one customer stand for every surface of the SDK.
import { beforeAll, describe, expect, it } from '@jest/globals';
import OpenAI, {
  APIConnectionError,
  APIError,
  AuthenticationError,
  BadRequestError,
  ConflictError,
  InternalServerError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
  UnprocessableEntityError,
} from 'openai';
import { LIST_PRICES, type Tokens } from '../charge-by-hand.js';
import { chatTokens, type Given, responseTokens, type SdkProduct, type SdkUser } from './product.js';

const PACED = 'sandbox-chunks30-pace20';
const SLOW_JSON = 'sandbox-pace400';
const STATUSES = [400, 401, 403, 404, 409, 422, 429, 500, 503, 529];
/** Models of the sandbox that these stories need a price of. */
export const OPENAI_MODELS = [
  PACED,
  SLOW_JSON,
  'sandbox-cached64',
  'sandbox-gzip',
  'sandbox-errorevent5',
  'sandbox-die5',
  'sandbox-diebeforeheaders',
  ...STATUSES.map((status) => `sandbox-status${status}`),
];

const WEATHER = {
  type: 'object',
  properties: { city: { type: 'string' }, days: { type: 'integer' }, unit: { enum: ['celsius', 'kelvin'] } },
  required: ['city', 'days', 'unit'],
};
const WEATHER_ARGUMENTS = { city: 'sandbox', days: 1, unit: 'celsius' };
const CHAT_TOOL = {
  type: 'function' as const,
  function: { name: 'weather', description: 'The weather to come', parameters: WEATHER },
};
const RESPONSES_TOOL = { type: 'function' as const, name: 'weather', parameters: WEATHER, strict: false };

export function openaiStories(given: Given): void {
  let product: SdkProduct;
  beforeAll(() => {
    product = given();
  });

  function asking(content: string): OpenAI.ChatCompletionMessageParam[] {
    return [{ role: 'user', content }];
  }

  it('chats', async () => {
    const user = await product.sdkUser();
    const answer = await user.openai.chat.completions.create({
      model: 'gpt-4o-mini',
      messages: asking('Grüße, 世界 🌍!'),
    });
    expect(answer.choices[0]?.message).toMatchObject({
      role: 'assistant',
      content: 'You said: Grüße, 世界 🌍!',
    });
    expect(answer._request_id).toMatch(/^req_/);
    const event = await product.expectOneCharge(user, {
      tokens: chatTokens(answer.usage),
      prices: LIST_PRICES['gpt-4o-mini'],
    });
    expect(event).toMatchObject({
      model: 'gpt-4o-mini',
      stream: false,
      upstream_request_id: answer._request_id,
    });
  });

  it('pays less for what the provider read from its cache', async () => {
    const user = await product.sdkUser();
    const { usage } = await user.openai.chat.completions.create({
      model: 'sandbox-cached64',
      messages: asking('Have you read this before?'),
    });
    expect(usage?.prompt_tokens_details?.cached_tokens).toBe(64);
    await product.expectOneCharge(user, { tokens: chatTokens(usage), prices: LIST_PRICES.sandbox });
  });

  it.each(['gpt-4o-mini', 'sandbox-gzip'] as const)(
    'streams a chat of %s and sees the usage that it asked for',
    async (model) => {
      const user = await product.sdkUser();
      const stream = user.openai.chat.completions.stream({
        model,
        messages: asking('Tell me a longer story, in as many words as you can'),
        stream_options: { include_usage: true },
      });
      const deltas: string[] = [];
      stream.on('content', (delta) => deltas.push(delta));
      const answer = await stream.finalChatCompletion();
      expect(deltas.length).toBeGreaterThan(5);
      expect(deltas.join('')).toBe('You said: Tell me a longer story, in as many words as you can');
      expect(answer.choices[0]?.message.content).toBe(deltas.join(''));
      await product.expectOneCharge(user, {
        tokens: chatTokens(answer.usage),
        prices: model === 'sandbox-gzip' ? LIST_PRICES.sandbox : LIST_PRICES[model],
      });
    },
  );

  it.each(['gpt-4o-mini', 'sandbox-gzip'] as const)(
    'streams a chat of %s without the usage that it did not ask for, and is charged all the same',
    async (model) => {
      const user = await product.sdkUser();
      const request = { model, messages: asking('One two three four'), stream: true } as const;
      const chunks: OpenAI.ChatCompletionChunk[] = [];
      for await (const chunk of await user.openai.chat.completions.create(request)) chunks.push(chunk);
      expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe(
        'You said: One two three four',
      );
      expect(chunks.filter(({ usage, choices }) => usage || choices.length === 0)).toEqual([]);
      await product.expectOneCharge(user, {
        tokens: await reportedForChat(request),
        prices: model === 'sandbox-gzip' ? LIST_PRICES.sandbox : LIST_PRICES[model],
      });
    },
  );

  it('gets a response', async () => {
    const user = await product.sdkUser();
    const answer = await user.openai.responses.create({
      model: 'gpt-4o',
      instructions: 'Be brief.',
      input: 'Answer me',
    });
    expect(answer.output_text).toBe('You said: Answer me');
    expect(answer.status).toBe('completed');
    await product.expectOneCharge(user, {
      tokens: responseTokens(answer.usage),
      prices: LIST_PRICES['gpt-4o'],
    });
  });

  it('streams a response', async () => {
    const user = await product.sdkUser();
    const stream = user.openai.responses.stream({
      model: 'gpt-4o',
      input: 'Answer me piece by piece, please',
    });
    const deltas: string[] = [];
    stream.on('response.output_text.delta', ({ delta }) => deltas.push(delta));
    const answer = await stream.finalResponse();
    expect(deltas.length).toBeGreaterThan(5);
    expect(answer.output_text).toBe('You said: Answer me piece by piece, please');
    expect(deltas.join('')).toBe(answer.output_text);
    await product.expectOneCharge(user, {
      tokens: responseTokens(answer.usage),
      prices: LIST_PRICES['gpt-4o'],
    });
  });

  it('embeds, asking for base64 as it does by itself', async () => {
    const user = await product.sdkUser();
    const input = ['a text to embed', 'and another, longer one'];
    const { data, usage } = await user.openai.embeddings.create({ model: 'text-embedding-3-small', input });
    expect(data.map(({ index }) => index)).toEqual([0, 1]);
    for (const { embedding } of data)
      expect(embedding).toEqual(Array.from({ length: 1_536 }, (_, at) => Math.fround(Math.sin(at + 1))));
    await product.expectOneCharge(user, {
      tokens: { input: usage.prompt_tokens, cacheRead: 0, cacheWrite: 0, output: 0 },
      prices: LIST_PRICES['text-embedding-3-small'],
    });
  });

  it('is given a tool call in a chat', async () => {
    const user = await product.sdkUser();
    const answer = await user.openai.chat.completions.create({
      model: 'gpt-4o-mini',
      messages: asking('What will the weather be?'),
      tools: [CHAT_TOOL],
      tool_choice: { type: 'function', function: { name: 'weather' } },
    });
    expectWeatherCall(answer.choices[0]);
    await product.expectOneCharge(user, {
      tokens: chatTokens(answer.usage),
      prices: LIST_PRICES['gpt-4o-mini'],
    });
  });

  it('puts a tool call of a streamed chat together', async () => {
    const user = await product.sdkUser();
    const answer = await user.openai.chat.completions
      .stream({
        model: 'gpt-4o-mini',
        messages: asking('What will the weather be?'),
        tools: [CHAT_TOOL],
        tool_choice: 'required',
        stream_options: { include_usage: true },
      })
      .finalChatCompletion();
    expectWeatherCall(answer.choices[0]);
    await product.expectOneCharge(user, {
      tokens: chatTokens(answer.usage),
      prices: LIST_PRICES['gpt-4o-mini'],
    });
  });

  it.each(['whole', 'streamed'])('is given a function call in a %s response', async (how) => {
    const user = await product.sdkUser();
    const request = {
      model: 'gpt-4o',
      input: 'What will the weather be?',
      tools: [RESPONSES_TOOL],
      tool_choice: 'required' as const,
    };
    const answer =
      how === 'whole'
        ? await user.openai.responses.create(request)
        : await user.openai.responses.stream(request).finalResponse();
    const [call] = answer.output;
    expect(call).toMatchObject({ type: 'function_call', name: 'weather' });
    expect(JSON.parse(call?.type === 'function_call' ? call.arguments : '')).toEqual(WEATHER_ARGUMENTS);
    await product.expectOneCharge(user, {
      tokens: responseTokens(answer.usage),
      prices: LIST_PRICES['gpt-4o'],
    });
  });

  it('lists and retrieves models for nothing', async () => {
    const user = await product.sdkUser();
    const ids: string[] = [];
    for await (const { id } of user.openai.models.list()) ids.push(id);
    expect(ids).toContain('gpt-4o-mini');
    expect(await user.openai.models.retrieve('gpt-5')).toMatchObject({ id: 'gpt-5', object: 'model' });
    await product.expectNoCharge(user);
  });

  it.each([
    { status: 400, error: BadRequestError },
    { status: 401, error: AuthenticationError },
    { status: 403, error: PermissionDeniedError },
    { status: 404, error: NotFoundError },
    { status: 409, error: ConflictError },
    { status: 422, error: UnprocessableEntityError },
    { status: 429, error: RateLimitError },
    { status: 500, error: InternalServerError },
    { status: 503, error: InternalServerError },
  ])(
    "throws its $error.name for the provider's $status, as it would without us",
    async ({ status, error }) => {
      const user = await product.sdkUser();
      const ask = (openai: OpenAI, stream: boolean) =>
        openai.chat.completions
          .create({ model: `sandbox-status${status}`, messages: asking('x'), stream }, { maxRetries: 0 })
          .then(() => null, thrownBy);
      const thrown = [await ask(user.openai, false), await ask(user.openai, true)];
      const direct = await ask(product.direct.openai, false);
      expect(direct?.status).toBe(status);
      for (const one of thrown) {
        expect(one).toBeInstanceOf(error);
        expect(facts(one)).toEqual(facts(direct));
        expect(one?.headers?.get('vendo-error-code')).toBeNull();
        expect(one?.requestID).toMatch(/^req_/);
      }
      await product.expectNoCharge(user);
    },
  );

  it("retries the provider's 500 by itself; each attempt has a hold of its own, and none is charged", async () => {
    const user = await product.sdkUser();
    const before = await product.callsAnswered('5xx');
    const call = user.openai.chat.completions.create({ model: 'sandbox-status500', messages: asking('x') });
    await expect(call).rejects.toThrow(InternalServerError);
    expect((await product.callsAnswered('5xx')) - before).toBe(3);
    await product.expectNoCharge(user);
  });

  it.each([
    {
      what: 'an empty balance',
      caller: async () => poor(await product.customer({ creditMicros: 0 })),
      model: 'gpt-4o-mini',
      status: 402,
      code: 'balance_exhausted',
    },
    {
      what: 'a model without a price',
      caller: () => product.sdkUser(),
      model: 'gpt-unheard-of',
      status: 402,
      code: 'rate_missing',
    },
    {
      what: 'a daily cap',
      caller: async () => poor(await product.customer({ spend_cap_daily: '0.000001' })),
      model: 'gpt-4o-mini',
      status: 429,
      code: 'spend_cap_daily',
    },
  ])('does not retry our refusal for $what', async ({ caller, model, status, code }) => {
    const { openai } = await caller();
    const before = await product.callsAnswered('4xx');
    const thrown = await openai.chat.completions
      .create({ model, messages: asking('x') })
      .then(() => null, thrownBy);
    expect(thrown).toBeInstanceOf(status === 429 ? RateLimitError : APIError);
    expect(thrown).toMatchObject({ status, code, error: { code, message: expect.any(String) } });
    expect((await product.callsAnswered('4xx')) - before).toBe(1);
  });

  it('throws what the provider says in the middle of a stream, and pays for what came', async () => {
    const user = await product.sdkUser();
    const { text, thrown } = await readUntilThrown(user, 'sandbox-errorevent5');
    expect(text).toBe('You said: to the end ');
    expect(thrown).toBeInstanceOf(APIError);
    expect(thrown?.message).toContain('The server had an error');
    await product.expectOneCharge(user, {
      // Five words asked; You, said, a colon, to, the, end came.
      tokens: { input: 5, cacheRead: 0, cacheWrite: 0, output: 6 },
      prices: LIST_PRICES.sandbox,
      outcome: 'upstream_error',
      evidence: 'estimated',
    });
  });

  it('sees the broken connection of a provider that dies in the middle of a stream, and pays for what came', async () => {
    const user = await product.sdkUser();
    const { text, thrown } = await readUntilThrown(user, 'sandbox-die5');
    expect(text).toBe('You said: to the end ');
    expect(thrown?.message).toBe('terminated');
    await product.expectOneCharge(user, {
      // Five words asked; You, said, a colon, to, the, end came.
      tokens: { input: 5, cacheRead: 0, cacheWrite: 0, output: 6 },
      prices: LIST_PRICES.sandbox,
      outcome: 'upstream_died',
      evidence: 'counted',
    });
  });

  it('gets 502 for a provider that hangs up before it answers', async () => {
    const user = await product.sdkUser();
    const thrown = await user.openai.chat.completions
      .create({ model: 'sandbox-diebeforeheaders', messages: asking('x') }, { maxRetries: 0 })
      .then(() => null, thrownBy);
    expect(thrown).toBeInstanceOf(InternalServerError);
    expect(thrown).not.toBeInstanceOf(APIConnectionError);
    expect(thrown).toMatchObject({ status: 502, code: 'upstream_unreachable' });
    await product.expectNoCharge(user);
  });

  describe('that aborts in the middle pays exactly what the provider would have reported', () => {
    const question = asking('Talk on while I walk away');

    it.each([true, false])('of a streamed chat, include_usage %s', async (include_usage) => {
      const user = await product.sdkUser();
      const request = { model: PACED, messages: question, stream: true } as const;
      const stream = await user.openai.chat.completions.create({
        ...request,
        stream_options: { include_usage },
      });
      let seen = 0;
      for await (const { choices } of stream) {
        expect(choices[0]?.finish_reason).toBeNull();
        seen += 1;
        if (seen === 4) stream.controller.abort();
      }
      expect(seen).toBe(4);
      await product.expectOneCharge(user, drained(await reportedForChat(request)));
    });

    it('of a streamed response', async () => {
      const user = await product.sdkUser();
      const request = { model: PACED, input: 'Talk on while I walk away' };
      const stream = await user.openai.responses.create({ ...request, stream: true });
      for await (const { type } of stream) if (type === 'response.output_text.delta') break;
      const { usage } = await product.direct.openai.responses.create(request);
      await product.expectOneCharge(user, drained(responseTokens(usage)));
    });

    it('of an answer that had not begun', async () => {
      const user = await product.sdkUser();
      const request = { model: SLOW_JSON, messages: question };
      const leaving = new AbortController();
      const call = user.openai.chat.completions.create(request, { signal: leaving.signal });
      await product.waitUntil(
        async () => (await product.admin.openHolds(user.tenantId)).length === 1,
        'the hold of the call',
      );
      leaving.abort();
      await expect(call).rejects.toThrow(/aborted/);
      const { usage } = await product.direct.openai.chat.completions.create(request);
      await product.expectOneCharge(user, drained(chatTokens(usage)));
    });
  });

  function poor({ key }: { key: string }): Pick<SdkUser, 'openai'> {
    return { openai: new OpenAI({ baseURL: `${product.proxyUrl('openai')}/v1`, apiKey: key }) };
  }

  function drained(tokens: Tokens) {
    return { tokens, prices: LIST_PRICES.sandbox, outcome: 'client_aborted', evidence: 'drained' };
  }

  /** What the sandbox reports for the same chat when it is asked directly. */
  async function reportedForChat(request: OpenAI.ChatCompletionCreateParams): Promise<Tokens> {
    const { usage } = await product.direct.openai.chat.completions.create({ ...request, stream: false });
    return chatTokens(usage);
  }

  async function readUntilThrown(user: SdkUser, model: string) {
    let text = '';
    try {
      const stream = await user.openai.chat.completions.create({
        model,
        messages: asking('to the end and further'),
        stream: true,
      });
      for await (const { choices } of stream) text += choices[0]?.delta.content ?? '';
    } catch (thrown) {
      return { text, thrown: thrown as Error };
    }
    return { text, thrown: null };
  }
}

function expectWeatherCall(choice: OpenAI.ChatCompletion.Choice | undefined): void {
  expect(choice?.finish_reason).toBe('tool_calls');
  const [call] = choice?.message.tool_calls ?? [];
  expect(call).toMatchObject({ type: 'function', function: { name: 'weather' } });
  expect(JSON.parse(call?.type === 'function' ? call.function.arguments : '')).toEqual(WEATHER_ARGUMENTS);
}

function thrownBy(thrown: unknown): APIError {
  return thrown as APIError;
}

/** What a tool sees of an error, but for ids. */
function facts(thrown: APIError | null) {
  return thrown && { status: thrown.status, code: thrown.code, type: thrown.type, message: thrown.message };
}
