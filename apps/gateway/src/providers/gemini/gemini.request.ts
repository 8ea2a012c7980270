import { z } from 'zod';
import { type Foreign, isObject, listOf, nameOf, objectOf } from '../foreign-json.js';
import type { CostBound, MeteredRequest, RouteRequest } from '../provider.js';
import { invalid, readAgain, readRequestBody } from '../request-body.js';
import { tokenFloor } from '../token-floor.js';
import { withUsageAsked } from '../usage-asked.js';
import { countedAfterwards } from './gemini.counting.js';
import { requestedTier } from './gemini.models.js';
import { CompatibleChatMeter, EmbeddingMeter, GenerateMeter, InteractionMeter } from './gemini.usage.js';

/** What is added to the prompt around tools and output schemas, in tokens, generously: their bytes bound the rest. */
const HIDDEN_PROMPT_TOKENS = 1_000;

const Any = z.unknown().optional();
const Model = z.string().min(1).max(256);
const Flag = z.boolean().nullish();
const Count = z.int().min(1).nullish();

/** Google takes every name as camelCase and as snake_case; a name that is in no schema here may stand twice. */
const GenerateBody = z.object({
  contents: Any,
  tools: Any,
  systemInstruction: Any,
  system_instruction: Any,
  generationConfig: Any,
  generation_config: Any,
  cachedContent: Any,
  cached_content: Any,
  serviceTier: Any,
  service_tier: Any,
});
const EmbeddingBody = z.object({ content: Any, requests: Any });
const InteractionBody = z.object({
  model: Model,
  stream: Flag,
  background: Flag,
  agent: Any,
  agent_config: Any,
  environment: Any,
  input: Any,
  tools: Any,
  generation_config: Any,
  response_format: Any,
  response_modalities: Any,
  cached_content: Any,
  previous_interaction_id: Any,
  store: Any,
  service_tier: Any,
});
type InteractionBody = z.infer<typeof InteractionBody>;
const CompatibleChatBody = z.object({
  model: Model,
  stream: Flag,
  stream_options: z.looseObject({ include_usage: Flag }).nullish(),
  n: Count,
  max_tokens: Count,
  max_completion_tokens: Count,
  messages: Any,
  tools: Any,
  response_format: Any,
  modalities: Any,
  extra_body: Any,
  google: Any,
  cached_content: Any,
  service_tier: Any,
});
type CompatibleChatBody = z.infer<typeof CompatibleChatBody>;
const CompatibleEmbeddingsBody = z.object({ model: Model, input: Any });

/** Throws VendoError invalid_body. */
export function readGenerate(request: RouteRequest): MeteredRequest {
  return generation(request, false);
}

/** With `alt=sse` the answer is a stream of events, without it one JSON list. Throws VendoError invalid_body. */
export function readStreamGenerate(request: RouteRequest): MeteredRequest {
  return generation(request, true);
}

function generation({ body, params, query }: RouteRequest, stream: boolean): MeteredRequest {
  refuseMasks(query);
  const request = readRequestBody(body, GenerateBody);
  const model = params.model ?? '';
  const tools = listOf(request.tools).map(objectOf);
  refuseMaps(tools.some((tool) => either(tool, 'googleMaps')));
  return {
    model,
    stream,
    tier: requestedTier(either(request, 'serviceTier')),
    body,
    bound: generationBound(request, tools, body.length),
    accountObjects: named({
      cachedContent: either(request, 'cachedContent'),
      fileUri: partsOf(request.contents).some(namesFile),
      fileSearch: tools.some((tool) => either(tool, 'fileSearch') || tool.retrieval),
    }),
    meter: () => new GenerateMeter(model, () => generationFloor(readAgain(body))),
  };
}

/** embedContent and batchEmbedContents. Throws VendoError invalid_body. */
export function readEmbedding({ body, params, query }: RouteRequest): MeteredRequest {
  refuseMasks(query);
  const parts = partsOf(embeddedContents(readRequestBody(body, EmbeddingBody)));
  const model = params.model ?? '';
  return {
    model,
    stream: false,
    tier: 'standard',
    body,
    bound: parts.every(isPlainPart) ? { kind: 'tokens', input: body.length, output: 0 } : { kind: 'ceiling' },
    needs: ['input_tokens'],
    accountObjects: named({ fileUri: parts.some(namesFile) }),
    ...countedAfterwards(model, body, embeddedContents),
    meter: () => new EmbeddingMeter(() => tokenFloor(textsOf(partsOf(embeddedContents(readAgain(body)))))),
  };
}

/** Throws VendoError invalid_body; also for agents and `background`, whose usage no answer of this call would carry. */
export function readInteraction({ body, query }: RouteRequest): MeteredRequest {
  refuseMasks(query);
  const request = readRequestBody(body, InteractionBody);
  for (const field of ['background', 'agent', 'agent_config', 'environment'] as const)
    if (request[field])
      throw invalid(`"${field}" is not supported here: the answer of such a call carries no usage.`);
  const tools = listOf(request.tools).map(objectOf);
  refuseMaps(tools.some(({ type }) => type === 'google_maps'));
  const previous = nameOf(request.previous_interaction_id);
  return {
    model: request.model,
    stream: request.stream === true,
    tier: requestedTier(request.service_tier),
    body,
    bound: interactionBound(request, tools, body.length),
    accountObjects: named({
      previous_interaction_id: request.previous_interaction_id && previous === null,
      cached_content: request.cached_content,
      uri: blocksOf(request.input).some(namesFile),
      file_search: tools.some(({ type }) => type === 'file_search' || type === 'retrieval'),
    }),
    storedObjects: previous === null ? [] : [{ field: 'previous_interaction_id', id: previous }],
    stores: request.store !== false,
    meter: () => new InteractionMeter(request.model, () => interactionFloor(readAgain(body))),
  };
}

/** Throws VendoError invalid_body. */
export function readCompatibleChat({ body, query }: RouteRequest): MeteredRequest {
  refuseMasks(query);
  const chat = readRequestBody(body, CompatibleChatBody);
  const stream = chat.stream === true;
  const asked = stream && chat.stream_options?.include_usage !== true;
  const forwarded = asked ? withUsageAsked(body, chat.stream_options) : body;
  const extra = objectOf(chat.extra_body);
  return {
    model: chat.model,
    stream,
    tier: requestedTier(chat.service_tier),
    body: forwarded,
    bound: compatibleBound(chat, body.length),
    accountObjects: named({
      cached_content: [chat, extra, objectOf(chat.google), objectOf(extra.google)].some((place) =>
        Boolean(either(place, 'cachedContent')),
      ),
    }),
    meter: () => new CompatibleChatMeter(chat.model, () => compatibleFloor(readAgain(forwarded)), asked),
  };
}

/** Throws VendoError invalid_body. */
export function readCompatibleEmbeddings({ body, query }: RouteRequest): MeteredRequest {
  refuseMasks(query);
  const { model } = readRequestBody(body, CompatibleEmbeddingsBody);
  return {
    model,
    stream: false,
    tier: 'standard',
    body,
    bound: { kind: 'tokens', input: body.length, output: 0 },
    needs: ['input_tokens'],
    ...countedAfterwards(model, body, (request) =>
      embeddedTexts(request).map((text) => ({ role: 'user', parts: [{ text }] })),
    ),
    meter: () => new EmbeddingMeter(() => tokenFloor(embeddedTexts(readAgain(body)))),
  };
}

const PARAMETERS = new Set(['alt', '$alt', 'prettyPrint', '$prettyPrint']);
/** The forms of an answer that can be read; with the last one, enums are numbers. */
const FORMS = new Set(['json', 'sse', 'json;enum-encoding=int']);

/** Google's APIs take parameters that leave parts out of an answer (`fields`), or give it another form: it would not say what it cost. */
function refuseMasks(query: URLSearchParams): void {
  for (const [name, value] of query)
    if (!PARAMETERS.has(name) || (name.endsWith('alt') && !FORMS.has(value)))
      throw invalid('This route takes no query parameters but "alt", which is "sse" or "json".');
}

function refuseMaps(isAsked: boolean): void {
  if (isAsked) throw invalid('Grounding with Google Maps is not supported here: it has a price of its own.');
}

/** A member under either of its names. Throws VendoError invalid_body where both stand: which one counts is not ours to guess. */
function either(object: Foreign, name: string): unknown {
  const other = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  if (object[name] !== undefined && object[other] !== undefined)
    throw invalid(`"${name}" and "${other}" are the same.`);
  return object[name] ?? object[other];
}

function named(found: Readonly<Record<string, unknown>>): string[] {
  return Object.keys(found).filter((name) => found[name]);
}

function generationBound(request: Foreign, tools: readonly Foreign[], bytes: number): CostBound {
  const config = objectOf(either(request, 'generationConfig'));
  const hasSchema = either(config, 'responseSchema') || either(config, 'responseJsonSchema');
  const isPlain =
    !either(request, 'cachedContent') &&
    tools.every((tool) => Object.keys(tool).every((name) => /^function_?declarations$/i.test(name))) &&
    listOf(either(config, 'responseModalities')).every((one) => one === 'TEXT') &&
    [...partsOf(request.contents), ...partsOf(either(request, 'systemInstruction'))].every(isPlainPart);
  const hidden = tools.length > 0 || hasSchema ? HIDDEN_PROMPT_TOKENS : 0;
  const choices = either(config, 'candidateCount') ?? 1;
  return isPlain ? tokens(bytes + hidden, either(config, 'maxOutputTokens'), choices) : { kind: 'ceiling' };
}

function interactionBound(request: InteractionBody, tools: readonly Foreign[], bytes: number): CostBound {
  const isPlain =
    !request.previous_interaction_id &&
    !request.cached_content &&
    tools.every(({ type }) => type === 'function') &&
    listOf(request.response_modalities).every((one) => one === 'text') &&
    blocksOf(request.input).every((block) => objectOf(block).type === 'text');
  const hidden = tools.length > 0 || request.response_format ? HIDDEN_PROMPT_TOKENS : 0;
  const most = objectOf(request.generation_config).max_output_tokens;
  return isPlain ? tokens(bytes + hidden, most, 1) : { kind: 'ceiling' };
}

function compatibleBound(chat: CompatibleChatBody, bytes: number): CostBound {
  const isPlain =
    !chat.extra_body &&
    !chat.google &&
    listOf(chat.tools).every((tool) => objectOf(tool).type === 'function') &&
    listOf(chat.modalities).every((one) => one === 'text') &&
    listOf(chat.messages)
      .flatMap((message) => (isObject(message) ? listOf(message.content) : [message]))
      .every((part) => objectOf(part).type === 'text');
  const hidden = chat.tools || chat.response_format ? HIDDEN_PROMPT_TOKENS : 0;
  const most = chat.max_completion_tokens ?? chat.max_tokens;
  return isPlain ? tokens(bytes + hidden, most, chat.n ?? 1) : { kind: 'ceiling' };
}

/** Thoughts are within the limit of the output. */
function tokens(input: number, most: unknown, choices: unknown): CostBound {
  const output = Number(most) * Number(choices);
  return Number.isSafeInteger(output) && output > 0 ? { kind: 'tokens', input, output } : { kind: 'ceiling' };
}

/** The parts of contents: a list of them, or one. What is no part counts as one, which is not plain. */
function partsOf(contents: unknown): unknown[] {
  return [contents ?? []]
    .flat()
    .flatMap((content) => (isObject(content) ? listOf(content.parts) : [content]));
}

function embeddedContents(request: Foreign): unknown[] {
  const contents = [request.content, ...listOf(request.requests).map((one) => objectOf(one).content)];
  return contents.flatMap((content) => content ?? []);
}

/** Of the API in the shape of OpenAI's. */
function embeddedTexts({ input }: Foreign): string[] {
  return [input].flat().filter(isText);
}

/** Members of a part that are text, or as good as text. */
const PLAIN_MEMBERS =
  /^(?:text|thought|thought_?signature|function_?call|executable_?code|code_?execution_?result)$/i;

function isPlainPart(part: unknown): boolean {
  return (
    isObject(part) &&
    Object.keys(part).every((name) => PLAIN_MEMBERS.test(name) || isPlainResponse(part, name))
  );
}

function isPlainResponse(part: Foreign, name: string): boolean {
  return /^function_?response$/i.test(name) && objectOf(part[name]).parts === undefined;
}

/** Whether a part names a file by anything but an address on the open web. */
function namesFile(part: unknown): boolean {
  const data = objectOf(either(objectOf(part), 'fileData'));
  const uri = either(data, 'fileUri') ?? objectOf(part).uri;
  if (uri === undefined || uri === null) return false;
  return !/^https?:\/\//i.test(String(uri)) || /^https?:\/\/[^/?#]*googleapis\.com\b/i.test(String(uri));
}

/** What an interaction says: a text, blocks of content, or steps and turns with such blocks in them. */
function blocksOf(input: unknown): unknown[] {
  return [input ?? []].flat().flatMap((block) => {
    if (isText(block)) return [{ type: 'text', text: block }];
    const { content } = objectOf(block);
    return content === undefined ? [block] : blocksOf(content);
  });
}

function generationFloor(request: Foreign): number {
  const system = either(request, 'systemInstruction');
  return tokenFloor(textsOf([...partsOf(request.contents), ...partsOf(system)]));
}

function interactionFloor({ input, system_instruction }: Foreign): number {
  return tokenFloor([...textsOf(blocksOf(input)), ...[system_instruction].filter(isText)]);
}

function compatibleFloor({ messages }: Foreign): number {
  const contents = listOf(messages).map((message) => objectOf(message).content);
  return tokenFloor([...contents.filter(isText), ...textsOf(contents.flatMap(listOf))]);
}

function textsOf(parts: readonly unknown[]): string[] {
  return parts.map((part) => objectOf(part).text).filter(isText);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}
