import type { Behaviour } from '../directives.js';
import type { Json } from '../wire.js';

const ADVISOR_MODEL = 'claude-opus-5';
const SIDE_OUTPUT_TOKENS = 100;

/**
 * `iterations` of a usage object, where the model name asks for a compaction or an advisor: what these cost is in no
 * other number of the answer. The iteration of the message itself repeats the numbers around it.
 */
export function iterationsOf({ compaction, advisor }: Behaviour, usage: Json): Json {
  if (compaction === null && advisor === null) return {};
  const counted = (
    type: string,
    input_tokens: unknown,
    output_tokens: unknown,
    cached: Json = usage,
  ): Json => ({
    type,
    input_tokens,
    output_tokens,
    cache_read_input_tokens: cached.cache_read_input_tokens ?? 0,
    cache_creation_input_tokens: cached.cache_creation_input_tokens ?? 0,
    cache_creation: cached.cache_creation ?? { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
  });
  return {
    iterations: [
      ...(compaction === null ? [] : [counted('compaction', compaction, SIDE_OUTPUT_TOKENS, {})]),
      ...(advisor === null
        ? []
        : [{ ...counted('advisor_message', advisor, SIDE_OUTPUT_TOKENS, {}), model: ADVISOR_MODEL }]),
      counted('message', usage.input_tokens, usage.output_tokens),
    ],
  };
}
