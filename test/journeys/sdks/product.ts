import Anthropic from '@anthropic-ai/sdk';
import { expect } from '@jest/globals';
import OpenAI from 'openai';
import type { RateRow, UsageEventRow } from '../../harness/admin-client.js';
import {
  type Customer,
  type ProductOptions,
  type ProductUnderTest,
  productForTests,
} from '../../harness/index.js';
import { chargeByHand, LIST_PRICES, type PriceList, type Tokens } from '../charge-by-hand.js';

const CREDIT_MICROS = 25_000_000;

/** A customer of one test, with both SDKs as npm has them, given a base URL and a key and nothing else. */
export interface SdkUser extends Customer {
  openai: OpenAI;
  anthropic: Anthropic;
}

export interface Charge {
  tokens: Tokens;
  prices: PriceList;
  outcome?: string;
  evidence?: string;
}

/** The same of any meters. */
export interface Bill {
  /** By meter; a quantity of 0 has no line. */
  quantities: Readonly<Record<string, number>>;
  micros: number;
  outcome?: string;
  evidence?: string;
}

/** The product, and the two questions that every journey of an SDK asks of it. */
export interface SdkProduct extends ProductUnderTest {
  /** @param providers that the app is bound to beside OpenAI and Anthropic, on the managed pool. */
  sdkUser(...providers: string[]): Promise<SdkUser>;
  /** The same SDKs pointed straight at the sandbox: what the provider itself says. */
  direct: Pick<SdkUser, 'openai' | 'anthropic'>;
  /**
   * The user's one call is one usage event with exactly these tokens and the charge worked out by hand, and event,
   * roll-up and balance say the same; no hold is left.
   */
  expectOneCharge(user: Customer, charge: Charge): Promise<UsageEventRow>;
  /** The same, in any meters. */
  expectOneBill(user: Customer, bill: Bill): Promise<UsageEventRow>;
  /** Whatever the user did so far left no usage event, no hold and no charge; makes one call that does. */
  expectNoCharge(user: SdkUser): Promise<void>;
  /** Calls that the gateway answered with this class of status so far, e.g. `4xx`. */
  callsAnswered(statusClass: string): Promise<number>;
}

/** The product that all stories share; it is there when they run, not yet when they are declared. */
export type Given = () => SdkProduct;

/**
 * @param models of the sandbox that get a price (`LIST_PRICES.sandbox`) at the providers of chats.
 * @param more prices, of what is not billed by tokens.
 */
export async function productForSdks(
  models: readonly string[],
  more: readonly RateRow[] = [],
  options: ProductOptions = {},
): Promise<SdkProduct> {
  const product = await productForTests(options);
  await product.admin.importRates([...more, ...models.flatMap(sandboxRates)]);
  const lastModel = models.at(-1);
  const first = await product.customer();
  if (lastModel !== undefined) await product.ratesAreIn('anthropic', lastModel, first.key);
  return {
    ...product,
    direct: clients(product.urls.sandbox, product.urls.sandbox, 'sk-direct'),
    async sdkUser(...providers) {
      const customer = await product.customer({ creditMicros: CREDIT_MICROS });
      for (const provider of providers) await product.admin.bind(customer.appId, provider);
      return {
        ...customer,
        ...clients(product.proxyUrl('openai'), product.proxyUrl('anthropic'), customer.key),
      };
    },
    expectOneCharge: (user, charge) => expectOneBill(product, user, billOf(charge)),
    expectOneBill: (user, bill) => expectOneBill(product, user, bill),
    expectNoCharge: (user) => expectNoCharge(product, user),
    callsAnswered: (statusClass) => callsAnswered(product.urls.gateway, statusClass),
  };
}

function clients(openaiUrl: string, anthropicUrl: string, apiKey: string) {
  return {
    openai: new OpenAI({ baseURL: `${openaiUrl}/v1`, apiKey }),
    anthropic: new Anthropic({ baseURL: anthropicUrl, apiKey }),
  };
}

function sandboxRates(model: string) {
  const rate = (provider: string, meter: string, unit_cost_usd: string) => ({
    provider,
    model,
    meter,
    unit_cost_usd,
    per: '1000000',
  });
  return ['openai', 'anthropic', 'gemini'].flatMap((provider) => [
    rate(provider, 'input_tokens', '1.07'),
    rate(provider, 'cache_read_tokens', '0.13'),
    rate(provider, 'cache_write_tokens', '1.31'),
    rate(provider, 'output_tokens', '3.33'),
  ]);
}

function billOf({ tokens, prices, ...rest }: Charge): Bill {
  const { input, cacheRead, cacheWrite, output } = tokens;
  return {
    quantities: {
      input_tokens: input,
      cache_read_tokens: cacheRead,
      cache_write_tokens: cacheWrite,
      output_tokens: output,
    },
    micros: chargeByHand(tokens, prices),
    ...rest,
  };
}

async function expectOneBill(
  product: ProductUnderTest,
  user: Customer,
  { quantities, micros, outcome = 'completed', evidence = 'exact' }: Bill,
): Promise<UsageEventRow> {
  const event = await product.waitUntil(
    async () => (await product.admin.usageEvents(user.tenantId))[0],
    'the usage event',
  );
  expect({ outcome: event.outcome, evidence: event.evidence }).toEqual({ outcome, evidence });
  expect(quantitiesOf(event)).toEqual(withoutZeros(quantities));
  expect(event.cost_micros).toBe(micros);
  await product.settled(user.tenantId);
  await product.waitUntil(
    async () => (await user.billing.balance()).credits_remaining_micros === CREDIT_MICROS - micros,
    `a balance of ${CREDIT_MICROS - micros} micros`,
  );
  expect(await user.billing.usage('day')).toMatchObject({ total_micros: micros, calls: 1 });
  expect(await product.admin.usageEvents(user.tenantId)).toHaveLength(1);
  return event;
}

/** One more call, which must be the first and only one that counts: events of a tenant keep their order. */
async function expectNoCharge(product: ProductUnderTest, user: SdkUser): Promise<void> {
  const { usage } = await user.openai.chat.completions.create({
    model: 'gpt-4o-mini',
    messages: [{ role: 'user', content: 'What did the calls before this one cost?' }],
  });
  const charge = { tokens: chatTokens(usage), prices: LIST_PRICES['gpt-4o-mini'] };
  await expectOneBill(product, user, billOf(charge));
}

/** All pieces of a stream, read to its end. */
export async function allOf<Piece>(stream: AsyncIterable<Piece>): Promise<Piece[]> {
  const pieces: Piece[] = [];
  for await (const piece of stream) pieces.push(piece);
  return pieces;
}

/** What the SDK parsed, in our disjoint counts: OpenAI's prompt includes what was cached. */
export function chatTokens(usage: OpenAI.CompletionUsage | null | undefined): Tokens {
  if (!usage) throw new Error('the SDK parsed no usage');
  const { cached_tokens = 0 } = usage.prompt_tokens_details ?? {};
  return {
    input: usage.prompt_tokens - cached_tokens,
    cacheRead: cached_tokens,
    cacheWrite: 0,
    output: usage.completion_tokens,
  };
}

export function responseTokens(usage: OpenAI.Responses.ResponseUsage | null | undefined): Tokens {
  if (!usage) throw new Error('the SDK parsed no usage');
  const { cached_tokens } = usage.input_tokens_details;
  return {
    input: usage.input_tokens - cached_tokens,
    cacheRead: cached_tokens,
    cacheWrite: 0,
    output: usage.output_tokens,
  };
}

/** Anthropic's counts are disjoint as they come. */
export function messageTokens(usage: Anthropic.Usage): Tokens {
  return {
    input: usage.input_tokens,
    cacheRead: usage.cache_read_input_tokens ?? 0,
    cacheWrite: usage.cache_creation_input_tokens ?? 0,
    output: usage.output_tokens,
  };
}

/** What an event was measured at, by meter. */
function quantitiesOf({ lines }: UsageEventRow): Record<string, number> {
  const quantities: Record<string, number> = {};
  for (const { meter, quantity } of lines) quantities[meter] = (quantities[meter] ?? 0) + Number(quantity);
  return withoutZeros(quantities);
}

function withoutZeros(quantities: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(quantities).filter(([, quantity]) => quantity !== 0));
}

async function callsAnswered(gatewayUrl: string, statusClass: string): Promise<number> {
  const text = await (await fetch(`${gatewayUrl}/metrics`)).text();
  return text
    .split('\n')
    .filter((line) => line.startsWith('vendo_proxy_calls_total{') && line.includes(`"${statusClass}"`))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}
