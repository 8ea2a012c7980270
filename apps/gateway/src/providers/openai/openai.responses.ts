import { z } from 'zod';
import { eventKind, type Foreign, isObject, listOf, nameOf, objectOf, parseObject } from '../foreign-json.js';
import type {
  CostBound,
  EventVerdict,
  MeteredRequest,
  Reading,
  RouteRequest,
  SseEvent,
  StoredObject,
  UsageMeter,
} from '../provider.js';
import { invalid, readAgain, readRequestBody } from '../request-body.js';
import { ERRORS, Signs } from '../signs.js';
import { OutputFloor, type Speaking, tokenFloor } from '../token-floor.js';
import { PASS, TERMINAL } from '../verdicts.js';
import { Answer, NO_OTHERS, type Others, promptCounts, RESPONSES } from './openai.answer.js';
import { Count, Flag, Model, Tier } from './openai.fields.js';
import { requestedTier } from './openai.models.js';
import {
  HIDDEN_PROMPT_TOKENS,
  hasOnlyClientTools,
  isPlainPart,
  isText,
  namesFile,
  searchesByItself,
  textsOf,
  tokens,
} from './openai.prompt.js';
import { containerFees, containersIn, runsInContainer, toolFees } from './openai.tools.js';

const ResponsesBody = z.object({
  model: Model,
  stream: Flag,
  service_tier: Tier,
  max_output_tokens: Count,
  background: Flag,
  store: Flag,
  input: z.unknown().optional(),
  tools: z.unknown().optional(),
  text: z.unknown().optional(),
  previous_response_id: z.unknown().optional(),
  conversation: z.unknown().optional(),
  prompt: z.unknown().optional(),
  context_management: z.unknown().optional(),
});
type ResponsesBody = z.infer<typeof ResponsesBody>;

/** Throws VendoError invalid_body; also for `background`, whose usage no answer of this call would carry. */
export function readResponses({ body }: RouteRequest): MeteredRequest {
  const request = readRequestBody(body, ResponsesBody);
  if (request.background === true)
    throw invalid('"background" is not supported here: the answer of such a call carries no usage.');
  const { model } = request;
  const items = itemsOf(request);
  const tools = toolsOf(request);
  const ownContainers = new Set(containersIn(tools, items));
  return {
    model,
    stream: request.stream === true,
    tier: requestedTier(request.service_tier),
    body,
    bound: responsesBound(request, body.length),
    accountObjects: accountObjects(request, tools.some(runsInContainer) ? items : []),
    storedObjects: storedObjects(request),
    stores: request.store !== false,
    fees: containerFees(tools),
    meter: () =>
      new ResponsesMeter(
        () => responsesFloor(readAgain(body)),
        (response) => toolFees(response, { model, tools, ownContainers }),
      ),
  };
}

/** Throws VendoError invalid_body. The answer is the conversation, shortened: the calls in it are those of before. */
export function readCompact({ body }: RouteRequest): MeteredRequest {
  const request = readRequestBody(body, ResponsesBody);
  return {
    model: request.model,
    stream: false,
    tier: requestedTier(request.service_tier),
    body,
    bound: { kind: 'ceiling' },
    accountObjects: accountObjects(request),
    storedObjects: storedObjects(request),
    meter: () =>
      new ResponsesMeter(
        () => responsesFloor(readAgain(body)),
        () => NO_OTHERS,
      ),
  };
}

/** Counts the tokens of a request. Throws VendoError invalid_body. */
export function objectsOfInputTokens(body: Buffer): string[] {
  return accountObjects(readRequestBody(body, ResponsesBody.partial({ model: true })));
}

/** The same, for those that answers have named. Throws VendoError invalid_body. */
export function storedInInputTokens(body: Buffer): StoredObject[] {
  return storedObjects(readRequestBody(body, ResponsesBody.partial({ model: true })));
}

function responsesBound(request: ResponsesBody, bytes: number): CostBound {
  const output = request.max_output_tokens;
  const plain =
    !request.previous_response_id &&
    !request.conversation &&
    !request.prompt &&
    listOf(request.context_management).length === 0 &&
    isPlainInput(request.input) &&
    hasOnlyClientTools(request.tools) &&
    !searchesByItself(request.model);
  if (!plain || !output) return { kind: 'ceiling' };
  const hidden = request.tools || request.text ? HIDDEN_PROMPT_TOKENS : 0;
  return tokens(bytes + hidden, output);
}

const PLAIN_ITEMS: ReadonlySet<unknown> = new Set(['function_call', 'custom_tool_call', 'reasoning']);
const TOOL_OUTPUTS: ReadonlySet<unknown> = new Set(['function_call_output', 'custom_tool_call_output']);

function isPlainInput(input: unknown): boolean {
  return !Array.isArray(input) || input.every(isPlainItem);
}

function isPlainItem(item: unknown): boolean {
  if (!isObject(item)) return false;
  const type = item.type ?? 'message';
  if (type === 'message') return listOf(item.content).every(isPlainPart);
  if (TOOL_OUTPUTS.has(type)) return listOf(item.output).every(isPlainPart);
  return PLAIN_ITEMS.has(type);
}

/** The fewest tokens that the prompt can be; nothing is known of one that OpenAI may shorten. */
function responsesFloor(request: Foreign): number {
  const mayShrink = request.truncation === 'auto' || listOf(request.context_management).length > 0;
  if (mayShrink) return 0;
  const spoken = listOf(request.input).filter(isMessage);
  return tokenFloor([...[request.instructions, request.input].filter(isText), ...textsOf(spoken)]);
}

/** Of reasoning that comes back, OpenAI decides what it reads again; messages are read. */
function isMessage(item: unknown): boolean {
  return isObject(item) && (item.type ?? 'message') === 'message';
}

/**
 * What a Responses request reads from the account that it runs in. `calls`: those of before in whose containers it may
 * run again; where nothing runs they only tell of them.
 */
function accountObjects(request: Omit<ResponsesBody, 'model'>, calls: readonly Foreign[] = []): string[] {
  const items = itemsOf(request);
  const tools = toolsOf(request);
  // A screenshot is no list of parts, but one.
  const parts = items.flatMap(({ content, output }) => [...listOf(content), ...listOf(output), output]);
  const found: [string, boolean][] = [
    ['previous_response_id', Boolean(request.previous_response_id) && storedObjects(request).length === 0],
    ['conversation', Boolean(request.conversation)],
    ['prompt', Boolean(request.prompt)],
    ['item_reference', items.some(isItemReference)],
    ['image_generation_call', items.some(isStoredImage)],
    ['file_id', [...parts, ...tools.map(({ input_image_mask }) => input_image_mask)].some(namesFile)],
    ['vector_store_ids', tools.some(({ vector_store_ids }) => listOf(vector_store_ids).length > 0)],
    ['container', containersIn(tools, calls).length > 0 || tools.some(givesFiles)],
    ['skill_id', tools.some(namesSkill)],
  ];
  return found.flatMap(([field, present]) => (present ? [field] : []));
}

/** The response that this one goes on from: an answer has named it. */
function storedObjects({
  previous_response_id,
}: Pick<ResponsesBody, 'previous_response_id'>): StoredObject[] {
  const id = nameOf(previous_response_id);
  return id === null ? [] : [{ field: 'previous_response_id', id }];
}

/** `{"type":"item_reference","id":..}`; the type may be left out. */
function isItemReference(item: Foreign): boolean {
  return item.type === 'item_reference' || (!item.type && !item.role && typeof item.id === 'string');
}

/** An image that was made before is in the call itself, else it is one that OpenAI keeps. */
function isStoredImage({ type, result }: Foreign): boolean {
  return type === 'image_generation_call' && !(isText(result) && result !== '');
}

/** A new container may be given files by their ids. */
function givesFiles({ container, environment }: Foreign): boolean {
  return [container, environment].some((made) => listOf(objectOf(made).file_ids).length > 0);
}

function namesSkill({ environment }: Foreign): boolean {
  return listOf(objectOf(environment).skills).some((skill) => Boolean(objectOf(skill).skill_id));
}

function itemsOf({ input }: Pick<ResponsesBody, 'input'>): Foreign[] {
  return listOf(input).map(objectOf);
}

/** Items of the input can give more of them (`additional_tools`, `tool_search_output`). */
function toolsOf(request: Pick<ResponsesBody, 'input' | 'tools'>): Foreign[] {
  return [...listOf(request.tools), ...itemsOf(request).flatMap(({ tools }) => listOf(tools))].map(objectOf);
}

/** Deltas are most of a stream; sound is no text. */
const SIGNS = new Signs([
  ...['se.created', 'se.completed', 'se.incomplete', 'se.failed'].map((text) => ({ text })),
  ...ERRORS,
]);
const AUDIO_DELTA = /^event: response\.(?:output_)?audio\.delta\n/;
const TEXT: Speaking = {
  hush: { sign: 'audio.delta', spoken: (lines) => (AUDIO_DELTA.test(lines) ? '' : lines) },
};
const RESPONSES_DELTA = ['delta'];
/** In a whole body the same text stands elsewhere. */
const RESPONSES_OUTPUT = ['text', 'arguments', 'refusal'];
const RESPONSE_ENDS = new Set(['response.completed', 'response.incomplete', 'response.failed']);

/** Responses: `usage` in the body, or in the response of the terminal event, which is one of three. */
export class ResponsesMeter implements UsageMeter {
  readonly billsFailed = true;
  readonly signs = SIGNS;
  private readonly answer = new Answer();
  output = new OutputFloor(RESPONSES_DELTA, TEXT);

  /**
   * @param inputFloor the fewest tokens that the request can be.
   * @param feesOf what the tools in a response cost beside its usage.
   */
  constructor(
    private readonly inputFloor: () => number,
    private readonly feesOf: (response: Foreign) => Others,
  ) {}

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
      this.answer.report(promptCounts(body.usage, RESPONSES), body.usage.input_tokens, this.feesOf(body));
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
