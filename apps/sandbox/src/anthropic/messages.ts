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
import { anthropicStatusError } from './anthropic-wire.js';

interface Message {
  frame: Json;
  block: Json;
  reply: Reply;
  stopReason: string;
  /** The input side, as message_start reports it. */
  input: Json;
  output: number;
  silent: boolean;
}

/** POST /v1/messages */
export function answerMessages(exchange: Exchange, body: Json): void {
  const message = compose(exchange, body);
  const failure = [event('error', anthropicStatusError(529))];
  if (body.stream === true) sendEvents(exchange, events(message), failure);
  else sendJson(exchange, 200, whole(message));
}

/** POST /v1/messages/count_tokens */
export function answerCountTokens(exchange: Exchange, body: Json): void {
  sendJson(exchange, 200, { input_tokens: inputTokens(body) });
}

function inputTokens(body: Json): number {
  return promptTokens([body.system, body.messages, body.tools], listOf(body.messages).length);
}

function compose({ behaviour }: Exchange, body: Json): Message {
  const tool = demandedTool(toolsOf(body.tools), demandOf(body.tool_choice));
  const reply = composeReply(textIn(listOf(body.messages).at(-1)), behaviour, wholeNumber(body.max_tokens));
  const call = tool && { name: tool.name, input: sampleOf(tool.parameters) };
  const written = behaviour.cachewrite ?? 0;
  return {
    frame: { id: newId('msg_'), type: 'message', role: 'assistant', model: body.model },
    block: call ? { type: 'tool_use', id: newId('toolu_'), ...call } : { type: 'text', text: reply.text },
    reply,
    stopReason: call ? 'tool_use' : reply.cut ? 'max_tokens' : 'end_turn',
    input: {
      input_tokens: inputTokens(body),
      cache_creation_input_tokens: written,
      cache_read_input_tokens: behaviour.cached ?? 0,
      cache_creation: { ephemeral_5m_input_tokens: written, ephemeral_1h_input_tokens: 0 },
      service_tier: 'standard',
      inference_geo: body.inference_geo ?? 'not_available',
      ...(body.speed === undefined ? {} : { speed: body.speed }),
    },
    output: call ? promptTokens([call.name, JSON.stringify(call.input)], 1) : reply.tokens,
    silent: behaviour.nousage,
  };
}

function toolsOf(tools: unknown): Tool[] {
  return listOf(tools)
    .map(objectOf)
    .map(({ name, input_schema }) => ({ name: String(name), parameters: input_schema }));
}

function demandOf(choice: unknown): string | true | null {
  const { type, name } = objectOf(choice);
  if (type === 'any') return true;
  return type === 'tool' && typeof name === 'string' ? name : null;
}

function whole({ frame, block, stopReason, input, output, silent }: Message): Json {
  return {
    ...frame,
    content: [block],
    stop_reason: stopReason,
    stop_sequence: null,
    ...(silent ? {} : { usage: { ...input, output_tokens: output } }),
  };
}

function event(type: string, data: unknown): string {
  return `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** The input side is reported at the start; the last delta has the output alone, as the API sends it without tools. */
function events({ frame, block, reply, stopReason, input, output, silent }: Message): string[] {
  const opened = { ...frame, content: [], stop_reason: null, stop_sequence: null };
  const start = silent ? opened : { ...opened, usage: { ...input, output_tokens: 1 } };
  const end = { type: 'message_delta', delta: { stop_reason: stopReason, stop_sequence: null } };
  return [
    event('message_start', { type: 'message_start', message: start }),
    event('content_block_start', { type: 'content_block_start', index: 0, content_block: emptied(block) }),
    event('ping', { type: 'ping' }),
    ...deltas(block, reply),
    event('content_block_stop', { type: 'content_block_stop', index: 0 }),
    event('message_delta', silent ? end : { ...end, usage: { output_tokens: output } }),
    event('message_stop', { type: 'message_stop' }),
  ];
}

function emptied(block: Json): Json {
  return block.type === 'tool_use' ? { ...block, input: {} } : { ...block, text: '' };
}

function deltas(block: Json, reply: Reply): string[] {
  if (block.type !== 'tool_use')
    return reply.pieces.map((piece) => blockDelta(`{"type":"text_delta","text":${JSON.stringify(piece)}}`));
  const text = JSON.stringify(block.input);
  const middle = text.length >> 1;
  return ['', text.slice(0, middle), text.slice(middle)].map((part) =>
    blockDelta(`{"type":"input_json_delta","partial_json":${JSON.stringify(part)}}`),
  );
}

function blockDelta(delta: string): string {
  return `event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":${delta}}\n\n`;
}
