import { z } from 'zod';
import { type Foreign, isObject, listOf, objectOf } from '../foreign-json.js';
import { readForm } from '../form-body.js';
import type { CostBound, MeteredRequest, RouteRequest } from '../provider.js';
import { invalid, readAgain, readRequestBody } from '../request-body.js';
import { tokenFloor } from '../token-floor.js';
import { withUsageAsked } from '../usage-asked.js';
import { CostMeter, type OutputFields } from './openrouter.usage.js';

/** What is added to the prompt around tools and output schemas, in tokens, generously: their bytes bound the rest. */
const HIDDEN_PROMPT_TOKENS = 1_000;

const Model = z.string().min(1).max(256);
const Count = z.int().min(1).nullish();
const Flag = z.boolean().nullish();

/** What all models that write have in common. */
const Writing = {
  model: Model.nullish(),
  models: z.array(Model).nullish(),
  stream: Flag,
  preset: z.unknown().optional(),
  plugins: z.unknown().optional(),
  tools: z.unknown().optional(),
  web_search_options: z.unknown().optional(),
};

const ChatBody = z.object({
  ...Writing,
  stream_options: z.looseObject({ include_usage: Flag }).nullish(),
  n: Count,
  max_tokens: Count,
  max_completion_tokens: Count,
  messages: z.unknown().optional(),
  prompt: z.unknown().optional(),
  functions: z.unknown().optional(),
  response_format: z.unknown().optional(),
  modalities: z.unknown().optional(),
});
type ChatBody = z.infer<typeof ChatBody>;

const ResponsesBody = z.object({
  ...Writing,
  background: Flag,
  max_output_tokens: Count,
  input: z.unknown().optional(),
  text: z.unknown().optional(),
  previous_response_id: z.unknown().optional(),
  conversation: z.unknown().optional(),
  prompt: z.unknown().optional(),
});
type ResponsesBody = z.infer<typeof ResponsesBody>;

const EmbeddingsBody = z.object({ model: Model, input: z.unknown().optional() });
const RerankBody = z.object({ model: Model });
const TranscriptionBody = z.object({ model: Model, response_format: z.string().nullish() });

const CHAT_OUTPUT: OutputFields = {
  inEvents: ['content', 'arguments', 'refusal', 'reasoning', 'reasoning_content'],
  inBody: ['content', 'arguments', 'refusal', 'reasoning', 'reasoning_content'],
};
const COMPLETION_OUTPUT: OutputFields = { inEvents: ['text'], inBody: ['text'] };
const RESPONSES_OUTPUT: OutputFields = { inEvents: ['delta'], inBody: ['text', 'arguments', 'refusal'] };
const NO_OUTPUT: OutputFields = { inEvents: [], inBody: [] };

/** All that is common to every route: OpenRouter names the cost, so that a price of one US dollar is all it takes. */
const COSTED = { tier: 'standard', needs: ['usd'] } as const;

/** OpenRouter can be asked what a stream cost that broke off before its report, or has none; the answer comes within minutes. */
const ASKED_LATER = {
  ttlMs: 3_600_000,
  tier: 'standard',
  unreported: { forMs: 600_000, ids: /^gen-[\w-]{1,200}$/ },
};

/** Throws VendoError invalid_body. */
export function readChat(request: RouteRequest): MeteredRequest {
  return readWriting(request, CHAT_OUTPUT, ({ messages }) => textsOf(listOf(messages)));
}

/** Throws VendoError invalid_body. */
export function readCompletion(request: RouteRequest): MeteredRequest {
  return readWriting(request, COMPLETION_OUTPUT, ({ prompt }) => textsIn(prompt));
}

function readWriting(
  { body }: RouteRequest,
  output: OutputFields,
  textsOfPrompt: (request: Foreign) => string[],
): MeteredRequest {
  const chat = readRequestBody(body, ChatBody);
  const model = modelOf(chat);
  const stream = chat.stream === true;
  const asked = stream && chat.stream_options?.include_usage !== true;
  const forwarded = asked ? withUsageAsked(body, chat.stream_options) : body;
  return {
    ...COSTED,
    model,
    stream,
    body: forwarded,
    dropsNothing: true,
    bound: chatBound(chat, model, body.length),
    accountObjects: accountObjects(chat, partsOf(chat.messages)),
    ...(stream ? { job: ASKED_LATER } : {}),
    meter: () =>
      new CostMeter(model, output, () => tokenFloor(unlessShortened(readAgain(forwarded), textsOfPrompt))),
  };
}

/** Throws VendoError invalid_body; also for `background`, whose cost no answer of this call would carry. */
export function readResponses({ body }: RouteRequest): MeteredRequest {
  const request = readRequestBody(body, ResponsesBody);
  if (request.background === true)
    throw invalid('"background" is not supported here: the answer of such a call carries no usage.');
  const model = modelOf(request);
  const parts = partsOf(request.input);
  return {
    ...COSTED,
    model,
    stream: request.stream === true,
    body,
    bound: responsesBound(request, model, body.length),
    accountObjects: accountObjects(request, parts),
    meter: () =>
      new CostMeter(model, RESPONSES_OUTPUT, () =>
        tokenFloor(unlessShortened(readAgain(body), responsesTexts)),
      ),
  };
}

/** Throws VendoError invalid_body. */
export function readEmbeddings({ body }: RouteRequest): MeteredRequest {
  const { model, input } = readRequestBody(body, EmbeddingsBody);
  const inputs = listOf(input).flat();
  const isPlain = typeof input === 'string' || inputs.every((one) => !isObject(one));
  return {
    ...COSTED,
    model,
    stream: false,
    body,
    bound: isPlain ? { kind: 'tokens', input: body.length, output: 0 } : { kind: 'ceiling' },
    meter: () => new CostMeter(model, NO_OUTPUT, () => embeddingsFloor(readAgain(body))),
  };
}

/** Throws VendoError invalid_body. */
export function readRerank({ body }: RouteRequest): MeteredRequest {
  return unbounded(body, readRequestBody(body, RerankBody).model);
}

/** JSON with the sound in base64, or a form. Throws VendoError invalid_body; also for answers that are no JSON: they name no cost. */
export function readTranscription({ body, contentType }: RouteRequest) {
  return /^\s*multipart\//i.test(contentType)
    ? readTranscriptionForm(body, contentType)
    : transcription(body, readRequestBody(body, TranscriptionBody));
}

async function readTranscriptionForm(body: Buffer, contentType: string): Promise<MeteredRequest> {
  const form = await readForm(body, contentType);
  const model = Model.safeParse(form.text('model'));
  if (!model.success) throw invalid('"model" is missing or not what this route takes.');
  return transcription(body, { model: model.data, response_format: form.text('response_format') });
}

function transcription(body: Buffer, { model, response_format }: z.infer<typeof TranscriptionBody>) {
  if (response_format && !['json', 'verbose_json'].includes(response_format))
    throw invalid('"response_format" can be "json" or "verbose_json" here: others carry no cost.');
  return unbounded(body, model);
}

function unbounded(body: Buffer, model: string): MeteredRequest {
  return {
    ...COSTED,
    model,
    stream: false,
    body,
    bound: { kind: 'ceiling' },
    meter: () => new CostMeter(model, NO_OUTPUT, () => 0),
  };
}

/** Without a model the first of the fallbacks is tried first. */
function modelOf({ model, models }: Pick<ChatBody, 'model' | 'models'>): string {
  const first = model ?? models?.[0];
  if (!first) throw invalid('"model" is missing or not what this route takes.');
  return first;
}

function chatBound(chat: ChatBody, model: string, bytes: number): CostBound {
  const output = chat.max_completion_tokens ?? chat.max_tokens;
  const isPlain =
    isPlainWriting(chat, model) &&
    listOf(chat.modalities).every((modality) => modality === 'text') &&
    partsOf(chat.messages).every(isPlainPart);
  if (!isPlain || !output) return { kind: 'ceiling' };
  const hidden = chat.tools || chat.functions || chat.response_format ? HIDDEN_PROMPT_TOKENS : 0;
  return tokens(bytes + hidden, output * (chat.n ?? 1));
}

function responsesBound(request: ResponsesBody, model: string, bytes: number): CostBound {
  const output = request.max_output_tokens;
  const isPlain =
    isPlainWriting(request, model) && !request.prompt && partsOf(request.input).every(isPlainPart);
  if (!isPlain || !output) return { kind: 'ceiling' };
  return tokens(bytes + (request.tools || request.text ? HIDDEN_PROMPT_TOKENS : 0), output);
}

function tokens(input: number, output: number): CostBound {
  return Number.isSafeInteger(output) ? { kind: 'tokens', input, output } : { kind: 'ceiling' };
}

/** Nothing but the prices of this one model's tokens can decide the cost: no other model, no search, no tool at OpenRouter. */
function isPlainWriting(request: Pick<ChatBody, keyof typeof Writing>, model: string): boolean {
  return (
    listOf(request.models).length === 0 &&
    listOf(request.plugins).length === 0 &&
    !request.preset &&
    !request.web_search_options &&
    !/^(?:openrouter\/|@)|:online$|search|deep-research/.test(model) &&
    listOf(request.tools).every((tool) => CLIENT_TOOLS.has(objectOf(tool).type))
  );
}

const CLIENT_TOOLS: ReadonlySet<unknown> = new Set(['function', 'custom']);
const PLAIN_PARTS: ReadonlySet<unknown> = new Set(['text', 'refusal', 'input_text', 'output_text']);

function isPlainPart(part: unknown): boolean {
  return isObject(part) && PLAIN_PARTS.has(part.type);
}

/** All content parts of a list of messages or items; one that is no object counts as a part, which is not plain. */
function partsOf(messages: unknown): unknown[] {
  return listOf(messages).flatMap((message) =>
    isObject(message) ? [...listOf(message.content), ...listOf(message.output)] : [message],
  );
}

/** What a request reads from the account that it runs in. */
function accountObjects(request: Foreign, parts: readonly unknown[]): string[] {
  const models = [request.model, ...listOf(request.models)];
  const found: [string, boolean][] = [
    ['preset', Boolean(request.preset) || models.some((model) => String(model).includes('@preset'))],
    ['previous_response_id', Boolean(request.previous_response_id)],
    ['conversation', Boolean(request.conversation)],
    ['file_id', parts.some(namesFile)],
  ];
  return found.flatMap(([field, present]) => (present ? [field] : []));
}

function namesFile(part: unknown): boolean {
  const { file_id, file } = objectOf(part);
  return Boolean(file_id) || Boolean(objectOf(file).file_id);
}

/** Nothing is known of a prompt that OpenRouter may shorten. */
function unlessShortened(request: Foreign, textsOfPrompt: (request: Foreign) => string[]): string[] {
  const mayShrink =
    request.truncation === 'auto' ||
    listOf(request.transforms).length > 0 ||
    listOf(request.plugins).some((plugin) => objectOf(plugin).id === 'context-compression');
  return mayShrink ? [] : textsOfPrompt(request);
}

function responsesTexts({ instructions, input }: Foreign): string[] {
  const spoken = listOf(input).filter((item) => (objectOf(item).type ?? 'message') === 'message');
  return [...textsIn([instructions, input]), ...textsOf(spoken)];
}

/** The text of messages: their content is one, or a list of parts. */
function textsOf(messages: readonly unknown[]): string[] {
  return textsIn(
    messages
      .map((message) => objectOf(message).content)
      .flatMap((content) => [content, ...listOf(content).map((part) => objectOf(part).text)]),
  );
}

function textsIn(value: unknown): string[] {
  return [value].flat().filter((one) => typeof one === 'string');
}

/** Texts, lists of texts, and lists of token ids. */
function embeddingsFloor({ input }: Foreign): number {
  const ids = listOf(input)
    .flat()
    .filter((one) => typeof one === 'number').length;
  return ids + tokenFloor(textsIn(input));
}
