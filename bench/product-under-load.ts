import { type Customer, type ProductUnderTest, productForTests } from '../test/harness/index.js';
import type { CallKind } from './calls.js';

const JSON_MODEL = 'sandbox-bytes600';
const STREAM_MODEL = 'sandbox-chunks100';

/** The whole product, and a customer with enough credit and caps in force. */
export interface ProductUnderLoad {
  product: ProductUnderTest;
  customer: Customer;
  /** A chat answered by 1 KB of JSON, or by an event stream of 100 words in one write. */
  throughGateway: (what: 'json' | 'stream') => CallKind;
  /** The same bytes to the sandbox. */
  direct: (what: 'json' | 'stream') => CallKind;
}

/** Starts the product for `measure` and ends it afterwards, whatever happens. */
export async function withProduct(measure: (under: ProductUnderLoad) => Promise<void>): Promise<void> {
  const product = await productForTests();
  try {
    await measure(await underLoad(product));
  } finally {
    await product.stop();
  }
}

async function underLoad(product: ProductUnderTest): Promise<ProductUnderLoad> {
  const customer = await product.customer({
    creditMicros: 1e12,
    spend_cap_daily: 1e6,
    spend_cap_monthly: 1e6,
  });
  const price = { provider: 'openai', unit_cost_usd: '1', per: '1000000' };
  const models = [JSON_MODEL, STREAM_MODEL];
  await product.admin.importRates(
    models.flatMap((model) => ['input_tokens', 'output_tokens'].map((meter) => ({ ...price, model, meter }))),
  );
  for (const model of models) await product.ratesAreIn('openai', model, customer.key);
  const { gateway, sandbox } = product.urls;
  return {
    product,
    customer,
    throughGateway: (what) => chat(gateway, '/proxy/openai', customer.key, bodyOf(what)),
    // The gateway asks for the usage of a stream, so the direct call does as well.
    direct: (what) =>
      chat(sandbox, '', 'a-key-of-the-sandbox', {
        ...bodyOf(what),
        ...(what === 'stream' ? { stream_options: { include_usage: true } } : {}),
      }),
  };
}

function bodyOf(what: 'json' | 'stream'): object {
  const content = 'A question of usual length, as a bench would ask it. '.repeat(4);
  return {
    model: what === 'json' ? JSON_MODEL : STREAM_MODEL,
    stream: what === 'stream',
    max_tokens: 500,
    messages: [{ role: 'user', content }],
  };
}

function chat(origin: string, prefix: string, key: string, body: object): CallKind {
  return {
    origin,
    path: `${prefix}/v1/chat/completions`,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  };
}
