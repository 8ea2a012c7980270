import { countOf, type Foreign, listOf, nameOf, objectOf } from '../foreign-json.js';
import type { Reading } from '../provider.js';
import { type Counts, isSound, quantitiesOf, type ReportedCounts, soundOnes } from '../quantities.js';
import { billedTier } from './gemini.models.js';

/** Header names are lower case. */
export type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** What an answer has said of itself so far; the newest word counts, for it is of the whole answer. */
export class Answer {
  failed = false;
  /** The provider has said why it stopped, or the answer is whole. */
  ended = false;
  /** More may come behind what says that the model stopped. */
  openEnded = false;
  model: string | null = null;
  private id: string | null = null;
  private tier: string | null = null;
  private counts: ReportedCounts | null = null;
  private contextTokens = 0;

  identify(id: unknown, model: unknown): void {
    this.id = nameOf(id) ?? this.id;
    this.model = nameOf(model) ?? this.model;
  }

  readHead(headers: Headers): void {
    this.readTier(headers['x-gemini-service-tier']);
  }

  readTier(tier: unknown): void {
    this.tier = billedTier(nameOf(tier)) ?? this.tier;
  }

  report(usage: Usage): void {
    this.reportCounts(countsOf(usage), usage.prompt);
  }

  reportCounts(counts: ReportedCounts, prompt: number | null): void {
    this.counts = counts;
    this.contextTokens = prompt ?? 0;
  }

  reading(): Reading {
    const { id: upstreamId, model, tier, counts, contextTokens, failed, openEnded } = this;
    const quantities = quantitiesOf(soundOnes(counts ?? {}));
    return { upstreamId, model, tier, quantities, contextTokens, state: this.state(), openEnded, failed };
  }

  /** What was reported, and `floor` where that says less or nothing. */
  counted(floor: Counts): Reading {
    const reading = this.reading();
    if (reading.state === 'final' && !this.openEnded) return reading;
    const counts = { ...floor, ...soundOnes(this.counts ?? {}) };
    const output = Math.max(counts.output_tokens ?? 0, floor.output_tokens ?? 0);
    return {
      ...reading,
      quantities: quantitiesOf(
        floor.output_tokens === undefined ? counts : { ...counts, output_tokens: output },
      ),
      contextTokens: reading.contextTokens || (floor.input_tokens ?? 0),
    };
  }

  private state(): Reading['state'] {
    if (this.counts === null) return 'none';
    return this.ended && isSound(this.counts) ? 'final' : 'partial';
  }
}

/** What Gemini's kinds of usage objects say, in one form. Null: it was reported as something that is no count. */
interface Usage {
  /** Cached tokens included, results of tools not. */
  prompt: number | null;
  cached: number;
  audioIn: number;
  cachedAudio: number;
  toolUse: number;
  /** Without thoughts. */
  output: number | null;
  thoughts: number | null;
  audioOut: number;
  imageOut: number;
  searches: number;
}

/**
 * Disjoint counts that sum to what Google bills: cached tokens are part of the prompt, results of tools are input
 * beside it, thoughts are output. Of the details only sound and pictures are taken, each at most what is left.
 */
function countsOf(usage: Usage): ReportedCounts {
  const { prompt, toolUse, output, thoughts } = usage;
  const cached = Math.min(usage.cached, prompt ?? 0);
  const audioIn = Math.min(Math.max(0, usage.audioIn - usage.cachedAudio), (prompt ?? 0) - cached);
  const audioOut = Math.min(usage.audioOut, output ?? 0);
  const images = Math.min(usage.imageOut, (output ?? 0) - audioOut);
  return {
    input_tokens: prompt === null ? null : prompt - cached - audioIn + toolUse,
    cache_read_tokens: cached,
    output_tokens: output === null || thoughts === null ? null : output - audioOut - images + thoughts,
    audio_input_tokens: audioIn,
    audio_output_tokens: audioOut,
    image_tokens: images,
    web_searches: usage.searches,
  };
}

/** The names of one kind of usage object. */
interface Spelling {
  prompt: string;
  promptDetails: string;
  cached: string;
  cachedDetails: string;
  toolUse: string;
  output: string;
  outputDetails: string;
  thoughts: string;
}
export const NATIVE: Spelling = {
  prompt: 'promptTokenCount',
  promptDetails: 'promptTokensDetails',
  cached: 'cachedContentTokenCount',
  cachedDetails: 'cacheTokensDetails',
  toolUse: 'toolUsePromptTokenCount',
  output: 'candidatesTokenCount',
  outputDetails: 'candidatesTokensDetails',
  thoughts: 'thoughtsTokenCount',
};
export const INTERACTION: Spelling = {
  prompt: 'total_input_tokens',
  promptDetails: 'input_tokens_by_modality',
  cached: 'total_cached_tokens',
  cachedDetails: 'cached_tokens_by_modality',
  toolUse: 'total_tool_use_tokens',
  output: 'total_output_tokens',
  outputDetails: 'output_tokens_by_modality',
  thoughts: 'total_thought_tokens',
};

export function usageOf(usage: Foreign, spelling: Spelling, searches: number): Usage {
  return {
    prompt: countOf(usage[spelling.prompt]),
    cached: countOf(usage[spelling.cached]) ?? 0,
    audioIn: sumOf(usage[spelling.promptDetails], 'modality', 'audio'),
    cachedAudio: sumOf(usage[spelling.cachedDetails], 'modality', 'audio'),
    toolUse: countOf(usage[spelling.toolUse]) ?? 0,
    output: countOrNone(usage[spelling.output]),
    thoughts: countOrNone(usage[spelling.thoughts]),
    audioOut: sumOf(usage[spelling.outputDetails], 'modality', 'audio'),
    imageOut: sumOf(usage[spelling.outputDetails], 'modality', 'image'),
    searches,
  };
}

/** Whatever the total has beside prompt and completion are thoughts. */
export function compatibleUsage(usage: Foreign): Usage {
  const { cached_tokens, audio_tokens } = objectOf(usage.prompt_tokens_details);
  const prompt = countOf(usage.prompt_tokens);
  const output = countOrNone(usage.completion_tokens);
  return {
    prompt,
    cached: countOf(cached_tokens) ?? 0,
    audioIn: countOf(audio_tokens) ?? 0,
    cachedAudio: 0,
    toolUse: 0,
    output,
    thoughts: Math.max(0, (countOf(usage.total_tokens) ?? 0) - (prompt ?? 0) - (output ?? 0)),
    audioOut: 0,
    imageOut: 0,
    searches: 0,
  };
}

/** A count that is zero is left out. */
function countOrNone(value: unknown): number | null {
  return value === undefined || value === null ? 0 : countOf(value);
}

/** The numbers of those details that are of this kind; their sum is a share, for they need not sum to the whole. */
export function sumOf(details: unknown, key: string, kind: string): number {
  return listOf(details)
    .map(objectOf)
    .filter((detail) => String(detail[key]).toLowerCase() === kind)
    .reduce((sum, { tokenCount, tokens, count }) => sum + (countOf(tokenCount ?? tokens ?? count) ?? 0), 0);
}
