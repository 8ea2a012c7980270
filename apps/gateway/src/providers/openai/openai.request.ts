import { z } from 'zod';
import { type Foreign, isObject, listOf, objectOf } from '../foreign-json.js';
import type { CostBound, MeteredRequest, RouteRequest } from '../provider.js';
import { invalid, readAgain, readRequestBody } from '../request-body.js';
import { tokenFloor } from '../token-floor.js';
import { withUsageAsked } from '../usage-asked.js';
import { requestedTier } from './openai.models.js';
import { ChatMeter, EmbeddingsMeter, ResponsesMeter } from './openai.usage.js';

/** What OpenAI adds to the prompt around tools and output schemas, in tokens, generously: their bytes bound the rest. */
const HIDDEN_PROMPT_TOKENS = 1_000;

const Model = z.string().min(1).max(256);
const Count = z.int().min(1).nullish();
const Flag = z.boolean().nullish();
const Tier = z.string().max(32).nullish();

const ChatBody = z.object({
  model: Model,
  stream: Flag,
  stream_options: z.looseObject({ include_usage: Flag }).nullish(),
  service_tier: Tier,
  n: Count,
  best_of: Count,
  max_tokens: Count,
  max_completion_tokens: Count,
  messages: z.unknown().optional(),
  tools: z.unknown().optional(),
  functions: z.unknown().optional(),
  response_format: z.unknown().optional(),
  modalities: z.unknown().optional(),
  audio: z.unknown().optional(),
  prediction: z.unknown().optional(),
  web_search_options: z.unknown().optional(),
});
type ChatBody = z.infer<typeof ChatBody>;

const ResponsesBody = z.object({
  model: Model,
  stream: Flag,
  service_tier: Tier,
  max_output_tokens: Count,
  background: Flag,
  input: z.unknown().optional(),
  tools: z.unknown().optional(),
  text: z.unknown().optional(),
  previous_response_id: z.unknown().optional(),
  conversation: z.unknown().optional(),
  prompt: z.unknown().optional(),
  context_management: z.unknown().optional(),
});
type ResponsesBody = z.infer<typeof ResponsesBody>;

const EmbeddingsBody = z.object({ model: Model, input: z.unknown().optional(), service_tier: Tier });

/** Throws VendoError invalid_body. */
export function readChat({ body }: RouteRequest): MeteredRequest {
  const chat = readRequestBody(body, ChatBody);
  const stream = chat.stream === true;
  const asked = stream && chat.stream_options?.include_usage !== true;
  const forwarded = asked ? withUsageAsked(body, chat.stream_options) : body;
  return {
    model: chat.model,
    stream,
    tier: requestedTier(chat.service_tier),
    body: forwarded,
    bound: chatBound(chat, body.length),
    accountObjects: partsOf(chat.messages).some(namesFile) ? ['file_id'] : [],
    meter: () => new ChatMeter(asked, () => chatFloor(readAgain(forwarded))),
  };
}

/** Throws VendoError invalid_body; also for `background`, whose usage no answer of this call would carry. */
export function readResponses({ body }: RouteRequest): MeteredRequest {
  const request = readRequestBody(body, ResponsesBody);
  if (request.background === true)
    throw invalid('"background" is not supported here: the answer of such a call carries no usage.');
  return {
    model: request.model,
    stream: request.stream === true,
    tier: requestedTier(request.service_tier),
    body,
    bound: responsesBound(request, body.length),
    accountObjects: accountObjects(request),
    meter: () => new ResponsesMeter(() => responsesFloor(readAgain(body))),
  };
}

/** Throws VendoError invalid_body. A token costs at least a byte of the body: text as UTF-8, an id as a digit and its comma. */
export function readEmbeddings({ body }: RouteRequest): MeteredRequest {
  const request = readRequestBody(body, EmbeddingsBody);
  return {
    model: request.model,
    stream: false,
    tier: requestedTier(request.service_tier),
    body,
    bound: { kind: 'tokens', input: body.length, output: 0 },
    accountObjects: [],
    meter: () => new EmbeddingsMeter(() => embeddingsFloor(readAgain(body).input)),
  };
}

function chatBound(chat: ChatBody, bytes: number): CostBound {
  const output = chat.max_completion_tokens ?? chat.max_tokens;
  const choices = Math.max(chat.n ?? 1, chat.best_of ?? 1);
  const plain =
    !chat.audio &&
    !chat.prediction &&
    !chat.web_search_options &&
    listOf(chat.modalities).every((modality) => modality === 'text') &&
    partsOf(chat.messages).every(isPlainPart) &&
    hasOnlyClientTools(chat.tools) &&
    !searchesByItself(chat.model);
  if (!plain || !output) return { kind: 'ceiling' };
  const hidden = chat.tools || chat.functions || chat.response_format ? HIDDEN_PROMPT_TOKENS : 0;
  return tokens(bytes + hidden, output * choices);
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

function tokens(input: number, output: number): CostBound {
  return Number.isSafeInteger(output) ? { kind: 'tokens', input, output } : { kind: 'ceiling' };
}

/** Models that use a fee-charging tool without being given one. */
function searchesByItself(model: string): boolean {
  return /search|deep-research/.test(model);
}

/** Tools that run at the client: only their definitions cost tokens. Everything else runs at OpenAI and may cost anything. */
function hasOnlyClientTools(tools: unknown): boolean {
  return listOf(tools).every((tool) => ['function', 'custom'].includes(String(objectOf(tool).type)));
}

/** All content parts of a list of messages; a message that is no object counts as a part, which is not plain. */
function partsOf(messages: unknown): unknown[] {
  return listOf(messages).flatMap((message) => {
    if (!isObject(message)) return [message];
    // A past answer's audio is named by id, beside its content.
    const audio = message.audio ? [{ type: 'audio' }] : [];
    return [...listOf(message.content), ...audio];
  });
}

const PLAIN_PARTS = new Set(['text', 'refusal', 'input_text', 'output_text']);

function isPlainPart(part: unknown): boolean {
  return isObject(part) && PLAIN_PARTS.has(String(part.type));
}

const PLAIN_ITEMS = new Set(['function_call', 'custom_tool_call', 'reasoning']);
const TOOL_OUTPUTS = new Set(['function_call_output', 'custom_tool_call_output']);

function isPlainInput(input: unknown): boolean {
  return !Array.isArray(input) || input.every(isPlainItem);
}

function isPlainItem(item: unknown): boolean {
  if (!isObject(item)) return false;
  const type = item.type ?? 'message';
  if (type === 'message') return listOf(item.content).every(isPlainPart);
  if (TOOL_OUTPUTS.has(String(type))) return listOf(item.output).every(isPlainPart);
  return PLAIN_ITEMS.has(String(type));
}

/** The fewest tokens that the prompt can be. */
function chatFloor({ messages }: Foreign): number {
  return tokenFloor(textsOf(listOf(messages)));
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

/** Texts, lists of texts, and lists of token ids. */
function embeddingsFloor(input: unknown): number {
  const inputs = Array.isArray(input) ? input : [input];
  const ids = inputs.flat().filter((one) => typeof one === 'number').length;
  return ids + tokenFloor(inputs.filter(isText));
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

/** The text of messages: their content is one, or a list of parts. */
function textsOf(messages: readonly unknown[]): string[] {
  return messages
    .map((message) => objectOf(message).content)
    .flatMap((content) => [content, ...listOf(content).map((part) => objectOf(part).text)])
    .filter(isText);
}

/** What a Responses request reads from the account that it runs in. */
function accountObjects(request: ResponsesBody): string[] {
  const items = listOf(request.input).map(objectOf);
  const tools = listOf(request.tools).map(objectOf);
  const parts = items.flatMap((item) => [...listOf(item.content), ...listOf(item.output)]);
  const found: [string, boolean][] = [
    ['previous_response_id', Boolean(request.previous_response_id)],
    ['conversation', Boolean(request.conversation)],
    ['prompt', Boolean(request.prompt)],
    ['item_reference', items.some(isItemReference)],
    ['file_id', parts.some(namesFile)],
    ['vector_store_ids', tools.some(({ vector_store_ids }) => listOf(vector_store_ids).length > 0)],
    ['container', tools.some(namesContainer)],
  ];
  return found.flatMap(([field, present]) => (present ? [field] : []));
}

/** `{"type":"item_reference","id":..}`; the type may be left out. */
function isItemReference(item: Readonly<Record<string, unknown>>): boolean {
  return item.type === 'item_reference' || (!item.type && !item.role && typeof item.id === 'string');
}

/** `file_id` stands in the part itself (Responses) or in its `file` (chat). */
function namesFile(part: unknown): boolean {
  const { file_id, file } = objectOf(part);
  return Boolean(file_id) || Boolean(objectOf(file).file_id);
}

/** A container by its id, or a new one that is given files by theirs. */
function namesContainer(tool: Readonly<Record<string, unknown>>): boolean {
  const environment = objectOf(tool.environment);
  return (
    typeof tool.container === 'string' ||
    listOf(objectOf(tool.container).file_ids).length > 0 ||
    Boolean(environment.container_id) ||
    listOf(environment.file_ids).length > 0
  );
}
