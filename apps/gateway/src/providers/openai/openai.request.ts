import { z } from 'zod';
import { type Foreign, isObject, listOf, objectOf } from '../foreign-json.js';
import type { CostBound, MeteredRequest, RouteRequest } from '../provider.js';
import { readAgain, readRequestBody } from '../request-body.js';
import { tokenFloor } from '../token-floor.js';
import { withUsageAsked } from '../usage-asked.js';
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
import { ChatMeter, COMPLETION_OUTPUT, EmbeddingsMeter } from './openai.usage.js';

const StreamOptions = z.looseObject({ include_usage: Flag }).nullish();

const ChatBody = z.object({
  model: Model,
  stream: Flag,
  stream_options: StreamOptions,
  service_tier: Tier,
  store: Flag,
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

const CompletionsBody = z.object({
  model: Model,
  stream: Flag,
  stream_options: StreamOptions,
  service_tier: Tier,
  n: Count,
  best_of: Count,
  max_tokens: Count,
  prompt: z.unknown().optional(),
});

const EmbeddingsBody = z.object({ model: Model, input: z.unknown().optional(), service_tier: Tier });

/** Throws VendoError invalid_body. */
export function readChat({ body }: RouteRequest): MeteredRequest {
  const chat = readRequestBody(body, ChatBody);
  const { asked, forwarded } = askingForUsage(body, chat);
  const searching = searchesInChat(chat.model) ? chat.model : null;
  return {
    model: chat.model,
    stream: chat.stream === true,
    tier: requestedTier(chat.service_tier),
    body: forwarded,
    bound: chatBound(chat, body.length),
    accountObjects: accountObjects(chat),
    stores: chat.store === true,
    meter: () => new ChatMeter(asked, () => chatFloor(readAgain(forwarded)), searching),
  };
}

/** Throws VendoError invalid_body. */
export function readCompletions({ body }: RouteRequest): MeteredRequest {
  const request = readRequestBody(body, CompletionsBody);
  const { asked, forwarded } = askingForUsage(body, request);
  const each = Math.max(request.n ?? 1, request.best_of ?? 1) * promptsOf(request.prompt).length;
  return {
    model: request.model,
    stream: request.stream === true,
    tier: requestedTier(request.service_tier),
    body: forwarded,
    bound: request.max_tokens ? tokens(body.length, request.max_tokens * each) : { kind: 'ceiling' },
    accountObjects: [],
    meter: () => new ChatMeter(asked, () => textsFloor(readAgain(forwarded).prompt), null, COMPLETION_OUTPUT),
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
    meter: () => new EmbeddingsMeter(() => textsFloor(readAgain(body).input)),
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

/** Models that search the web for every chat; its fee is not in their usage. */
function searchesInChat(model: string): boolean {
  return /-search-(?:preview|api)/.test(model);
}

/** The prompts of a completion: a list of them is one each, a list of token ids is one. */
function promptsOf(prompt: unknown): readonly unknown[] {
  const isMany = Array.isArray(prompt) && prompt.length > 0 && typeof prompt[0] !== 'number';
  return isMany ? prompt : [prompt];
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

/** What a chat reads from the account that it runs in. */
function accountObjects({ messages, audio }: ChatBody): string[] {
  const found: [string, boolean][] = [
    ['file_id', partsOf(messages).some(namesFile)],
    ['audio', listOf(messages).some((message) => Boolean(objectOf(objectOf(message).audio).id))],
    ['voice', isObject(objectOf(audio).voice)],
  ];
  return found.flatMap(([field, present]) => (present ? [field] : []));
}

/** The fewest tokens that the prompt can be. */
function chatFloor({ messages }: Foreign): number {
  return tokenFloor(textsOf(listOf(messages)));
}

/** The fewest tokens of texts, lists of texts, and lists of token ids. */
function textsFloor(input: unknown): number {
  const inputs = Array.isArray(input) ? input : [input];
  const ids = inputs.flat().filter((one) => typeof one === 'number').length;
  return ids + tokenFloor(inputs.filter(isText));
}

/** A stream is asked for its usage where the client did not ask. */
function askingForUsage(
  body: Buffer,
  { stream, stream_options }: Pick<ChatBody, 'stream' | 'stream_options'>,
): { asked: boolean; forwarded: Buffer } {
  const asked = stream === true && stream_options?.include_usage !== true;
  return { asked, forwarded: asked ? withUsageAsked(body, stream_options) : body };
}
