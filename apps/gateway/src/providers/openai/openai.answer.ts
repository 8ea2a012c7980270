import type { Quantity } from '@vendo/pricing';
import { countOf, type Foreign, nameOf, objectOf } from '../foreign-json.js';
import type { Reading } from '../provider.js';
import { type Counts, isSound, quantitiesOf, type ReportedCounts, soundOnes } from '../quantities.js';
import { billedTier } from './openai.models.js';

/** What an answer has said of itself so far; the newest word counts. */
export class Answer {
  failed = false;
  private id: string | null = null;
  private model: string | null = null;
  private tier: string | null = null;
  private quantities: readonly Quantity[] = [];
  private contextTokens = 0;
  private state: Reading['state'] = 'none';
  private sound: Counts = {};
  private others: readonly Quantity[] = [];

  identify(body: Foreign): void {
    this.id = nameOf(body.id) ?? this.id;
    this.model = nameOf(body.model) ?? this.model;
    this.tier = billedTier(nameOf(body.service_tier)) ?? this.tier;
  }

  /**
   * A count that is null was reported as nonsense: it is left out, and the report is not complete.
   * @param others what has a price of its own: other models, other kinds.
   */
  report(counts: ReportedCounts, contextTokens: unknown, others: readonly Quantity[] = []): void {
    this.sound = soundOnes(counts);
    this.others = others;
    this.quantities = [...quantitiesOf(this.sound), ...others];
    this.contextTokens = countOf(contextTokens) ?? 0;
    this.state = isSound(counts) ? 'final' : 'partial';
  }

  reading(): Reading {
    const { id: upstreamId, model, tier, quantities, contextTokens, state, failed } = this;
    return { upstreamId, model, tier, quantities, contextTokens, state, failed };
  }

  /** What was reported, and `floor` for what was not. */
  counted(floor: Counts): Reading {
    const reading = this.reading();
    if (reading.state === 'final') return reading;
    return {
      ...reading,
      quantities: [...quantitiesOf({ ...floor, ...this.sound }), ...this.others],
      contextTokens: reading.contextTokens || (floor.input_tokens ?? 0),
    };
  }

  /** The reading of an answer in which OpenAI reports nothing: `estimate`, unless it reported or failed after all. */
  estimated(estimate: Counts): Reading {
    const reading = this.reading();
    if (reading.state !== 'none' || this.failed) return reading;
    const quantities = quantitiesOf(estimate);
    return { ...reading, quantities, state: quantities.length > 0 ? 'partial' : 'none' };
  }
}

/** The spellings of one usage object. */
export interface Spelling {
  input: string;
  inputDetails: string;
  output: string;
  outputDetails: string;
}
export const CHAT: Spelling = {
  input: 'prompt_tokens',
  inputDetails: 'prompt_tokens_details',
  output: 'completion_tokens',
  outputDetails: 'completion_tokens_details',
};
export const RESPONSES: Spelling = {
  input: 'input_tokens',
  inputDetails: 'input_tokens_details',
  output: 'output_tokens',
  outputDetails: 'output_tokens_details',
};

/**
 * Disjoint counts that sum to what OpenAI bills: cached, written and audio tokens are subsets of the prompt, audio is
 * one of the output, reasoning stays in the output. Each subset takes at most what the ones before it left, so that
 * overlaps (cached audio) are not billed twice.
 */
export function promptCounts(usage: Foreign, spelling: Spelling): Record<string, number | null> {
  const input = countOf(usage[spelling.input]);
  const output = countOf(usage[spelling.output]);
  const inputDetails = objectOf(usage[spelling.inputDetails]);
  const outputDetails = objectOf(usage[spelling.outputDetails]);
  const prompt = shares(input, [
    inputDetails.cached_tokens,
    inputDetails.cache_write_tokens,
    inputDetails.audio_tokens,
  ]);
  const completion = shares(output, [outputDetails.audio_tokens]);
  return {
    input_tokens: prompt.rest,
    cache_read_tokens: prompt.taken[0] ?? 0,
    cache_write_tokens: prompt.taken[1] ?? 0,
    output_tokens: completion.rest,
    audio_input_tokens: prompt.taken[2] ?? 0,
    audio_output_tokens: completion.taken[0] ?? 0,
  };
}

/** Takes reported subsets out of a whole, in their order. Without a sound whole there is nothing to take from. */
export function shares(
  whole: number | null,
  subsets: readonly unknown[],
): { rest: number | null; taken: number[] } {
  let rest = whole ?? 0;
  const taken = subsets.map((subset) => {
    const share = Math.min(countOf(subset) ?? 0, rest);
    rest -= share;
    return share;
  });
  return { rest: whole === null ? null : rest, taken };
}

/**
 * Tokens of an image model, text and images apart on both sides. Cached tokens come out of their own kind; where the
 * output has no details, as with the first of these models, all of it is image.
 */
export function imageCounts(usage: Foreign): ReportedCounts {
  const input = countOf(usage.input_tokens);
  const output = countOf(usage.output_tokens);
  const put = objectOf(usage.input_tokens_details);
  const made = objectOf(usage.output_tokens_details);
  const cached = countOf(usage.cached_tokens) ?? countOf(put.cached_tokens) ?? 0;
  const cachedImages = countOf(objectOf(usage.cached_tokens_details).image_tokens) ?? 0;
  const prompt = shares(input, [cached, Math.max((countOf(put.image_tokens) ?? 0) - cachedImages, 0)]);
  const madeOfText = Math.min(countOf(made.text_tokens) ?? 0, output ?? 0);
  const images = shares(output, [countOf(made.image_tokens) ?? (output ?? 0) - madeOfText]);
  return {
    input_tokens: prompt.rest,
    cache_read_tokens: prompt.taken[0] ?? 0,
    output_tokens: images.rest,
    image_input_tokens: prompt.taken[1] ?? 0,
    image_tokens: images.taken[0] ?? 0,
  };
}
