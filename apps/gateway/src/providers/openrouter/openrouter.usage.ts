import { Rational } from '@vendo/money';
import type { Quantity } from '@vendo/pricing';
import { exactNumber } from '../exact-number.js';
import { countOf, type Foreign, isObject, listOf, nameOf, objectOf, parseObject } from '../foreign-json.js';
import type { EventVerdict, Headers, Reading, SseEvent, UsageMeter } from '../provider.js';
import { type Counts, isSound, quantitiesOf, type ReportedCounts, soundOnes } from '../quantities.js';
import { CHAT_SIGNS, type Signs } from '../signs.js';
import { OutputFloor } from '../token-floor.js';
import { PASS, TERMINAL } from '../verdicts.js';
import { rateKeys } from './openrouter.models.js';

/** The text of an answer or an event, as it was written. */
type Source = () => string;

const NO_SOURCE = Buffer.alloc(0);

/** Names of the JSON strings that are output. */
export interface OutputFields {
  inEvents: readonly string[];
  inBody: readonly string[];
}

/** What of a usage object can be billed; null: not said, or no count. */
interface Report {
  counts: ReportedCounts;
  prompt: number;
  cost: Rational | null;
  /** A cost was said that is none. */
  isCostOdd: boolean;
}

/**
 * Every route of OpenRouter reports alike: `usage`, in one of OpenAI's two spellings, with what the call cost. The cost
 * decides; it has what no token count shows (searches, plugins, models that worked for the model, a key of one's own).
 * Only an answer without a cost, as older ones are, is priced by its tokens.
 */
export class CostMeter implements UsageMeter {
  private id: string | null = null;
  private model: string | null = null;
  private failed = false;
  private begun = false;
  private report: Report | null = null;
  output: OutputFloor;

  /**
   * @param asked the request's model, whose prices hold where the answer's has none.
   * @param inputFloor the fewest tokens that the request can be.
   */
  constructor(
    private readonly asked: string,
    private readonly fields: OutputFields,
    private readonly inputFloor: () => number,
  ) {
    this.output = new OutputFloor(fields.inEvents);
  }

  /** The head names the answer before its first chunk does, which may be long in coming. */
  onHead(headers: Headers): void {
    this.id = nameOf(headers['x-generation-id']);
  }

  /** The first chunk names the answer; after it most say nothing of usage. */
  get signs(): Signs | null {
    return this.begun ? CHAT_SIGNS : null;
  }

  /** `[DONE]` ends every stream, also those of responses. */
  onEvent({ data }: SseEvent): EventVerdict {
    if (data.trim() === '[DONE]') return TERMINAL;
    const chunk = parseObject(data);
    if (!chunk) return PASS;
    this.begun = true;
    if (chunk.type === 'error') this.failed = true;
    const source = (): string => data;
    if (isObject(chunk.response)) this.read(chunk.response, source, ['response', 'usage', 'cost']);
    else this.read(chunk, source, ['usage', 'cost']);
    return PASS;
  }

  onBody(json: unknown, source = NO_SOURCE): void {
    this.read(objectOf(json), () => source.toString('latin1'), ['usage', 'cost']);
  }

  onTornBody(text: string): void {
    this.output = new OutputFloor(this.fields.inBody);
    this.output.takeBody(text);
  }

  reading(): Reading {
    const { id: upstreamId, model, failed, report } = this;
    return {
      upstreamId,
      model,
      // The cost has the tier in it already.
      tier: null,
      quantities: report ? this.quantities(report) : [],
      contextTokens: report?.prompt ?? 0,
      state: report === null ? 'none' : isFinal(report) ? 'final' : 'partial',
      failed,
    };
  }

  counted(): Reading {
    const { report } = this;
    const reading = this.reading();
    if (reading.state === 'final') return reading;
    const floor = { input_tokens: this.inputFloor(), output_tokens: this.output.tokens };
    return {
      ...reading,
      quantities: this.byTokens({ ...floor, ...soundOnes(report?.counts ?? {}) }),
      contextTokens: report?.prompt || floor.input_tokens,
    };
  }

  private read(body: Foreign, source: Source, path: readonly string[]): void {
    this.id = nameOf(body.id) ?? this.id;
    this.model = nameOf(body.model) ?? this.model;
    if (isObject(body.error) || body.status === 'failed' || listOf(body.choices).some(isFailed))
      this.failed = true;
    if (!isObject(body.usage)) return;
    const { counts, prompt } = countsOf(body.usage);
    const said = body.usage.cost ?? null;
    const cost = isAmount(said) ? (exactNumber(source(), path, said) ?? Rational.parse(String(said))) : null;
    // A later report that does not speak of the cost takes nothing back.
    const known = said === null ? this.report?.cost : null;
    this.report = { counts, prompt, cost: cost ?? known ?? null, isCostOdd: said !== null && cost === null };
  }

  private quantities({ counts, cost }: Report): Quantity[] {
    if (cost === null) return this.byTokens(soundOnes(counts));
    return [...quantitiesOf(soundOnes(counts), { included: true }), { meter: 'usd', quantity: cost }];
  }

  /** Only where no cost is named. */
  private byTokens(counts: Counts): Quantity[] {
    return quantitiesOf(counts, {
      rateKeys: [...(this.model === null ? [] : rateKeys(this.model)), ...rateKeys(this.asked)],
    });
  }
}

/** A cost alone is complete: the counts beside it charge nothing. */
function isFinal({ counts, cost, isCostOdd }: Report): boolean {
  return cost !== null || (!isCostOdd && isSound(counts));
}

/** A zero is real: models that are free, keys of one's own. */
function isAmount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function isFailed(choice: unknown): boolean {
  const { error, finish_reason } = objectOf(choice);
  return isObject(error) || finish_reason === 'error';
}

/**
 * Disjoint counts that sum to prompt and completion. Cached and written tokens may be the same ones, where a cache is
 * filled and read in one call; such are told as read. Reasoning stays in the output, of which it may be said to be more.
 */
function countsOf(usage: Foreign): Pick<Report, 'counts' | 'prompt'> {
  const prompt = countOf(usage.prompt_tokens ?? usage.input_tokens);
  const completion = countOf(usage.completion_tokens ?? usage.output_tokens ?? 0);
  const inputDetails = objectOf(usage.prompt_tokens_details ?? usage.input_tokens_details);
  const outputDetails = objectOf(usage.completion_tokens_details ?? usage.output_tokens_details);
  const input = new Share(prompt);
  const read = input.take(inputDetails.cached_tokens);
  const written = countOf(inputDetails.cache_write_tokens);
  const areSame = read !== null && written !== null && read + written > (prompt ?? 0);
  const write = input.take(areSame ? Math.max(0, written - read) : inputDetails.cache_write_tokens);
  const output = new Share(completion);
  return {
    prompt: prompt ?? 0,
    counts: {
      audio_input_tokens: input.take(inputDetails.audio_tokens),
      audio_output_tokens: output.take(outputDetails.audio_tokens),
      image_tokens: output.take(outputDetails.image_tokens),
      cache_read_tokens: read,
      cache_write_tokens: write,
      input_tokens: prompt === null ? null : input.rest,
      output_tokens: completion === null ? null : output.rest,
    },
  };
}

/** What is left of a whole when its reported subsets are taken out, in turn. */
class Share {
  rest: number;

  constructor(whole: number | null) {
    this.rest = whole ?? 0;
  }

  /** Null: it was said and is no count. */
  take(subset: unknown): number | null {
    const count = countOf(subset ?? 0);
    if (count === null) return null;
    const share = Math.min(count, this.rest);
    this.rest -= share;
    return share;
  }
}
