import type { RateRow } from './admin-client.js';

/** Models of the sandbox whose streams last; the name says how (apps/sandbox/README.md). */
export const STREAM_MODELS = {
  /** Few events, because each of 50 streams at once costs work that no journey asks for. */
  halfASecond: 'sandbox-chunks6-pace100',
  twoSeconds: 'sandbox-chunks8-pace250',
  twelveSeconds: 'sandbox-chunks24-pace500',
  /** Five seconds at either side of `ProductUnderTest.releaseStreams`. */
  untilReleased: 'sandbox-chunks40-pace250-held',
  /** As that, forty. */
  untilReleasedLate: 'sandbox-chunks160-pace500-held',
} as const;

/** USD per million tokens: prices at which no two of these streams cost the same by accident. */
export const STREAM_RATES: RateRow[] = ['openai', 'anthropic'].flatMap((provider) =>
  Object.values(STREAM_MODELS).flatMap((model) => [
    { provider, model, meter: 'input_tokens', unit_cost_usd: '1.37', per: '1000000' },
    { provider, model, meter: 'output_tokens', unit_cost_usd: '3.11', per: '1000000' },
  ]),
);
