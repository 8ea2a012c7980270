import { countOf, type Foreign, isObject, listOf, objectOf, parseObject } from '../foreign-json.js';
import type { EventVerdict, Reading, SseEvent, UsageMeter } from '../provider.js';
import { CHAT_SIGNS, ERRORS, Signs } from '../signs.js';
import { type Hush, OutputFloor, type Speaking } from '../token-floor.js';
import { DROP, PASS, TERMINAL, UNREAD } from '../verdicts.js';
import {
  Answer,
  compatibleUsage,
  type Embedded,
  embeddedOf,
  type Headers,
  INTERACTION,
  NATIVE,
  sumOf,
  usageOf,
} from './gemini.counts.js';
import { paysPerQuery } from './gemini.models.js';

/** Where an answer says something. */
const NATIVE_OUTPUT = ['text', 'code'];
const COMPATIBLE_OUTPUT = ['content', 'arguments', 'refusal', 'reasoning_content'];
/** Behind it the same text is said again. */
const GROUNDING: Hush = {
  sign: '"groundingMetadata"',
  spoken: (line) => line.slice(0, line.indexOf('"groundingMetadata"')),
};

/** What all answers of text have in common. */
abstract class TextMeter {
  protected readonly answer = new Answer();
  readonly output: OutputFloor;

  /**
   * @param asked the request's model.
   * @param inputFloor the fewest tokens that the request can be.
   */
  constructor(
    protected readonly asked: string,
    private readonly inputFloor: () => number,
    outputFields: readonly string[],
    speaking: Speaking = {},
  ) {
    this.output = new OutputFloor(outputFields, speaking);
  }

  onHead(headers: Headers): void {
    this.answer.readHead(headers);
  }

  reading(): Reading {
    return this.answer.reading();
  }

  counted(): Reading {
    return this.answer.counted({ input_tokens: this.inputFloor(), output_tokens: this.output.tokens });
  }
}

/**
 * No event ends a stream, and each says all that has been used so far. Of `finishReason`, `blockReason` and
 * `groundingMetadata` the parts that are rare elsewhere.
 */
const GENERATE_SIGNS = new Signs(
  ['hReason"', 'kReason"', 'ndingMetadata"', '"error"'].map((text) => ({ text })),
);

/** generateContent and streamGenerateContent, as one object, as events, or as a list of objects. */
export class GenerateMeter extends TextMeter implements UsageMeter {
  readonly signs = GENERATE_SIGNS;
  readonly newestOnly = '"usageMetadata"';
  private readonly queries = new Set<unknown>();
  private usage: Foreign | null = null;

  constructor(asked: string, inputFloor: () => number) {
    super(asked, inputFloor, NATIVE_OUTPUT, { hush: GROUNDING });
  }

  /** No event is the last one for certain: after one that says why the model stopped another may come. */
  onEvent({ data }: SseEvent): EventVerdict {
    const chunk = parseObject(data);
    this.answer.openEnded = true;
    if (!chunk) return UNREAD;
    this.read(chunk);
    return isObject(chunk.usageMetadata) ? PASS : UNREAD;
  }

  onBody(json: unknown): void {
    for (const chunk of [json].flat()) this.read(objectOf(chunk));
    this.answer.ended = true;
  }

  onTornBody(text: string): void {
    this.answer.openEnded = true;
    for (const chunk of wholeElements(text)) this.read(objectOf(chunk));
    if (!text.includes(GROUNDING.sign)) this.output.takeBody(text);
  }

  private read(chunk: Foreign): void {
    const { answer } = this;
    answer.identify(chunk.responseId, chunk.modelVersion);
    if (isObject(chunk.error)) answer.failed = true;
    const candidates = listOf(chunk.candidates).map(objectOf);
    if (candidates.some(({ finishReason }) => finishReason) || objectOf(chunk.promptFeedback).blockReason)
      answer.ended = true;
    for (const { groundingMetadata } of candidates) this.readQueries(objectOf(groundingMetadata));
    if (isObject(chunk.usageMetadata)) this.usage = chunk.usageMetadata;
    if (this.usage === null) return;
    answer.readTier(this.usage.serviceTier);
    answer.report(usageOf(this.usage, NATIVE, this.searches()));
  }

  private readQueries({ webSearchQueries, imageSearchQueries }: Foreign): void {
    for (const query of [...listOf(webSearchQueries), ...listOf(imageSearchQueries)])
      if (query) this.queries.add(query);
  }

  private searches(): number {
    const { size } = this.queries;
    return paysPerQuery(this.answer.model ?? this.asked) ? size : Math.min(size, 1);
  }
}

/** The elements of a JSON list that are whole, of a text that breaks off. */
function wholeElements(text: string): readonly unknown[] {
  let depth = 0;
  let end = 0;
  for (const { 0: token, index } of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?$)|[[\]{}]/gs)) {
    if (token === '{' || token === '[') depth += 1;
    if (token === '}' || token === ']') depth -= 1;
    if (token === '}' && depth === 1) end = index + 1;
  }
  try {
    return listOf(JSON.parse(`${text.slice(0, end)}]`));
  } catch {
    return [];
  }
}

/** How the last event of an interaction is named, and was. */
const ENDS = new Set<unknown>(['interaction.completed', 'interaction.complete']);
/** Of `total_usage`, `interaction` and the names of its last event the parts that are rare elsewhere. */
const INTERACTION_SIGNS = new Signs([
  ...['l_usage"', 'action"', 'n.complete'].map((text) => ({ text })),
  ...ERRORS,
]);
/** What a tool said is input, though it stands in the answer. */
const TOOL_RESULT: Hush = { sign: '_result"', spoken: () => '' };
/** `step.delta`, once `content.delta`. */
const DELTAS: Speaking = { sign: '.delta"', hush: TOOL_RESULT };

/** Interactions with a model: `usage` in the body, or in the interaction of its last event. */
export class InteractionMeter extends TextMeter implements UsageMeter {
  readonly signs = INTERACTION_SIGNS;

  constructor(asked: string, inputFloor: () => number) {
    super(asked, inputFloor, [...NATIVE_OUTPUT, 'arguments'], DELTAS);
  }

  onEvent({ data }: SseEvent): EventVerdict {
    const event = parseObject(data);
    if (!event) return PASS;
    const { total_usage } = objectOf(event.metadata);
    if (isObject(total_usage)) this.report(total_usage);
    const interaction = objectOf(event.interaction);
    this.read(interaction);
    if (event.event_type === 'error') this.answer.failed = true;
    if (!ENDS.has(event.event_type)) return PASS;
    this.answer.ended = true;
    this.answer.openEnded = interaction.status === 'requires_continuation';
    return this.answer.openEnded ? PASS : TERMINAL;
  }

  onBody(json: unknown): void {
    this.read(objectOf(json));
    this.answer.ended = true;
  }

  onTornBody(text: string): void {
    if (!text.includes(TOOL_RESULT.sign)) this.output.takeBody(text);
  }

  private read(interaction: Foreign): void {
    this.answer.identify(interaction.id, interaction.model);
    this.answer.readTier(interaction.service_tier);
    if (isObject(interaction.error) || interaction.status === 'failed') this.answer.failed = true;
    if (isObject(interaction.usage)) this.report(interaction.usage);
  }

  private report(usage: Foreign): void {
    const searches = sumOf(usage.grounding_tool_count, 'type', 'google_search');
    const isFlat = !paysPerQuery(this.answer.model ?? this.asked);
    this.answer.report(
      usageOf(usage, INTERACTION, isFlat && searches !== null ? Math.min(searches, 1) : searches),
    );
  }
}

/** The API in the shape of OpenAI's. Its completion tokens leave out the thoughts; the total does not. */
export class CompatibleChatMeter extends TextMeter implements UsageMeter {
  private begun = false;

  /** @param usageIsOurs the usage chunk was asked for by us, so the client must not see it. */
  constructor(
    asked: string,
    inputFloor: () => number,
    private readonly usageIsOurs: boolean,
  ) {
    super(asked, inputFloor, COMPATIBLE_OUTPUT);
  }

  get signs(): Signs | null {
    return this.begun ? CHAT_SIGNS : null;
  }

  onEvent({ data }: SseEvent): EventVerdict {
    if (data.trim() === '[DONE]') {
      this.answer.ended = true;
      return TERMINAL;
    }
    this.begun = true;
    const chunk = parseObject(data);
    if (!chunk) return PASS;
    this.read(chunk);
    const addsUsageOnly = Array.isArray(chunk.choices) && chunk.choices.length === 0 && isObject(chunk.usage);
    return this.usageIsOurs && addsUsageOnly ? DROP : PASS;
  }

  onBody(json: unknown): void {
    // Errors come as a list of one.
    for (const body of [json].flat()) this.read(objectOf(body));
    this.answer.ended = true;
  }

  onTornBody(text: string): void {
    this.output.takeBody(text);
  }

  private read(body: Foreign): void {
    this.answer.identify(body.id, body.model);
    this.answer.readTier(body.service_tier);
    if (isObject(body.error)) this.answer.failed = true;
    if (isObject(body.usage)) this.answer.report(compatibleUsage(body.usage));
  }
}

/** Embeddings. gemini-embedding-001 does not say what it used: then the fewest tokens that it can be are charged. */
export class EmbeddingMeter implements UsageMeter {
  private readonly answer = new Answer();
  private isSilent = false;
  private film: Embedded['film'] = [];

  /**
   * @param asked the request's model.
   * @param inputFloor the fewest tokens that the request can be.
   */
  constructor(
    private readonly asked: string,
    private readonly inputFloor: () => number,
  ) {}

  onHead(headers: Headers): void {
    this.answer.readHead(headers);
  }

  onEvent(): EventVerdict {
    return PASS;
  }

  onBody(json: unknown): void {
    const body = objectOf(json);
    const { answer } = this;
    answer.identify(body.id, body.modelVersion ?? body.model);
    if (isObject(body.error)) answer.failed = true;
    const usage = objectOf(body.usageMetadata ?? body.usage);
    // No text is no token: a zero says nothing.
    const prompt = countOf(usage.promptTokenCount ?? usage.prompt_tokens) || null;
    answer.ended = true;
    if (prompt === null) {
      this.isSilent = isObject(body.embedding) || Array.isArray(body.embeddings ?? body.data);
      return;
    }
    const details = usage.promptTokenDetails ?? usage.promptTokensDetails;
    const { counts, film, isSound } = embeddedOf(prompt, details, answer.model ?? this.asked);
    answer.reportCounts(counts, prompt, isSound);
    this.film = film;
  }

  onTornBody(): void {
    // Vectors are no tokens.
  }

  reading(): Reading {
    return this.isSilent ? { ...this.counted(), state: 'partial' } : this.withFilm(this.answer.reading());
  }

  counted(): Reading {
    return this.withFilm(this.answer.counted({ input_tokens: this.inputFloor() }));
  }

  private withFilm(reading: Reading): Reading {
    return { ...reading, quantities: [...reading.quantities, ...this.film] };
  }
}
