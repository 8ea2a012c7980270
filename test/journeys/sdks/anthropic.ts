import Anthropic, {
  APIError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
  UnprocessableEntityError,
} from '@anthropic-ai/sdk';
import { beforeAll, expect, it } from '@jest/globals';
import { LIST_PRICES, type Tokens } from '../charge-by-hand.js';
import { type Given, messageTokens, type SdkProduct, type SdkUser } from './product.js';

const MODEL = 'claude-haiku-4-5';
const PACED = 'sandbox-chunks30-pace20';
const SLOW_JSON = 'sandbox-pace400';
const STATUSES = [400, 401, 403, 404, 413, 422, 429, 500, 529];
/** Models of the sandbox that these stories need a price of. */
export const ANTHROPIC_MODELS = [
  PACED,
  SLOW_JSON,
  'sandbox-cached64-cachewrite32',
  'sandbox-gzip',
  'sandbox-errorevent6',
  'sandbox-die6',
  ...STATUSES.map((status) => `sandbox-status${status}`),
];

const WEATHER_TOOL: Anthropic.Tool = {
  name: 'weather',
  description: 'The weather to come',
  input_schema: {
    type: 'object',
    properties: { city: { type: 'string' }, days: { type: 'integer' } },
    required: ['city', 'days'],
  },
};

export function anthropicStories(given: Given): void {
  let product: SdkProduct;
  beforeAll(() => {
    product = given();
  });

  it('gets a message', async () => {
    const user = await product.sdkUser();
    const answer = await user.anthropic.messages.create(asking(MODEL, 'Grüße, 世界 🌍!'));
    expect(answer.content).toEqual([{ type: 'text', text: 'You said: Grüße, 世界 🌍!' }]);
    expect(answer._request_id).toMatch(/^req_/);
    const event = await product.expectOneCharge(user, {
      tokens: messageTokens(answer.usage),
      prices: LIST_PRICES[MODEL],
    });
    expect(event).toMatchObject({ model: MODEL, stream: false, upstream_request_id: answer._request_id });
  });

  it.each(['whole', 'streamed'])(
    'pays apart for what was read from and written to the cache, %s',
    async (how) => {
      const user = await product.sdkUser();
      const request = asking('sandbox-cached64-cachewrite32', 'Have you read this before?');
      const { usage } =
        how === 'whole'
          ? await user.anthropic.messages.create(request)
          : await user.anthropic.messages.stream(request).finalMessage();
      expect(messageTokens(usage)).toMatchObject({ cacheRead: 64, cacheWrite: 32 });
      await product.expectOneCharge(user, { tokens: messageTokens(usage), prices: LIST_PRICES.sandbox });
    },
  );

  it.each([MODEL, 'sandbox-gzip'] as const)('streams a message of %s', async (model) => {
    const user = await product.sdkUser();
    const stream = user.anthropic.messages.stream(
      asking(model, 'Tell me a longer story, in as many words as you can'),
    );
    const deltas: string[] = [];
    stream.on('text', (delta) => deltas.push(delta));
    const answer = await stream.finalMessage();
    expect(deltas.length).toBeGreaterThan(5);
    expect(deltas.join('')).toBe('You said: Tell me a longer story, in as many words as you can');
    expect(answer.content).toMatchObject([{ type: 'text', text: deltas.join('') }]);
    expect(answer.stop_reason).toBe('end_turn');
    await product.expectOneCharge(user, {
      tokens: messageTokens(answer.usage),
      prices: model === MODEL ? LIST_PRICES[MODEL] : LIST_PRICES.sandbox,
    });
  });

  it.each(['whole', 'streamed'])('is given a tool call, %s', async (how) => {
    const user = await product.sdkUser();
    const request = {
      ...asking(MODEL, 'What will the weather be?'),
      tools: [WEATHER_TOOL],
      tool_choice: { type: 'tool' as const, name: 'weather' },
    };
    const answer =
      how === 'whole'
        ? await user.anthropic.messages.create(request)
        : await user.anthropic.messages.stream(request).finalMessage();
    expect(answer.stop_reason).toBe('tool_use');
    expect(answer.content).toMatchObject([
      { type: 'tool_use', name: 'weather', input: { city: 'sandbox', days: 1 } },
    ]);
    await product.expectOneCharge(user, { tokens: messageTokens(answer.usage), prices: LIST_PRICES[MODEL] });
  });

  it('counts tokens, lists and retrieves models for nothing', async () => {
    const user = await product.sdkUser();
    const { max_tokens, ...question } = asking(MODEL, 'How much would this be?');
    const counted = await user.anthropic.messages.countTokens(question);
    expect(counted).toEqual(await product.direct.anthropic.messages.countTokens(question));
    const ids: string[] = [];
    for await (const { id } of user.anthropic.models.list()) ids.push(id);
    expect(ids).toContain(MODEL);
    expect(await user.anthropic.models.retrieve(MODEL)).toMatchObject({ id: MODEL, type: 'model' });
    await product.expectNoCharge(user);
  });

  it.each([
    { status: 400, error: BadRequestError },
    { status: 401, error: AuthenticationError },
    { status: 403, error: PermissionDeniedError },
    { status: 404, error: NotFoundError },
    { status: 413, error: APIError },
    { status: 422, error: UnprocessableEntityError },
    { status: 429, error: RateLimitError },
    { status: 500, error: InternalServerError },
    { status: 529, error: InternalServerError },
  ])(
    "throws its $error.name for the provider's $status, as it would without us",
    async ({ status, error }) => {
      const user = await product.sdkUser();
      const ask = (anthropic: Anthropic, stream: boolean) =>
        anthropic.messages
          .create({ ...asking(`sandbox-status${status}`, 'x'), stream }, { maxRetries: 0 })
          .then(() => null, thrownBy);
      const thrown = [await ask(user.anthropic, false), await ask(user.anthropic, true)];
      const direct = await ask(product.direct.anthropic, false);
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

  it("retries the provider's 529 by itself; each attempt has a hold of its own, and none is charged", async () => {
    const user = await product.sdkUser();
    const before = await product.callsAnswered('5xx');
    await expect(user.anthropic.messages.create(asking('sandbox-status529', 'x'))).rejects.toThrow(
      InternalServerError,
    );
    expect((await product.callsAnswered('5xx')) - before).toBe(3);
    await product.expectNoCharge(user);
  });

  it.each([
    { what: 'an empty balance', options: { creditMicros: 0 }, status: 402, code: 'balance_exhausted' },
    {
      what: 'a monthly cap',
      options: { spend_cap_monthly: '0.000001' },
      status: 429,
      code: 'spend_cap_monthly',
    },
  ])('does not retry our refusal for $what', async ({ options, status, code }) => {
    const { key } = await product.customer(options);
    const anthropic = new Anthropic({ baseURL: product.proxyUrl('anthropic'), apiKey: key });
    const before = await product.callsAnswered('4xx');
    const thrown = await anthropic.messages.create(asking(MODEL, 'x')).then(() => null, thrownBy);
    expect(thrown).toBeInstanceOf(status === 429 ? RateLimitError : APIError);
    expect(thrown).toMatchObject({ status, error: { error: { code, message: expect.any(String) } } });
    expect((await product.callsAnswered('4xx')) - before).toBe(1);
  });

  it('throws what the provider says in the middle of a stream, and pays for what came', async () => {
    const user = await product.sdkUser();
    const { text, thrown } = await readUntilThrown(user, 'sandbox-errorevent6');
    expect(text).toBe('You said: to the ');
    expect(thrown).toBeInstanceOf(APIError);
    expect(thrown?.message).toContain('overloaded_error');
    await product.expectOneCharge(user, {
      // You, said, a colon, to, the came.
      tokens: { ...(await begun('to the end and further')), output: 5 },
      prices: LIST_PRICES.sandbox,
      outcome: 'upstream_error',
      evidence: 'estimated',
    });
  });

  it('pays for the input that a provider reported, and the output that came, before it died', async () => {
    const user = await product.sdkUser();
    const { text, thrown } = await readUntilThrown(user, 'sandbox-die6');
    expect(text).toBe('You said: to the ');
    expect(thrown?.message).toBe('terminated');
    await product.expectOneCharge(user, {
      // You, said, a colon, to, the came.
      tokens: { ...(await begun('to the end and further')), output: 5 },
      prices: LIST_PRICES.sandbox,
      outcome: 'upstream_died',
      evidence: 'counted',
    });
  });

  it('pays exactly what the provider would have reported when it aborts a stream in the middle', async () => {
    const user = await product.sdkUser();
    const request = asking(PACED, 'Talk on while I walk away');
    const stream = await user.anthropic.messages.create({ ...request, stream: true });
    for await (const { type } of stream) if (type === 'content_block_delta') break;
    await product.expectOneCharge(user, drained(await reportedFor(request)));
  });

  it('pays exactly what the provider would have reported when it aborts before the answer', async () => {
    const user = await product.sdkUser();
    const request = asking(SLOW_JSON, 'Talk on while I walk away');
    const leaving = new AbortController();
    const call = user.anthropic.messages.create(request, { signal: leaving.signal });
    await product.waitUntil(
      async () => (await product.admin.openHolds(user.tenantId)).length === 1,
      'the hold of the call',
    );
    leaving.abort();
    await expect(call).rejects.toThrow(/aborted/);
    await product.expectOneCharge(user, drained(await reportedFor(request)));
  });

  function asking(model: string, content: string) {
    return { model, max_tokens: 200, messages: [{ role: 'user' as const, content }] };
  }

  function drained(tokens: Tokens) {
    return { tokens, prices: LIST_PRICES.sandbox, outcome: 'client_aborted', evidence: 'drained' };
  }

  /** What the sandbox reports for the same message when it is asked directly. */
  async function reportedFor(request: Anthropic.MessageCreateParamsNonStreaming): Promise<Tokens> {
    return messageTokens((await product.direct.anthropic.messages.create(request)).usage);
  }

  /** What the first event of a stream reports: the whole input, and one token of output. */
  async function begun(content: string): Promise<Tokens> {
    const { max_tokens, ...question } = asking(MODEL, content);
    const { input_tokens } = await product.direct.anthropic.messages.countTokens(question);
    return { input: input_tokens, cacheRead: 0, cacheWrite: 0, output: 1 };
  }

  async function readUntilThrown(user: SdkUser, model: string) {
    let text = '';
    try {
      const stream = await user.anthropic.messages.create({
        ...asking(model, 'to the end and further'),
        stream: true,
      });
      for await (const event of stream)
        if (event.type === 'content_block_delta' && event.delta.type === 'text_delta')
          text += event.delta.text;
    } catch (thrown) {
      return { text, thrown: thrown as Error };
    }
    return { text, thrown: null };
  }
}

function thrownBy(thrown: unknown): APIError {
  return thrown as APIError;
}

/** What a tool sees of an error, but for the request's id, which the message repeats. */
function facts(thrown: APIError | null) {
  return thrown && { status: thrown.status, type: thrown.type, message: withoutIds(thrown.message) };
}

function withoutIds(message: string): string {
  return message.replaceAll(/req_\w+/g, 'req');
}
