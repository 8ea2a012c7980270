import { Kept } from '../kept.js';
import { composeReply, promptTokens, type Reply, textIn } from '../reply.js';
import { demandedTool, sampleOf, type Tool } from '../tool-arguments.js';
import {
  type Exchange,
  type Json,
  listOf,
  newId,
  objectOf,
  sendEvents,
  sendJson,
  wholeNumber,
} from '../wire.js';
import { billedTier, openaiStatusError, promptDetails } from './openai-wire.js';
import { toolEvents, toolUsesOf } from './responses-tools.js';

interface Response {
  /** Every field of the response object but status, output and usage. */
  frame: Json;
  tier: string;
  /** What comes before the last item: thoughts, and uses of OpenAI's own tools. */
  before: readonly Json[];
  item: Json;
  reply: Reply;
  toolUsage: Json;
  usage: Json | null;
  cut: boolean;
}

/** Stored responses, whole. Few: they hold all of their text. */
const STORED = new Kept<Json>(200);

/** POST /v1/responses */
export function answerResponses(exchange: Exchange, body: Json): void {
  const response = compose(exchange, body);
  if (body.store !== false) STORED.put(String(response.frame.id), ended(response));
  if (body.background === true && body.stream !== true)
    sendJson(exchange, 200, { ...begun(response), background: true, status: 'queued' });
  else if (body.stream === true) sendEvents(exchange, events(response), failure(response));
  else sendJson(exchange, 200, ended(response));
}

/** GET /v1/responses/{id} */
export function answerStored(exchange: Exchange): void {
  const stored = STORED.get(exchange.params.id ?? '');
  if (stored) sendJson(exchange, 200, stored);
  else sendMissing(exchange);
}

/** DELETE /v1/responses/{id} */
export function answerDeletion(exchange: Exchange): void {
  const id = exchange.params.id ?? '';
  if (STORED.delete(id)) sendJson(exchange, 200, { id, object: 'response', deleted: true });
  else sendMissing(exchange);
}

function sendMissing(exchange: Exchange): void {
  const { id } = exchange.params;
  sendJson(exchange, 404, openaiStatusError(404, `Response with id '${id}' not found.`));
}

/** POST /v1/responses/input_tokens */
export function answerInputTokens(exchange: Exchange, body: Json): void {
  sendJson(exchange, 200, { input_tokens: inputTokens(body), object: 'response.input_tokens' });
}

/** POST /v1/responses/compact: what users said is kept, the rest is sealed. */
export function answerCompact(exchange: Exchange, body: Json): void {
  const input = inputTokens(body) + (exchange.behaviour.cached ?? 0);
  const output = Math.max(1, input >> 1);
  const said = itemsOf(body)
    .map((item) => (typeof item === 'string' ? { role: 'user', content: item } : objectOf(item)))
    .filter(({ role }) => role === 'user')
    .map((item) => ({
      id: newId('msg_'),
      type: 'message',
      status: 'completed',
      content: [{ type: 'input_text', text: textIn(item) }],
      role: 'user',
    }));
  const sealed = { id: newId('cmp_'), type: 'compaction', encrypted_content: newId('sandbox') };
  sendJson(exchange, 200, {
    id: newId('resp_'),
    object: 'response.compaction',
    created_at: Math.floor(Date.now() / 1_000),
    output: [...said, sealed],
    ...(exchange.behaviour.nousage ? {} : { usage: usageOf(exchange, input, output) }),
  });
}

function itemsOf({ input }: Json): readonly unknown[] {
  if (Array.isArray(input)) return input;
  return input === undefined ? [] : [input];
}

function inputTokens(body: Json): number {
  const items = itemsOf(body);
  return promptTokens([body.instructions, items, body.tools], items.length);
}

function usageOf({ behaviour }: Exchange, input: number, output: number): Json {
  return {
    input_tokens: input,
    input_tokens_details: promptDetails(behaviour),
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: behaviour.reasoning ?? 0 },
    total_tokens: input + output,
  };
}

function compose(exchange: Exchange, body: Json): Response {
  const { behaviour } = exchange;
  const items = itemsOf(body);
  const tool = demandedTool(toolsOf(body.tools), demandOf(body.tool_choice));
  const reply = composeReply(textIn(items.at(-1)), behaviour, wholeNumber(body.max_output_tokens));
  const call = tool && { name: tool.name, arguments: JSON.stringify(sampleOf(tool.parameters)) };
  const uses = toolUsesOf(listOf(body.tools), textIn(items.at(-1)).slice(0, 100), behaviour);
  const input = inputTokens(body) + uses.inputTokens + (behaviour.cached ?? 0) + (behaviour.cachewrite ?? 0);
  const spoken = call ? promptTokens([call.name, call.arguments], 1) : reply.tokens;
  const thoughts = behaviour.reasoning === null ? [] : [{ id: newId('rs_'), type: 'reasoning', summary: [] }];
  return {
    frame: frameOf(body),
    tier: billedTier(body.service_tier),
    before: [...thoughts, ...uses.items],
    item: call ? callItem(call) : messageItem(partOf(reply.text, behaviour.refusal)),
    reply,
    toolUsage: uses.toolUsage,
    cut: !call && reply.cut,
    usage: behaviour.nousage ? null : usageOf(exchange, input, spoken + (behaviour.reasoning ?? 0)),
  };
}

/** The client's own; a tool without a name is one of OpenAI's. */
function toolsOf(tools: unknown): Tool[] {
  return listOf(tools)
    .map(objectOf)
    .filter(({ name }) => typeof name === 'string')
    .map(({ name, parameters }) => ({ name: String(name), parameters }));
}

function demandOf(choice: unknown): string | true | null {
  if (choice === 'required') return true;
  const { name } = objectOf(choice);
  return typeof name === 'string' ? name : null;
}

function frameOf(body: Json): Json {
  return {
    id: newId('resp_'),
    object: 'response',
    created_at: Math.floor(Date.now() / 1_000),
    background: false,
    error: null,
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    max_tool_calls: null,
    model: body.model,
    parallel_tool_calls: true,
    previous_response_id: null,
    reasoning: { effort: null, summary: null },
    store: body.store ?? true,
    temperature: 1,
    text: { format: { type: 'text' }, verbosity: 'medium' },
    tool_choice: body.tool_choice ?? 'auto',
    tools: body.tools ?? [],
    top_logprobs: 0,
    top_p: 1,
    truncation: 'disabled',
    user: null,
    metadata: {},
  };
}

function messageItem(part: Json): Json {
  return {
    id: newId('msg_'),
    type: 'message',
    status: 'completed',
    content: [part],
    role: 'assistant',
  };
}

function partOf(text: string, refused: boolean): Json {
  return refused
    ? { type: 'refusal', refusal: text }
    : { type: 'output_text', annotations: [], logprobs: [], text };
}

function callItem(call: { name: string; arguments: string }): Json {
  return { id: newId('fc_'), type: 'function_call', status: 'completed', call_id: newId('call_'), ...call };
}

function begun({ frame }: Response): Json {
  return {
    ...frame,
    status: 'in_progress',
    incomplete_details: null,
    output: [],
    service_tier: 'auto',
    usage: null,
  };
}

function ended({ frame, tier, before, item, toolUsage, usage, cut }: Response): Json {
  return {
    ...frame,
    status: cut ? 'incomplete' : 'completed',
    incomplete_details: cut ? { reason: 'max_output_tokens' } : null,
    output: [...before, item],
    service_tier: tier,
    tool_usage: toolUsage,
    usage,
  };
}

function events(response: Response): string[] {
  const write = numbered();
  const last = response.cut ? 'response.incomplete' : 'response.completed';
  return [
    write('response.created', { response: begun(response) }),
    write('response.in_progress', { response: begun(response) }),
    ...response.before.flatMap((item, index) => toolEvents(item, index, write)),
    ...itemEvents(response, write),
    write(last, { response: ended(response) }),
  ];
}

type Write = (type: string, data: Json) => string;

/** Events carry their place in the stream. */
function numbered(from = 0): Write {
  let next = from;
  return (type, data) => {
    const event = `event: ${type}\ndata: ${JSON.stringify({ type, ...data, sequence_number: next })}\n\n`;
    next += 1;
    return event;
  };
}

function itemEvents({ before, item, reply }: Response, write: Write): string[] {
  const output_index = before.length;
  const place = { item_id: item.id, output_index };
  const empty = { ...item, status: 'in_progress' };
  if (item.type === 'function_call') {
    const text = String(item.arguments);
    return [
      write('response.output_item.added', { output_index, item: { ...empty, arguments: '' } }),
      write('response.function_call_arguments.delta', { ...place, delta: text }),
      write('response.function_call_arguments.done', { ...place, name: item.name, arguments: text }),
      write('response.output_item.done', { output_index, item }),
    ];
  }
  const refused = objectOf(listOf(item.content)[0]).type === 'refusal';
  const kind = refused ? 'refusal' : 'output_text';
  const probabilities = refused ? {} : { logprobs: [] };
  const told = refused ? { refusal: reply.text } : { text: reply.text };
  const part = { ...place, content_index: 0 };
  return [
    write('response.output_item.added', { output_index, item: { ...empty, content: [] } }),
    write('response.content_part.added', { ...part, part: partOf('', refused) }),
    ...reply.pieces.map((delta) => write(`response.${kind}.delta`, { ...part, delta, ...probabilities })),
    write(`response.${kind}.done`, { ...part, ...told, ...probabilities }),
    write('response.content_part.done', { ...part, part: partOf(reply.text, refused) }),
    write('response.output_item.done', { output_index, item }),
  ];
}

/** An error event and the failed response that follows it. */
function failure(response: Response): string[] {
  const write = numbered(1_000);
  const { error } = openaiStatusError(429);
  const failed = {
    ...begun(response),
    status: 'failed',
    error: { code: error.code, message: error.message },
  };
  return [write('error', { error }), write('response.failed', { response: failed })];
}
