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
import { iterationsOf } from './iterations.js';
import { type ServerTools, serverToolsOf } from './server-tools.js';

interface Message {
  frame: Json;
  /** Thinking, uses of Anthropic's own tools, and the answer. */
  blocks: readonly Json[];
  reply: Reply;
  /** How it stopped; `container` where code was run. */
  stop: Json;
  /** The input side, as message_start reports it. */
  input: Json;
  /** What becomes known with the last event only; the output always. */
  output: Json;
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
  const prompt = textIn(listOf(body.messages).at(-1));
  const silenced = behaviour.refusal && behaviour.chunks === null;
  const reply = composeReply(
    prompt,
    silenced ? { ...behaviour, chunks: 0 } : behaviour,
    wholeNumber(body.max_tokens),
  );
  const call = tool && { name: tool.name, input: sampleOf(tool.parameters) };
  const served = serverToolsOf(listOf(body.tools), prompt.slice(0, 100), behaviour);
  const written = behaviour.cachewrite ?? 0;
  const answer = call
    ? { type: 'tool_use', id: newId('toolu_'), ...call }
    : { type: 'text', text: reply.text };
  const input = {
    input_tokens: inputTokens(body),
    cache_creation_input_tokens: written,
    cache_read_input_tokens: behaviour.cached ?? 0,
    cache_creation: { ephemeral_5m_input_tokens: written, ephemeral_1h_input_tokens: 0 },
    service_tier: 'standard',
    inference_geo: body.inference_geo ?? 'not_available',
    ...(body.speed === undefined ? {} : { speed: body.speed }),
  };
  const thinking = behaviour.reasoning ?? 0;
  const spoken = call ? promptTokens([call.name, JSON.stringify(call.input)], 1) : reply.tokens;
  const output = {
    ...lateInput(input, served),
    output_tokens: spoken + thinking,
    ...(behaviour.reasoning === null ? {} : { output_tokens_details: { thinking_tokens: thinking } }),
    ...(served.usage ? { server_tool_use: served.usage } : {}),
  };
  return {
    frame: { id: newId('msg_'), type: 'message', role: 'assistant', model: body.model },
    blocks: [
      ...(behaviour.reasoning === null ? [] : [thought(thinking)]),
      ...served.blocks,
      ...(silenced ? [] : [answer]),
    ],
    reply,
    stop: {
      ...stopOf(behaviour.refusal ? 'refusal' : call ? 'tool_use' : reply.cut ? 'max_tokens' : 'end_turn'),
      ...(served.container ? { container: served.container } : {}),
    },
    input,
    output: { ...output, ...iterationsOf(behaviour, { ...input, ...output }) },
    silent: behaviour.nousage,
  };
}

/** What Anthropic's own tools found is read as input. It is known at the end only, and then the rest is told again. */
function lateInput(input: Json, { inputTokens: found, usage }: ServerTools): Json {
  if (!usage) return {};
  const { input_tokens, cache_creation_input_tokens, cache_read_input_tokens } = input;
  return {
    input_tokens: Number(input_tokens) + found,
    cache_creation_input_tokens,
    cache_read_input_tokens,
  };
}

function thought(tokens: number): Json {
  return { type: 'thinking', thinking: 'x'.repeat(tokens * 4), signature: newId('sandbox') };
}

function stopOf(stop_reason: string): Json {
  const details = { type: 'refusal', category: null, explanation: null };
  return {
    stop_reason,
    stop_sequence: null,
    ...(stop_reason === 'refusal' ? { stop_details: details } : { stop_details: null }),
  };
}

/** The client's own tools; those of Anthropic have a type with a date and no schema. */
function toolsOf(tools: unknown): Tool[] {
  return listOf(tools)
    .map(objectOf)
    .filter(({ type }) => type === undefined || type === 'custom')
    .map(({ name, input_schema }) => ({ name: String(name), parameters: input_schema }));
}

function demandOf(choice: unknown): string | true | null {
  const { type, name } = objectOf(choice);
  if (type === 'any') return true;
  return type === 'tool' && typeof name === 'string' ? name : null;
}

function whole({ frame, blocks, stop, input, output, silent }: Message): Json {
  return {
    ...frame,
    content: blocks,
    ...stop,
    ...(silent ? {} : { usage: { ...input, ...output } }),
  };
}

function event(type: string, data: unknown): string {
  return `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** The input side is reported at the start; the last delta has the output alone, as the API sends it without tools. */
function events({ frame, blocks, reply, stop, input, output, silent }: Message): string[] {
  const opened = { ...frame, content: [], stop_reason: null, stop_sequence: null };
  const start = silent ? opened : { ...opened, usage: { ...input, output_tokens: 1 } };
  const end = { type: 'message_delta', delta: stop };
  const [first = [], ...rest] = blocks.map((block, index) => blockEvents(block, index, reply));
  return [
    event('message_start', { type: 'message_start', message: start }),
    ...first.slice(0, 1),
    event('ping', { type: 'ping' }),
    ...first.slice(1),
    ...rest.flat(),
    event('message_delta', silent ? end : { ...end, usage: output }),
    event('message_stop', { type: 'message_stop' }),
  ];
}

function blockEvents(block: Json, index: number, reply: Reply): string[] {
  return [
    event('content_block_start', { type: 'content_block_start', index, content_block: emptied(block) }),
    ...deltas(block, reply).map((delta) => blockDelta(index, delta)),
    event('content_block_stop', { type: 'content_block_stop', index }),
  ];
}

function emptied(block: Json): Json {
  switch (block.type) {
    case 'text':
      return { ...block, text: '' };
    case 'thinking':
      return { ...block, thinking: '', signature: '' };
    case 'tool_use':
    case 'server_tool_use':
      return { ...block, input: {} };
    default:
      return block;
  }
}

function deltas(block: Json, reply: Reply): string[] {
  switch (block.type) {
    case 'text':
      return reply.pieces.map((piece) => `{"type":"text_delta","text":${JSON.stringify(piece)}}`);
    case 'thinking':
      return [
        JSON.stringify({ type: 'thinking_delta', thinking: block.thinking }),
        JSON.stringify({ type: 'signature_delta', signature: block.signature }),
      ];
    case 'tool_use':
    case 'server_tool_use': {
      const text = JSON.stringify(block.input);
      const middle = text.length >> 1;
      return ['', text.slice(0, middle), text.slice(middle)].map(
        (part) => `{"type":"input_json_delta","partial_json":${JSON.stringify(part)}}`,
      );
    }
    default:
      return [];
  }
}

function blockDelta(index: number, delta: string): string {
  return `event: content_block_delta\ndata: {"type":"content_block_delta","index":${index},"delta":${delta}}\n\n`;
}
