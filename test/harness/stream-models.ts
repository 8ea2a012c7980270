import type { RateRow } from './admin-client.js';

/** Models of the sandbox whose streams last; the name says how (apps/sandbox/README.md). */
export const STREAM_MODELS = {
  /** 20 events, 30 ms apart. */
  halfASecond: 'sandbox-chunks20-pace30',
  twoSeconds: 'sandbox-chunks40-pace50',
  twelveSeconds: 'sandbox-chunks120-pace100',
  twentySeconds: 'sandbox-chunks200-pace100',
  twoMinutes: 'sandbox-chunks600-pace200',
} as const;

/** USD per million tokens: prices at which no two of these streams cost the same by accident. */
export const STREAM_RATES: RateRow[] = ['openai', 'anthropic'].flatMap((provider) =>
  Object.values(STREAM_MODELS).flatMap((model) => [
    { provider, model, meter: 'input_tokens', unit_cost_usd: '1.37', per: '1000000' },
    { provider, model, meter: 'output_tokens', unit_cost_usd: '3.11', per: '1000000' },
  ]),
);
