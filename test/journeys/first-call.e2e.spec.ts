import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import OpenAI from 'openai';
import { type Customer, type ProductUnderTest, productForTests } from '../harness/index.js';

const CREDIT_MICROS = 25_000_000;
/** Others may run beside it; how long it takes alone is what the journey `lag` tells. */
const SHOWN_WITHIN_MS = 10_000;

/**
 * What a call costs by the public price lists and the default margin of 20 %, worked out here by hand:
 * gpt-4o-mini $0.15 in and $0.60 out per million tokens, claude-haiku-4-5 $1 and $5. Micros, half to even.
 */
const CHARGE = {
  'gpt-4o-mini': (input: number, output: number) => halfEven(BigInt(9 * input + 36 * output), 50n),
  'claude-haiku-4-5': (input: number, output: number) => halfEven(BigInt(6 * input + 30 * output), 5n),
};

function halfEven(numerator: bigint, denominator: bigint): number {
  const floor = numerator / denominator;
  const twiceRest = 2n * (numerator % denominator);
  const up = twiceRest > denominator || (twiceRest === denominator && floor % 2n === 1n);
  return Number(up ? floor + 1n : floor);
}

describe('a newcomer points an unmodified SDK at the gateway', () => {
  let product: ProductUnderTest;
  let customer: Customer;
  let openai: OpenAI;
  let anthropic: Anthropic;
  let spent = 0;
  let calls = 0;

  beforeAll(async () => {
    product = await productForTests();
    customer = await product.customer({ creditMicros: CREDIT_MICROS });
    openai = new OpenAI({ baseURL: `${product.proxyUrl('openai')}/v1`, apiKey: customer.key, maxRetries: 0 });
    anthropic = new Anthropic({
      baseURL: product.proxyUrl('anthropic'),
      apiKey: customer.key,
      maxRetries: 0,
    });
  });

  afterAll(() => product?.stop());

  /** The charge shows in balance and usage, to the micro. */
  async function shows(charge: number): Promise<void> {
    spent += charge;
    calls += 1;
    expect(charge).toBeGreaterThan(0);
    const balance = await product.waitUntil(
      async () => {
        const now = await customer.billing.balance();
        return now.credits_remaining_micros === CREDIT_MICROS - spent && now;
      },
      `a balance of ${CREDIT_MICROS - spent} micros`,
      SHOWN_WITHIN_MS,
    );
    expect(balance.currency).toBe('USD');
    await product.waitUntil(
      async () => {
        const usage = await customer.billing.usage('day');
        return usage.total_micros === spent && usage.calls === calls;
      },
      `a usage of ${spent} micros in ${calls} calls`,
      SHOWN_WITHIN_MS,
    );
  }

  it('is charged exactly for a chat completion of the openai SDK', async () => {
    const answer = await openai.chat.completions.create({
      model: 'gpt-4o-mini',
      messages: [{ role: 'user', content: 'Say hello to the newcomer' }],
    });
    expect(answer.choices[0]?.message.content).toEqual(expect.any(String));
    const { prompt_tokens = 0, completion_tokens = 0 } = answer.usage ?? {};
    await shows(CHARGE['gpt-4o-mini'](prompt_tokens, completion_tokens));
  });

  it('is charged exactly for a stream of the openai SDK that asked for its usage', async () => {
    const stream = await openai.chat.completions.create({
      model: 'gpt-4o-mini',
      messages: [{ role: 'user', content: 'Say hello again, and a little longer this time' }],
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = '';
    let usage: OpenAI.CompletionUsage | null | undefined;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? '';
      usage = chunk.usage ?? usage;
    }
    expect(text.length).toBeGreaterThan(0);
    await shows(CHARGE['gpt-4o-mini'](usage?.prompt_tokens ?? 0, usage?.completion_tokens ?? 0));
  });

  it('sees no usage chunk in a stream that did not ask for one, and is charged all the same', async () => {
    const stream = await openai.chat.completions.create({
      model: 'gpt-4o-mini',
      messages: [{ role: 'user', content: 'One two three' }],
      stream: true,
    });
    const chunks: OpenAI.ChatCompletionChunk[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks.filter(({ usage, choices }) => usage || choices.length === 0)).toEqual([]);
    const charge = await product.waitUntil(async () => {
      const [newest, ...older] = await product.admin.usageEvents(customer.tenantId);
      return older.length === calls && newest?.cost_micros;
    }, 'the usage event');
    await shows(charge);
  });

  it('is charged exactly for a message of the Anthropic SDK, whole and streamed', async () => {
    const messages = [{ role: 'user' as const, content: 'Say hello from the other side' }];
    const whole = await anthropic.messages.create({ model: 'claude-haiku-4-5', max_tokens: 100, messages });
    await shows(CHARGE['claude-haiku-4-5'](whole.usage.input_tokens, whole.usage.output_tokens));

    const streamed = await anthropic.messages
      .stream({ model: 'claude-haiku-4-5', max_tokens: 100, messages })
      .finalMessage();
    expect(streamed.content[0]).toMatchObject({ type: 'text' });
    await shows(CHARGE['claude-haiku-4-5'](streamed.usage.input_tokens, streamed.usage.output_tokens));
  });

  it('finds the sum of its calls in every roll-up, and no hold open', async () => {
    await product.settled(customer.tenantId);
    const usage = await customer.billing.usage('month');
    expect(usage).toMatchObject({ total_micros: spent, calls });
    const sumOf = (rows: { total_micros: number }[]) => rows.reduce((sum, row) => sum + row.total_micros, 0);
    expect(usage.providers.map(({ provider }) => provider).sort()).toEqual(['anthropic', 'openai']);
    expect(sumOf(usage.providers)).toBe(spent);
    for (const provider of usage.providers) {
      expect(sumOf(provider.models)).toBe(provider.total_micros);
      for (const { meters, total_micros } of provider.models)
        expect(meters.reduce((sum, { cost_micros }) => sum + cost_micros, 0)).toBe(total_micros);
    }
  });

  it('was served by processes that never died', () => expect(product.deaths()).toEqual([]));
});
