import { z } from 'zod';
import { type Foreign, isObject, nameOf, objectOf } from '../foreign-json.js';
import type { CostBound, MeteredRequest, RouteRequest } from '../provider.js';
import { invalid, readAgain, readRequestBody } from '../request-body.js';
import { tokenFloor } from '../token-floor.js';
import { withUsageAsked } from '../usage-asked.js';
import {
  blocksOf,
  either,
  embeddedContents,
  embeddedTexts,
  isPlainPart,
  isText,
  manyOf,
  namesFile,
  partsOf,
  textsOf,
} from './gemini.contents.js';
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
const CountBody = GenerateBody.extend({ generateContentRequest: Any, generate_content_request: Any });
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
  const tools = toolsOf(request);
  refuseMaps(tools.some((tool) => either(tool, 'googleMaps')));
  return {
    model,
    stream,
    tier: requestedTier(either(request, 'serviceTier')),
    body,
    bound: generationBound(request, tools, body.length),
    accountObjects: storedObjects(request),
    meter: () => new GenerateMeter(model, () => generationFloor(readAgain(body))),
  };
}

/** What `:countTokens` is asked about: contents, or a whole request. Throws VendoError invalid_body. */
export function objectsOfCountTokens(body: Buffer): string[] {
  const request = readRequestBody(body, CountBody);
  const whole = objectOf(either(request, 'generateContentRequest'));
  return [...storedObjects(request), ...storedObjects(whole)];
}

/** Fields of a request to generate that name what is stored in the account. */
function storedObjects(request: Foreign): string[] {
  const tools = toolsOf(request);
  return named({
    cachedContent: either(request, 'cachedContent'),
    fileUri: saidIn(request).some(namesFile),
    fileSearch: tools.some((tool) => either(tool, 'fileSearch') || tool.retrieval),
  });
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
    bound: parts.every(isPlainPart) ? embedding(body.length) : { kind: 'ceiling' },
    needs: ['input_tokens'],
    accountObjects: named({ fileUri: parts.some(namesFile) }),
    ...countedAfterwards(model, body, embeddedContents),
    meter: () =>
      new EmbeddingMeter(model, () => tokenFloor(textsOf(partsOf(embeddedContents(readAgain(body)))))),
  };
}

/** Throws VendoError invalid_body; also for agents and `background`, whose usage no answer of this call would carry. */
export function readInteraction({ body, query }: RouteRequest): MeteredRequest {
  refuseMasks(query);
  const request = readRequestBody(body, InteractionBody);
  for (const field of ['background', 'agent', 'agent_config', 'environment'] as const)
    if (request[field])
      throw invalid(`"${field}" is not supported here: the answer of such a call carries no usage.`);
  const tools = toolsOf(request);
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
    bound: embedding(body.length),
    needs: ['input_tokens'],
    ...countedAfterwards(model, body, (request) =>
      embeddedTexts(request).map((text) => ({ role: 'user', parts: [{ text }] })),
    ),
    meter: () => new EmbeddingMeter(model, () => tokenFloor(embeddedTexts(readAgain(body)))),
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

function named(found: Readonly<Record<string, unknown>>): string[] {
  return Object.keys(found).filter((name) => found[name]);
}

function generationBound(request: Foreign, tools: readonly Foreign[], bytes: number): CostBound {
  const config = objectOf(either(request, 'generationConfig'));
  const hasSchema = either(config, 'responseSchema') || either(config, 'responseJsonSchema');
  const isPlain =
    !either(request, 'cachedContent') &&
    tools.every((tool) => Object.keys(tool).every((name) => /^function_?declarations$/i.test(name))) &&
    manyOf(either(config, 'responseModalities')).every((one) => one === 'TEXT') &&
    saidIn(request).every(isPlainPart);
  const hidden = tools.length > 0 || hasSchema ? HIDDEN_PROMPT_TOKENS : 0;
  const choices = either(config, 'candidateCount') ?? 1;
  return isPlain ? tokens(bytes + hidden, either(config, 'maxOutputTokens'), choices) : { kind: 'ceiling' };
}

function interactionBound(request: InteractionBody, tools: readonly Foreign[], bytes: number): CostBound {
  const isPlain =
    !request.previous_interaction_id &&
    !request.cached_content &&
    tools.every(({ type }) => type === 'function') &&
    manyOf(request.response_modalities).every((one) => one === 'text') &&
    blocksOf(request.input).every((block) => objectOf(block).type === 'text');
  const hidden = tools.length > 0 || request.response_format ? HIDDEN_PROMPT_TOKENS : 0;
  const most = objectOf(request.generation_config).max_output_tokens;
  return isPlain ? tokens(bytes + hidden, most, 1) : { kind: 'ceiling' };
}

function compatibleBound(chat: CompatibleChatBody, bytes: number): CostBound {
  const isPlain =
    !chat.extra_body &&
    !chat.google &&
    manyOf(chat.tools).every((tool) => objectOf(tool).type === 'function') &&
    manyOf(chat.modalities).every((one) => one === 'text') &&
    manyOf(chat.messages)
      .flatMap((message) => (isObject(message) ? manyOf(message.content) : [{}]))
      .every((part) => isText(part) || objectOf(part).type === 'text');
  const hidden = chat.tools || chat.response_format ? HIDDEN_PROMPT_TOKENS : 0;
  const most = chat.max_completion_tokens ?? chat.max_tokens;
  return isPlain ? tokens(bytes + hidden, most, chat.n ?? 1) : { kind: 'ceiling' };
}

/** Of text alone: at its own price, which is far below that of sound. */
function embedding(bytes: number): CostBound {
  return { kind: 'units', units: { input_tokens: bytes } };
}

/** Thoughts are within the limit of the output. */
function tokens(input: number, most: unknown, choices: unknown): CostBound {
  const output = Number(most) * Number(choices);
  return Number.isSafeInteger(output) && output > 0 ? { kind: 'tokens', input, output } : { kind: 'ceiling' };
}

/** The parts of a request to generate, those of its system instruction included. */
function saidIn(request: Foreign): unknown[] {
  return [...partsOf(request.contents), ...partsOf(either(request, 'systemInstruction'))];
}

function toolsOf(request: Foreign): Foreign[] {
  return manyOf(request.tools).map(objectOf);
}

function generationFloor(request: Foreign): number {
  return tokenFloor(textsOf(saidIn(request)));
}

function interactionFloor({ input, system_instruction }: Foreign): number {
  return tokenFloor([...textsOf(blocksOf(input)), ...[system_instruction].filter(isText)]);
}

function compatibleFloor({ messages }: Foreign): number {
  const said = manyOf(messages).flatMap((message) => manyOf(objectOf(message).content));
  return tokenFloor([...said.filter(isText), ...textsOf(said)]);
}
