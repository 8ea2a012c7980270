import type { Quantity } from '@vendo/pricing';
import {
  countOf,
  eventKind,
  type Foreign,
  hasObjectMember,
  isNamed,
  isObject,
  listOf,
  nameOf,
  objectOf,
  parseObject,
} from '../foreign-json.js';
import type { EventVerdict, Reading, SseEvent, UsageMeter } from '../provider.js';
import { type Counts, quantitiesOf } from '../quantities.js';
import { OutputFloor } from '../token-floor.js';
import { billedTier } from './openai.models.js';

const PASS: EventVerdict = { terminal: false, drop: false };
const DROP: EventVerdict = { terminal: false, drop: true };
const TERMINAL: EventVerdict = { terminal: true, drop: false };

/** What a chunk of a chat must hold to count. One expression: it is the quickest search there is. */
const CHAT_COUNTS = /"(?:usage|error)"(?!:null)|\[DONE\]/;

/** Where a chat says something, in deltas as in whole messages. */
const CHAT_OUTPUT = ['content', 'arguments', 'refusal', 'reasoning', 'reasoning_content'];

/** Chat completions: `usage` in the body, or in a chunk of its own before `[DONE]`. */
export class ChatMeter implements UsageMeter {
  private readonly answer = new Answer();
  private readonly output = new OutputFloor(CHAT_OUTPUT);
  private begun = false;

  /**
   * @param asked the usage chunk was asked for by us, so the client must not see it.
   * @param inputFloor the fewest tokens that the request can be.
   */
  constructor(
    private readonly asked: boolean,
    private readonly inputFloor: () => number,
  ) {}

  /** The first chunk names the answer; after it most say nothing of usage, or that it is null. */
  glance(lines: string): boolean {
    this.output.take(lines);
    return this.begun && !CHAT_COUNTS.test(lines);
  }

  onEvent({ data }: SseEvent): EventVerdict {
    if (data.trim() === '[DONE]') return TERMINAL;
    const first = !this.begun;
    this.begun = true;
    const reports = hasObjectMember(data, 'usage');
    if (!first && !reports && !hasObjectMember(data, 'error')) return PASS;
    const chunk = parseObject(data);
    if (!chunk) return PASS;
    this.onBody(chunk);
    return this.asked && isUsageChunk(chunk) ? DROP : PASS;
  }

  onBody(json: unknown): void {
    const body = objectOf(json);
    this.answer.identify(body);
    if (isObject(body.error)) this.answer.failed = true;
    if (isObject(body.usage)) this.answer.report(promptCounts(body.usage, CHAT), body.usage.prompt_tokens);
  }

  onTornBody(text: string): void {
    this.output.takeBody(text);
  }

  reading(): Reading {
    return this.answer.reading();
  }

  counted(): Reading {
    return this.answer.counted({ input_tokens: this.inputFloor(), output_tokens: this.output.tokens });
  }
}

/** The chunk that `include_usage` adds: no choices, only usage. */
function isUsageChunk({ choices, usage }: Foreign): boolean {
  return Array.isArray(choices) && choices.length === 0 && isObject(usage);
}

const DELTA = /^event: response\.[a-z_.]{1,64}\.delta\n/;
/** Sound is no text. */
const AUDIO_DELTA = /^event: response\.(?:output_)?audio\.delta\n/;
const RESPONSES_DELTA = ['delta'];
/** In a whole body the same text stands elsewhere. */
const RESPONSES_OUTPUT = ['text', 'arguments', 'refusal'];
const RESPONSE_ENDS = new Set(['response.completed', 'response.incomplete', 'response.failed']);

/** Responses: `usage` in the body, or in the response of the terminal event, which is one of three. */
export class ResponsesMeter implements UsageMeter {
  private readonly answer = new Answer();
  private output = new OutputFloor(RESPONSES_DELTA);

  /** @param inputFloor the fewest tokens that the request can be. */
  constructor(private readonly inputFloor: () => number) {}

  /** Deltas are most of a stream, and their name says that they are. */
  glance(lines: string): boolean {
    if (!AUDIO_DELTA.test(lines)) this.output.take(lines);
    return isNamed(lines, DELTA);
  }

  onEvent(event: SseEvent): EventVerdict {
    const kind = eventKind(event);
    if (kind === 'error') this.answer.failed = true;
    if (kind === 'response.created') this.answer.identify(objectOf(parseObject(event.data)?.response));
    if (!RESPONSE_ENDS.has(kind)) return PASS;
    this.onBody(parseObject(event.data)?.response);
    if (kind === 'response.failed') this.answer.failed = true;
    return TERMINAL;
  }

  onBody(json: unknown): void {
    const body = objectOf(json);
    this.answer.identify(body);
    if (isObject(body.error) || body.status === 'failed') this.answer.failed = true;
    if (isObject(body.usage))
      this.answer.report(
        { ...promptCounts(body.usage, RESPONSES), ...toolCounts(body) },
        body.usage.input_tokens,
      );
  }

  onTornBody(text: string): void {
    this.output = new OutputFloor(RESPONSES_OUTPUT);
    this.output.takeBody(text);
  }

  reading(): Reading {
    return this.answer.reading();
  }

  counted(): Reading {
    return this.answer.counted({ input_tokens: this.inputFloor(), output_tokens: this.output.tokens });
  }
}

/** Embeddings: input tokens only. */
export class EmbeddingsMeter implements UsageMeter {
  private readonly answer = new Answer();

  /** @param inputFloor the fewest tokens that the request can be. */
  constructor(private readonly inputFloor: () => number) {}

  glance(): boolean {
    return true;
  }

  onEvent(): EventVerdict {
    return PASS;
  }

  onBody(json: unknown): void {
    const body = objectOf(json);
    this.answer.identify(body);
    if (isObject(body.error)) this.answer.failed = true;
    const { prompt_tokens } = objectOf(body.usage);
    if (isObject(body.usage)) this.answer.report({ input_tokens: countOf(prompt_tokens) }, prompt_tokens);
  }

  onTornBody(): void {
    // Vectors are no tokens.
  }

  reading(): Reading {
    return this.answer.reading();
  }

  counted(): Reading {
    return this.answer.counted({ input_tokens: this.inputFloor() });
  }
}

/** What an answer has said of itself so far; the newest word counts. */
class Answer {
  failed = false;
  private id: string | null = null;
  private model: string | null = null;
  private tier: string | null = null;
  private quantities: readonly Quantity[] = [];
  private contextTokens = 0;
  private state: Reading['state'] = 'none';
  private sound: Counts = {};

  identify(body: Foreign): void {
    this.id = nameOf(body.id) ?? this.id;
    this.model = nameOf(body.model) ?? this.model;
    this.tier = billedTier(nameOf(body.service_tier)) ?? this.tier;
  }

  /** A count that is null was reported as nonsense: it is left out, and the report is not complete. */
  report(counts: Readonly<Record<string, number | null>>, contextTokens: unknown): void {
    this.sound = Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== null)) as Counts;
    this.quantities = quantitiesOf(this.sound);
    this.contextTokens = countOf(contextTokens) ?? 0;
    this.state = Object.values(counts).includes(null) ? 'partial' : 'final';
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
      quantities: quantitiesOf({ ...floor, ...this.sound }),
      contextTokens: reading.contextTokens || (floor.input_tokens ?? 0),
    };
  }
}

/** The two spellings of one usage object. */
interface Spelling {
  input: string;
  inputDetails: string;
  output: string;
  outputDetails: string;
}
const CHAT: Spelling = {
  input: 'prompt_tokens',
  inputDetails: 'prompt_tokens_details',
  output: 'completion_tokens',
  outputDetails: 'completion_tokens_details',
};
const RESPONSES: Spelling = {
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
function promptCounts(usage: Foreign, spelling: Spelling): Record<string, number | null> {
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
function shares(whole: number | null, subsets: readonly unknown[]): { rest: number | null; taken: number[] } {
  let rest = whole ?? 0;
  const taken = subsets.map((subset) => {
    const share = Math.min(countOf(subset) ?? 0, rest);
    rest -= share;
    return share;
  });
  return { rest: whole === null ? null : rest, taken };
}

/** What tools at OpenAI cost beside tokens: searches, file searches, container sessions, tokens of the image tool. */
function toolCounts(response: Foreign): Record<string, number | null> {
  const calls = listOf(response.output).map(objectOf);
  const usage = objectOf(response.tool_usage);
  const images = objectOf(usage.image_gen);
  const searches = calls.filter(isSearch).length;
  const containers = calls.filter(({ type }) => type === 'code_interpreter_call');
  return {
    image_tokens: (countOf(images.input_tokens) ?? 0) + (countOf(images.output_tokens) ?? 0),
    web_searches: countOf(objectOf(usage.web_search).num_requests) ?? searches,
    file_searches: calls.filter(({ type }) => type === 'file_search_call').length,
    code_sessions: new Set(containers.map(({ container_id }) => container_id)).size,
  };
}

/** Opening a page and finding in it are not billed; calls of before the actions had names are. */
function isSearch({ type, action }: Foreign): boolean {
  if (type !== 'web_search_call') return false;
  const kind = objectOf(action).type;
  return kind === undefined || kind === 'search';
}
