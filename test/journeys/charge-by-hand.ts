/** Disjoint counts of what one call used. */
export interface Tokens {
  input: number;
  cacheRead: number;
  cacheWrite: number;
  output: number;
}

/** Of a model, in thousandths of a micro-USD per token: $0.15 per million tokens is 150. */
export type PriceList = Readonly<Partial<Tokens>>;

/** The public price lists of November 2026, copied by hand; `sandbox`: what `sandboxRates` imports. */
export const LIST_PRICES = {
  'gpt-4o-mini': { input: 150, cacheRead: 75, output: 600 },
  'gpt-4o': { input: 2_500, cacheRead: 1_250, output: 10_000 },
  'text-embedding-3-small': { input: 20 },
  'claude-haiku-4-5': { input: 1_000, cacheRead: 100, cacheWrite: 1_250, output: 5_000 },
  'gemini-2.5-flash': { input: 300, cacheRead: 30, output: 2_500 },
  'gemini-embedding-001': { input: 150 },
  sandbox: { input: 1_070, cacheRead: 130, cacheWrite: 1_310, output: 3_330 },
} as const satisfies Record<string, PriceList>;

/**
 * Micro-USD that a call costs with the default margin of 20 %, rounded once, half to even. Worked out apart from
 * libs/pricing, so that both would have to be wrong in the same way.
 */
export function chargeByHand(tokens: Tokens, prices: PriceList): number {
  const thousandths =
    tokens.input * (prices.input ?? 0) +
    tokens.cacheRead * (prices.cacheRead ?? 0) +
    tokens.cacheWrite * (prices.cacheWrite ?? 0) +
    tokens.output * (prices.output ?? 0);
  return withMargin(thousandths);
}

/**
 * The same of anything that has one price.
 * @param thousandths of a micro-USD that it costs without the margin.
 */
export function withMargin(thousandths: number): number {
  return halfEven(BigInt(thousandths) * 12n, 10_000n);
}

function halfEven(numerator: bigint, denominator: bigint): number {
  const floor = numerator / denominator;
  const twiceRest = 2n * (numerator % denominator);
  const up = twiceRest > denominator || (twiceRest === denominator && floor % 2n === 1n);
  return Number(up ? floor + 1n : floor);
}
