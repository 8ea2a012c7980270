import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Customer, type ProductUnderTest, productForTests } from '../harness/index.js';

/** A chat without a token limit is held at OpenAI's ceiling. */
const HOLD_MICROS = 1_000_000;
const CREDIT_MICROS = 20 * HOLD_MICROS;
const AT_ONCE = 100;

/** Lasts 2 s, so that no stream of the burst ends before all 100 were decided. */
const SLOW = 'sandbox-chunks20-pace100';
const QUICK = 'sandbox-chunks20';
/**
 * Both say the same 20 words of 119 bytes, and only what they say has a price: 30 tokens at $15,000 per million, with
 * the default margin of 20 %. Half a hold and a little.
 */
const COST_MICROS = (30 * 15_000 * 12) / 10;

describe('credit for exactly 20 streams, and 100 that come at once', () => {
  let product: ProductUnderTest;
  let customer: Customer;
  let statuses: number[];

  beforeAll(async () => {
    product = await productForTests();
    const bystander = await product.customer();
    await product.admin.importRates(
      [SLOW, QUICK].flatMap((model) => [
        rate(model, 'input_tokens', { unit_cost_usd: '0', free: true }),
        rate(model, 'output_tokens', { unit_cost_usd: '15000' }),
      ]),
    );
    customer = await product.customer({ creditMicros: CREDIT_MICROS });
    await product.ratesAreIn('openai', QUICK, bystander.key);
    statuses = await Promise.all(Array.from({ length: AT_ONCE }, () => stream(SLOW)));
    await product.settled(customer.tenantId);
  });

  afterAll(() => product?.stop());

  function rate(model: string, meter: string, price: { unit_cost_usd: string; free?: boolean }) {
    return { provider: 'openai', model, meter, per: '1000000', ...price };
  }

  /** @returns the status, once the whole answer is read. */
  async function stream(model: string): Promise<number> {
    const answer = await fetch(`${product.proxyUrl('openai')}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${customer.key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model, stream: true, messages: [{ role: 'user', content: 'Me first' }] }),
    });
    const text = await answer.text();
    if (answer.ok && !text.endsWith('data: [DONE]\n\n')) throw new Error(`cut off: ${text.slice(-100)}`);
    return answer.status;
  }

  it('are answered 20 times; the other 80 hear that the balance is exhausted', () => {
    expect(statuses.filter((status) => status === 200)).toHaveLength(20);
    expect(statuses.filter((status) => status === 402)).toHaveLength(80);
  });

  it('leave the rest of the credit spendable one by one, to the last call that it covers', async () => {
    let balance = CREDIT_MICROS - 20 * COST_MICROS;
    await shows(balance);
    let answered = 0;
    while ((await stream(QUICK)) === 200) {
      answered += 1;
      balance -= COST_MICROS;
      await product.settled(customer.tenantId);
    }
    await shows(balance);
    // 9.2 holds are left, and a call needs a whole one: 16 calls at 0.54 leave 0.56.
    expect(answered).toBe(16);
    expect(balance).toBeLessThan(HOLD_MICROS);
    expect(await product.admin.openHolds(customer.tenantId)).toEqual([]);
  });

  async function shows(micros: number): Promise<void> {
    await product.waitUntil(
      async () => (await customer.billing.balance()).credits_remaining_micros === micros,
      `a balance of ${micros} micros`,
    );
  }

  it('were served by processes that never died', () => expect(product.deaths()).toEqual([]));
});
