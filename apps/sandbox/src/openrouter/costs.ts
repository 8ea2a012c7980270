import type { Behaviour } from '../directives.js';
import { Kept } from '../kept.js';
import type { Json } from '../wire.js';

/** What every model of the sandbox costs, in 1e-8 USD per token; exact while it is whole. */
const PRICES = { input: 100, cacheRead: 10, cacheWrite: 125, output: 300 };
const WEB_SEARCH = 1_000_000;
const UNITS_PER_USD = 100_000_000;
const UNITS_PER_MICRO = 100;

/** The same prices as the feed tells them, USD. */
export const PRICING: Json = {
  prompt: '0.000001',
  completion: '0.000003',
  web_search: '0.01',
  input_cache_read: '0.0000001',
  input_cache_write: '0.00000125',
};

/** What a call consumed; cached and written tokens are part of the prompt. */
export interface Consumed {
  prompt: number;
  cached: number;
  written: number;
  completion: number;
  searches: number;
}

/** Cost fields of a usage object, USD. */
export interface Costs {
  cost: number;
  is_byok: boolean;
  cost_details: Json;
}

/** With a key of one's own the account is not charged, though the provider is. */
export function costsOf(consumed: Consumed, { cost, byok }: Behaviour): Costs {
  const { prompt, cached, written, completion, searches } = consumed;
  const input =
    (prompt - cached - written) * PRICES.input + cached * PRICES.cacheRead + written * PRICES.cacheWrite;
  const output = completion * PRICES.output;
  const computed = input + output + searches * WEB_SEARCH;
  const total = (cost === null ? computed : cost * UNITS_PER_MICRO) / UNITS_PER_USD;
  return {
    cost: byok ? 0 : total,
    is_byok: byok,
    cost_details: {
      upstream_inference_cost: total,
      upstream_inference_prompt_cost: input / UNITS_PER_USD,
      upstream_inference_completions_cost: output / UNITS_PER_USD,
    },
  };
}

/** What can be asked for after the fact, by generation. */
export const GENERATIONS = new Kept<Json>(10_000);
