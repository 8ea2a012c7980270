import { countOf, type Foreign, hasObjectMember, isObject, objectOf, parseObject } from '../foreign-json.js';
import type { EventVerdict, Reading, SseEvent, UsageMeter } from '../provider.js';
import { CHAT_SIGNS, type Signs } from '../signs.js';
import { OutputFloor } from '../token-floor.js';
import { DROP, PASS, TERMINAL } from '../verdicts.js';
import { Answer, CHAT, promptCounts } from './openai.answer.js';
import { searchesOf } from './openai.tools.js';

/** Where a chat says something, in deltas as in whole messages. */
export const CHAT_OUTPUT = ['content', 'arguments', 'refusal', 'reasoning', 'reasoning_content'];

/** Where a completion does, which has no messages. */
export const COMPLETION_OUTPUT = ['text'];

/** Chat completions, and completions of before: `usage` in the body, or in a chunk of its own before `[DONE]`. */
export class ChatMeter implements UsageMeter {
  readonly billsFailed = true;
  private readonly answer = new Answer();
  readonly output: OutputFloor;
  private begun = false;

  /**
   * @param asked the usage chunk was asked for by us, so the client must not see it.
   * @param inputFloor the fewest tokens that the request can be.
   * @param searching the model that searches the web for this call, whose fee no usage tells; null: none does.
   * @param says names of the strings that are output.
   */
  constructor(
    private readonly asked: boolean,
    private readonly inputFloor: () => number,
    private readonly searching: string | null = null,
    says: readonly string[] = CHAT_OUTPUT,
  ) {
    this.output = new OutputFloor(says);
  }

  /** The first chunk names the answer; after it most say nothing of usage, or that it is null. */
  get signs(): Signs | null {
    return this.begun ? CHAT_SIGNS : null;
  }

  onEvent({ data }: SseEvent): EventVerdict {
    if (data.trim() === '[DONE]') return TERMINAL;
    if (this.begun && !hasObjectMember(data, 'usage') && !hasObjectMember(data, 'error')) return PASS;
    const chunk = parseObject(data);
    if (!chunk) return PASS;
    this.begun = true;
    this.onBody(chunk);
    return this.asked && isUsageChunk(chunk) ? DROP : PASS;
  }

  onBody(json: unknown): void {
    const body = objectOf(json);
    this.answer.identify(body);
    if (isObject(body.error)) this.answer.failed = true;
    if (!isObject(body.usage)) return;
    const searches = this.searching === null ? [] : searchesOf(1, this.searching, true);
    this.answer.report(promptCounts(body.usage, CHAT), body.usage.prompt_tokens, {
      quantities: searches,
      isSound: true,
    });
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

/** Embeddings: input tokens only. */
export class EmbeddingsMeter implements UsageMeter {
  private readonly answer = new Answer();

  /** @param inputFloor the fewest tokens that the request can be. */
  constructor(private readonly inputFloor: () => number) {}

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
