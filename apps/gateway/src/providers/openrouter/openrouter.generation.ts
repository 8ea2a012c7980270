import type { Quantity } from '@vendo/pricing';
import { exactNumber } from '../exact-number.js';
import { countOf, nameOf, objectOf } from '../foreign-json.js';
import type { JobReport, StartedJob } from '../provider.js';
import { type Counts, decimalOf, quantitiesOf } from '../quantities.js';

const COST = ['data', 'total_cost'] as const;
const NO_SOURCE = Buffer.alloc(0);

export function generationPath(id: string): string {
  return `/api/v1/generation?id=${encodeURIComponent(id)}`;
}

/** What a generation cost, as OpenRouter tells it afterwards; until then it answers 404. A zero is real. */
export function readGeneration(json: unknown, { upstream_id }: StartedJob, source = NO_SOURCE): JobReport {
  const data = objectOf(objectOf(json).data);
  const said = data.total_cost;
  const usd = typeof said === 'number' ? decimalOf(said) : null;
  if (data.id !== upstream_id || typeof said !== 'number' || usd === null) return { state: 'running' };
  const cost: Quantity = {
    meter: 'usd',
    quantity: exactNumber(source.toString('latin1'), COST, said) ?? usd,
  };
  const prompt = countOf(data.native_tokens_prompt) ?? countOf(data.tokens_prompt) ?? 0;
  const cached = Math.min(countOf(data.native_tokens_cached) ?? 0, prompt);
  const counts: Counts = {
    input_tokens: prompt - cached,
    cache_read_tokens: cached,
    output_tokens: countOf(data.native_tokens_completion) ?? countOf(data.tokens_completion) ?? 0,
  };
  return {
    state: 'done',
    reading: {
      model: nameOf(data.model),
      tier: null,
      quantities: [...quantitiesOf(counts, { included: true }), cost],
      contextTokens: prompt,
      state: 'final',
      failed: false,
      upstreamId: upstream_id,
    },
  };
}
