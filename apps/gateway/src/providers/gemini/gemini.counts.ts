import type { Quantity } from '@vendo/pricing';
import { countOf, type Foreign, isObject, nameOf, objectOf } from '../foreign-json.js';
import type { Reading } from '../provider.js';
import { type Counts, quantitiesOf, type ReportedCounts, soundOnes } from '../quantities.js';
import { billedTier, rateKeys } from './gemini.models.js';

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
  /** What was said as a count is one. */
  private isSound = true;
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
    this.reportCounts(countsOf(usage), usage.prompt, isSound(usage));
  }

  reportCounts(counts: ReportedCounts, prompt: number | null, sound: boolean): void {
    this.counts = counts;
    this.isSound = sound;
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
    return this.ended && this.isSound ? 'final' : 'partial';
  }
}

/** What Gemini's kinds of usage objects say, in one form. Null: it was reported as something that is no count. */
interface Usage {
  /** Cached tokens included, results of tools not. */
  prompt: number | null;
  cached: number | null;
  audioIn: number | null;
  cachedAudio: number | null;
  toolUse: number | null;
  /** Without thoughts. */
  output: number | null;
  thoughts: number | null;
  audioOut: number | null;
  imageOut: number | null;
  searches: number | null;
}

/**
 * Disjoint counts that sum to what Google bills: cached tokens are part of the prompt, results of tools are input
 * beside it, thoughts are output. Of the details only sound and pictures are taken, each at most what is left. What is
 * no count of a part takes nothing from its whole.
 */
function countsOf(usage: Usage): ReportedCounts {
  const { prompt, output } = usage;
  const cached = Math.min(usage.cached ?? 0, prompt ?? 0);
  const uncachedAudio = Math.max(0, (usage.audioIn ?? 0) - (usage.cachedAudio ?? 0));
  const audioIn = Math.min(uncachedAudio, (prompt ?? 0) - cached);
  const audioOut = Math.min(usage.audioOut ?? 0, output ?? 0);
  const images = Math.min(usage.imageOut ?? 0, (output ?? 0) - audioOut);
  return {
    input_tokens: prompt === null ? null : prompt - cached - audioIn + (usage.toolUse ?? 0),
    cache_read_tokens: cached,
    output_tokens: output === null ? null : output - audioOut - images + (usage.thoughts ?? 0),
    audio_input_tokens: audioIn,
    audio_output_tokens: audioOut,
    image_tokens: images,
    web_searches: usage.searches,
  };
}

function isSound(usage: Usage): boolean {
  return Object.values(usage).every((count) => count !== null);
}

/** What was embedded, of which nothing is cached, and whether each count of it is one. */
export interface Embedded {
  counts: { input_tokens: number; audio_input_tokens: number; image_input_tokens: number };
  /** Film, which no meter is for: input of a model of its own, so that without a price it is not charged as text. */
  film: readonly Quantity[];
  isSound: boolean;
}

/**
 * Sound, film and pictures cost a multiple of what text does; each is at most what is left.
 * @param model whose film has a price; null: not known.
 */
export function embeddedOf(tokens: number, details: unknown, model: string | null): Embedded {
  const of = (modality: string): number | null => sumOf(details, 'modality', modality);
  const said = { audio: of('audio'), film: of('video'), pictures: of('image') };
  const audio = Math.min(said.audio ?? 0, tokens);
  const film = Math.min(said.film ?? 0, tokens - audio);
  const pictures = Math.min(said.pictures ?? 0, tokens - audio - film);
  return {
    counts: {
      input_tokens: tokens - audio - film - pictures,
      audio_input_tokens: audio,
      image_input_tokens: pictures,
    },
    film: film > 0 ? quantitiesOf({ input_tokens: film }, filmOf(model)) : [],
    isSound: Object.values(said).every((count) => count !== null),
  };
}

function filmOf(model: string | null): { model: string; rateKeys: readonly string[] } {
  if (model === null) return { model: FILM, rateKeys: [FILM] };
  return { model: `${model}/${FILM}`, rateKeys: rateKeys(model).map((key) => `${key}/${FILM}`) };
}

const FILM = 'video';

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

export function usageOf(usage: Foreign, spelling: Spelling, searches: number | null): Usage {
  return {
    prompt: countOf(usage[spelling.prompt]),
    cached: countOrNone(usage[spelling.cached]),
    audioIn: sumOf(usage[spelling.promptDetails], 'modality', 'audio'),
    cachedAudio: sumOf(usage[spelling.cachedDetails], 'modality', 'audio'),
    toolUse: countOrNone(usage[spelling.toolUse]),
    output: countOrNone(usage[spelling.output]),
    thoughts: countOrNone(usage[spelling.thoughts]),
    audioOut: sumOf(usage[spelling.outputDetails], 'modality', 'audio'),
    imageOut: sumOf(usage[spelling.outputDetails], 'modality', 'image'),
    searches,
  };
}

/** Whatever the total has beside prompt and completion are thoughts. */
export function compatibleUsage(usage: Foreign): Usage {
  const details = usage.prompt_tokens_details ?? {};
  const { cached_tokens, audio_tokens } = objectOf(details);
  const prompt = countOf(usage.prompt_tokens);
  const output = countOrNone(usage.completion_tokens);
  const total = countOrNone(usage.total_tokens);
  return {
    prompt,
    cached: isObject(details) ? countOrNone(cached_tokens) : null,
    audioIn: countOrNone(audio_tokens),
    cachedAudio: 0,
    toolUse: 0,
    output,
    thoughts: total === null ? null : Math.max(0, total - (prompt ?? 0) - (output ?? 0)),
    audioOut: 0,
    imageOut: 0,
    searches: 0,
  };
}

/** A count that is zero is left out. */
function countOrNone(value: unknown): number | null {
  return value === undefined || value === null ? 0 : countOf(value);
}

/**
 * The numbers of those details that are of this kind; their sum is a share, for they need not sum to the whole. Null:
 * they are no list of details, or one of them says something odd of what it is, or one of this kind has no count.
 */
export function sumOf(details: unknown, key: string, kind: string): number | null {
  let sum = 0;
  for (const detail of [details ?? []].flat()) {
    const said = isObject(detail) ? kindOf(detail[key] ?? LEFT_OUT[key]) : null;
    if (!isObject(detail) || said === null) return null;
    const count = countOrNone(detail.tokenCount ?? detail.tokens ?? detail.count);
    if (said === kind && count === null) return null;
    if (said === kind) sum += count ?? 0;
  }
  return sum;
}

/** Google's numbers of its modalities, where a client has asked for numbers. */
const MODALITIES = ['unspecified', 'text', 'image', 'video', 'audio', 'document'];
/** What is meant where a detail does not say its kind: Google leaves out what is zero. */
const LEFT_OUT: Foreign = { modality: 0 };

function kindOf(said: unknown): string | null {
  if (typeof said === 'number') return MODALITIES[said] ?? null;
  return nameOf(said)?.toLowerCase() ?? null;
}
