import type { Quantity } from '@vendo/pricing';
import { countOf, type Foreign, isObject, nameOf, objectOf } from '../foreign-json.js';
import type { Reading } from '../provider.js';
import { type Counts, isSound, quantitiesOf, type ReportedCounts, soundOnes } from '../quantities.js';
import { billedTier } from './openai.models.js';

/** What has a price of its own beside the usage: other models, other kinds. */
export interface Others {
  quantities: readonly Quantity[];
  /** Nothing of it was reported as nonsense. */
  isSound: boolean;
}
export const NO_OTHERS: Others = { quantities: [], isSound: true };

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
   */
  report(counts: ReportedCounts, contextTokens: unknown, others: Others = NO_OTHERS): void {
    this.sound = soundOnes(counts);
    this.others = others.quantities;
    this.quantities = [...quantitiesOf(this.sound), ...this.others];
    this.contextTokens = countOf(contextTokens) ?? 0;
    this.state = isSound(counts) && others.isSound ? 'final' : 'partial';
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
  const prompt = new Whole(countOf(usage[spelling.input]));
  const put = usage[spelling.inputDetails];
  const cached = prompt.take(shareIn(put, 'cached_tokens'));
  const written = prompt.take(shareIn(put, 'cache_write_tokens'));
  const heard = prompt.take(shareIn(put, 'audio_tokens'));
  const completion = new Whole(countOf(usage[spelling.output]));
  const spoken = completion.take(shareIn(usage[spelling.outputDetails], 'audio_tokens'));
  return {
    input_tokens: prompt.rest,
    cache_read_tokens: cached,
    cache_write_tokens: written,
    output_tokens: completion.rest,
    audio_input_tokens: heard,
    audio_output_tokens: spoken,
  };
}

/** A part of a whole as usage tells it: none where nothing is said of it; null: it was reported as nonsense. */
function shareOf(value: unknown): number | null {
  return isAbsent(value) ? 0 : countOf(value);
}

/** The same, of details that may be absent or nonsense themselves. */
export function shareIn(details: unknown, name: string): number | null {
  if (isAbsent(details)) return 0;
  return isObject(details) ? shareOf(details[name]) : null;
}

export function isAbsent(value: unknown): value is null | undefined {
  return value === null || value === undefined;
}

/** A count of which subsets are taken out, in turn; null: it was reported as nonsense, and there is nothing to take from. */
class Whole {
  private left: number;

  constructor(private readonly said: number | null) {
    this.left = said ?? 0;
  }

  get rest(): number | null {
    return this.said === null ? null : this.left;
  }

  /** At most what is left; null, which was reported as nonsense, takes nothing. */
  take(subset: number | null): number | null {
    if (subset === null) return null;
    const taken = Math.min(subset, this.left);
    this.left -= taken;
    return taken;
  }
}

/**
 * Tokens of an image model, text and images apart on both sides. Cached tokens come out of their own kind; where the
 * output has no details, as with the first of these models, all of it is image.
 */
export function imageCounts(usage: Foreign): Record<string, number | null> {
  const prompt = new Whole(countOf(usage.input_tokens));
  const output = countOf(usage.output_tokens);
  const put = usage.input_tokens_details;
  const made = objectOf(usage.output_tokens_details);
  const cached = isAbsent(usage.cached_tokens) ? shareIn(put, 'cached_tokens') : countOf(usage.cached_tokens);
  const shown = shareIn(put, 'image_tokens');
  const shownCached = shareIn(usage.cached_tokens_details, 'image_tokens');
  const shownAnew = shown === null || shownCached === null ? null : Math.max(shown - shownCached, 0);
  const fromCache = prompt.take(cached);
  const pictures = prompt.take(shownAnew);
  const written = shareIn(usage.output_tokens_details, 'text_tokens');
  const unwritten = written === null ? null : Math.max((output ?? 0) - written, 0);
  const drawn = isAbsent(made.image_tokens) ? unwritten : countOf(made.image_tokens);
  // Where nonsense is all that tells text from images, all of it is image and what is text is not known.
  const completion = new Whole(output);
  const images = completion.take(drawn ?? unwritten ?? output ?? 0);
  return {
    input_tokens: prompt.rest,
    cache_read_tokens: fromCache,
    output_tokens: drawn === null ? null : completion.rest,
    image_input_tokens: pictures,
    image_tokens: images,
  };
}
