import { z } from 'zod';
import { type Foreign, isObject, listOf, nameOf, objectOf } from '../foreign-json.js';
import type { CostBound, MeteredRequest, RouteRequest } from '../provider.js';
import { invalid, readAgain, readRequestBody } from '../request-body.js';
import { tokenFloor } from '../token-floor.js';
import { isSameModel, tierOf } from './anthropic.models.js';
import { MessagesMeter } from './anthropic.usage.js';

/** What Anthropic adds to the prompt around tools and output schemas, in tokens, generously (it documents up to 350 per tool choice). */
const HIDDEN_PROMPT_TOKENS = 1_000;

const MessagesBody = z.object({
  model: z.string().min(1).max(256),
  max_tokens: z.int().min(0).nullish(),
  stream: z.boolean().nullish(),
  service_tier: z.string().max(32).nullish(),
  speed: z.string().max(32).nullish(),
  inference_geo: z.string().max(32).nullish(),
  messages: z.unknown().optional(),
  system: z.unknown().optional(),
  tools: z.unknown().optional(),
  output_config: z.unknown().optional(),
  output_format: z.unknown().optional(),
  mcp_servers: z.unknown().optional(),
  container: z.unknown().optional(),
  fallbacks: z.unknown().optional(),
  context_management: z.unknown().optional(),
  compaction: z.unknown().optional(),
  thread: z.unknown().optional(),
  billing_policy: z.unknown().optional(),
});
type MessagesBody = z.infer<typeof MessagesBody>;

/** Throws VendoError invalid_body; also for `billing_policy`, which would let a call choose who pays for it. */
export function readMessages({ body }: RouteRequest): MeteredRequest {
  const request = readRequestBody(body, MessagesBody);
  if (request.billing_policy !== undefined) throw invalid('"billing_policy" is not supported here.');
  const asked = { speed: request.speed ?? null, geo: request.inference_geo ?? null };
  const isSession = sessionsOf(request);
  const speedOf = speedsOf(request);
  return {
    model: request.model,
    stream: request.stream === true,
    tier: tierOf(asked),
    body,
    bound: bound(request, body.length),
    accountObjects: accountObjects(request),
    meter: () => new MessagesMeter({ ...asked, speedOf }, () => promptFloor(readAgain(body)), isSession),
  };
}

/** Counts the tokens of a request. Throws VendoError invalid_body. */
export function objectsOfCountTokens(body: Buffer): string[] {
  return accountObjects(readRequestBody(body, MessagesBody.partial({ model: true })));
}

function bound(request: MessagesBody, bytes: number): CostBound {
  const plain =
    !has(request.mcp_servers) &&
    !has(request.container) &&
    !has(request.fallbacks) &&
    !has(request.context_management) &&
    !has(request.compaction) &&
    !has(request.thread) &&
    listOf(request.tools).every(isClientTool) &&
    blocksOf(request).every(isPlainBlock);
  if (!plain || request.max_tokens === null || request.max_tokens === undefined) return { kind: 'ceiling' };
  const hidden = has(request.tools) || has(request.output_config) || has(request.output_format);
  return {
    kind: 'tokens',
    input: bytes + (hidden ? HIDDEN_PROMPT_TOKENS : 0),
    output: request.max_tokens,
  };
}

function has(value: unknown): boolean {
  return value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0);
}

/** A tool that is defined by its schema. Typed ones run at Anthropic, or come with a prompt of unknown length. */
function isClientTool(tool: unknown): boolean {
  return isObject(tool) && (tool.type === undefined || tool.type === null || tool.type === 'custom');
}

/** All content blocks of the prompt; a message that is no object counts as a block, which is not plain. */
function blocksOf({ messages, system }: Pick<MessagesBody, 'messages' | 'system'>): unknown[] {
  const spoken = listOf(messages).flatMap((message) =>
    isObject(message) ? listOf(message.content) : [message],
  );
  return [...listOf(system), ...spoken];
}

/** The fewest tokens that the prompt can be; nothing is known of one that Anthropic may shorten. */
function promptFloor(request: Foreign): number {
  if (has(request.context_management) || has(request.compaction) || has(request.thread)) return 0;
  const said = [request.system, ...listOf(request.messages).map((message) => objectOf(message).content)];
  return tokenFloor(
    said
      .flatMap((content) => [content, ...listOf(content).map((block) => objectOf(block).text)])
      .filter((text) => typeof text === 'string'),
  );
}

const PLAIN_BLOCKS: ReadonlySet<unknown> = new Set(['text', 'thinking', 'redacted_thinking', 'tool_use']);

function isPlainBlock(block: unknown): boolean {
  if (!isObject(block)) return false;
  if (block.type === 'tool_result') return listOf(block.content).every(isPlainBlock);
  return PLAIN_BLOCKS.has(block.type);
}

/** What a request reads from the account that it runs in. */
function accountObjects(request: Omit<MessagesBody, 'model'>): string[] {
  const { container } = request;
  const found: [string, boolean][] = [
    ['thread', has(request.thread)],
    ['container', has(idOf(container)) || has(objectOf(container).skills)],
    ['file_id', namesFile([request.system, request.messages])],
  ];
  return found.flatMap(([field, present]) => (present ? [field] : []));
}

/** A container is named by its id alone, or in an object. */
function idOf(container: unknown): unknown {
  return typeof container === 'string' ? container : objectOf(container).id;
}

/**
 * Anywhere in content, for blocks hold others. What a tool is called with is no content but JSON of the client's, and
 * the files that code has made are only told again.
 */
function namesFile(content: unknown): boolean {
  if (Array.isArray(content)) return content.some(namesFile);
  if (!isObject(content)) return false;
  const { input, file_id, ...block } = content;
  const type = nameOf(block.type) ?? '';
  return (
    (has(file_id) && !type.endsWith('code_execution_output')) ||
    Object.values(block).some(namesFile) ||
    (!type.endsWith('tool_use') && namesFile(input))
  );
}

/** The speed that was asked of the model that served: a fallback may have one of its own, where null is the plain one. */
function speedsOf({
  model,
  speed = null,
  fallbacks,
}: MessagesBody): (served: string | null) => string | null {
  const others = listOf(fallbacks).map(objectOf);
  return (served) => {
    if (served === null || others.length === 0 || isSameModel(served, model)) return speed;
    const fallback = others.find((other) => isSameModel(served, nameOf(other.model)));
    return fallback?.speed === undefined ? speed : nameOf(fallback.speed);
  };
}

/** From this version on they run code by themselves, and all code of the call is free. */
const FILTERING_TOOLS = /^web_(?:search|fetch)_(?<version>\d{8})$/;
const FIRST_FILTERING = '20260209';

/** Whether a container of an answer is a session that is paid for: not of the request's own, which exists already. */
function sessionsOf({ tools, container }: MessagesBody): (answered: Foreign) => boolean {
  if (listOf(tools).some(filters)) return () => false;
  const own = idOf(container) ?? null;
  return ({ id }) => own === null || id !== own;
}

function filters(tool: unknown): boolean {
  const { version } = FILTERING_TOOLS.exec(nameOf(objectOf(tool).type) ?? '')?.groups ?? {};
  return version !== undefined && version >= FIRST_FILTERING;
}
