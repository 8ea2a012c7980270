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

interface Response {
  /** Every field of the response object but status, output and usage. */
  frame: Json;
  tier: string;
  item: Json;
  reply: Reply;
  usage: Json | null;
  cut: boolean;
}

/** POST /v1/responses */
export function answerResponses(exchange: Exchange, body: Json): void {
  const response = compose(exchange, body);
  if (body.stream === true) sendEvents(exchange, events(response), failure(response));
  else sendJson(exchange, 200, ended(response));
}

function compose({ behaviour }: Exchange, body: Json): Response {
  const items = Array.isArray(body.input) ? body.input : [body.input];
  const tool = demandedTool(toolsOf(body.tools), demandOf(body.tool_choice));
  const reply = composeReply(textIn(items.at(-1)), behaviour, wholeNumber(body.max_output_tokens));
  const call = tool && { name: tool.name, arguments: JSON.stringify(sampleOf(tool.parameters)) };
  const input =
    promptTokens([body.instructions, items, body.tools], items.length) +
    (behaviour.cached ?? 0) +
    (behaviour.cachewrite ?? 0);
  const output = call ? promptTokens([call.name, call.arguments], 1) : reply.tokens;
  return {
    frame: frameOf(body),
    tier: billedTier(body.service_tier),
    item: call ? callItem(call) : messageItem(reply.text),
    reply,
    cut: !call && reply.cut,
    usage: behaviour.nousage
      ? null
      : {
          input_tokens: input,
          input_tokens_details: promptDetails(behaviour),
          output_tokens: output,
          output_tokens_details: { reasoning_tokens: 0 },
          total_tokens: input + output,
        },
  };
}

function toolsOf(tools: unknown): Tool[] {
  return listOf(tools)
    .map(objectOf)
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

function messageItem(text: string): Json {
  return {
    id: newId('msg_'),
    type: 'message',
    status: 'completed',
    content: [textPart(text)],
    role: 'assistant',
  };
}

function textPart(text: string): Json {
  return { type: 'output_text', annotations: [], logprobs: [], text };
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

function ended({ frame, tier, item, usage, cut }: Response): Json {
  return {
    ...frame,
    status: cut ? 'incomplete' : 'completed',
    incomplete_details: cut ? { reason: 'max_output_tokens' } : null,
    output: [item],
    service_tier: tier,
    usage,
  };
}

function events(response: Response): string[] {
  const write = numbered();
  const last = response.cut ? 'response.incomplete' : 'response.completed';
  return [
    write('response.created', { response: begun(response) }),
    write('response.in_progress', { response: begun(response) }),
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

function itemEvents({ item, reply }: Response, write: Write): string[] {
  const place = { item_id: item.id, output_index: 0 };
  const empty = { ...item, status: 'in_progress' };
  if (item.type === 'function_call') {
    const text = String(item.arguments);
    return [
      write('response.output_item.added', { output_index: 0, item: { ...empty, arguments: '' } }),
      write('response.function_call_arguments.delta', { ...place, delta: text }),
      write('response.function_call_arguments.done', { ...place, name: item.name, arguments: text }),
      write('response.output_item.done', { output_index: 0, item }),
    ];
  }
  const part = { ...place, content_index: 0 };
  return [
    write('response.output_item.added', { output_index: 0, item: { ...empty, content: [] } }),
    write('response.content_part.added', { ...part, part: textPart('') }),
    ...reply.pieces.map((delta) => write('response.output_text.delta', { ...part, delta, logprobs: [] })),
    write('response.output_text.done', { ...part, text: reply.text, logprobs: [] }),
    write('response.content_part.done', { ...part, part: textPart(reply.text) }),
    write('response.output_item.done', { output_index: 0, item }),
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
