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

interface Call {
  id: string;
  name: string;
  arguments: string;
}

interface Chat {
  id: string;
  created: number;
  model: string;
  tier: string;
  choices: number;
  reply: Reply;
  call: Call | null;
  refused: boolean;
  usage: Json;
}

/** POST /v1/chat/completions */
export function answerChat(exchange: Exchange, body: Json): void {
  const chat = compose(exchange, body);
  if (body.stream !== true) {
    sendJson(exchange, 200, completion(exchange, chat));
    return;
  }
  const withUsage = objectOf(body.stream_options).include_usage === true;
  const failure = [`data: ${JSON.stringify(openaiStatusError(500))}\n\n`];
  sendEvents(exchange, chunks(chat, withUsage, exchange.behaviour.nousage), failure);
}

function compose({ behaviour }: Exchange, body: Json): Chat {
  const messages = listOf(body.messages);
  const tool = demandedTool(toolsOf(body.tools), demandOf(body.tool_choice));
  const limit = wholeNumber(body.max_completion_tokens) ?? wholeNumber(body.max_tokens);
  const choices = wholeNumber(body.n) ?? 1;
  const reply = composeReply(textIn(messages.at(-1)), behaviour, limit);
  const call = tool && {
    id: newId('call_'),
    name: tool.name,
    arguments: JSON.stringify(sampleOf(tool.parameters)),
  };
  const prompt =
    promptTokens([messages, body.tools], messages.length) +
    (behaviour.cached ?? 0) +
    (behaviour.cachewrite ?? 0);
  const spoken = call ? promptTokens([call.name, call.arguments], 1) : reply.tokens;
  const reasoning = behaviour.reasoning ?? 0;
  const output = (spoken + reasoning) * choices;
  return {
    id: newId('chatcmpl-'),
    created: Math.floor(Date.now() / 1_000),
    model: String(body.model),
    tier: billedTier(body.service_tier),
    choices,
    reply,
    call,
    refused: behaviour.refusal,
    usage: {
      prompt_tokens: prompt,
      completion_tokens: output,
      total_tokens: prompt + output,
      prompt_tokens_details: { ...promptDetails(behaviour), audio_tokens: 0 },
      completion_tokens_details: {
        reasoning_tokens: reasoning * choices,
        audio_tokens: 0,
        accepted_prediction_tokens: 0,
        rejected_prediction_tokens: 0,
      },
    },
  };
}

function toolsOf(tools: unknown): Tool[] {
  return listOf(tools)
    .map((tool) => objectOf(objectOf(tool).function))
    .map(({ name, parameters }) => ({ name: String(name), parameters }));
}

function demandOf(choice: unknown): string | true | null {
  if (choice === 'required') return true;
  const { name } = objectOf(objectOf(choice).function);
  return typeof name === 'string' ? name : null;
}

function finishReason({ call, reply }: Chat): string {
  return call ? 'tool_calls' : reply.cut ? 'length' : 'stop';
}

function completion({ behaviour }: Exchange, chat: Chat): Json {
  const { id, created, model, tier, call, refused, reply, usage } = chat;
  const message = {
    role: 'assistant',
    content: call || refused ? null : reply.text,
    ...(call ? { tool_calls: [toolCall(call)] } : {}),
    refusal: refused ? reply.text : null,
    annotations: [],
  };
  const choices = Array.from({ length: chat.choices }, (_, index) => ({
    index,
    message,
    logprobs: null,
    finish_reason: finishReason(chat),
  }));
  return {
    id,
    object: 'chat.completion',
    created,
    model,
    choices,
    ...(behaviour.nousage ? {} : { usage }),
    service_tier: tier,
    system_fingerprint: 'fp_sandbox',
  };
}

function toolCall({ id, name, arguments: text }: Call): Json {
  return { id, type: 'function', function: { name, arguments: text } };
}

/** The events of a stream. They differ in little, so their common text is written once. */
function chunks(chat: Chat, withUsage: boolean, silent: boolean): string[] {
  const head = JSON.stringify({
    id: chat.id,
    object: 'chat.completion.chunk',
    created: chat.created,
    model: chat.model,
    service_tier: chat.tier,
    system_fingerprint: 'fp_sandbox',
  }).slice(0, -1);
  const tail = withUsage ? '],"usage":null}\n\n' : ']}\n\n';
  const chunk = (index: number, delta: string, finish = 'null'): string =>
    `data: ${head},"choices":[{"index":${index},"delta":${delta},"logprobs":null,"finish_reason":${finish}}${tail}`;

  const events: string[] = [];
  for (let index = 0; index < chat.choices; index += 1) {
    events.push(chunk(index, `{"role":"assistant","content":${chat.call ? 'null' : '""'},"refusal":null}`));
    if (chat.call) events.push(...callDeltas(chat.call).map((delta) => chunk(index, delta)));
    else
      for (const piece of chat.reply.pieces)
        events.push(chunk(index, `{"${chat.refused ? 'refusal' : 'content'}":${JSON.stringify(piece)}}`));
    events.push(chunk(index, '{}', `"${finishReason(chat)}"`));
  }
  if (withUsage && !silent)
    events.push(`data: ${head},"choices":[],"usage":${JSON.stringify(chat.usage)}}\n\n`);
  events.push('data: [DONE]\n\n');
  return events;
}

function callDeltas(call: Call): string[] {
  const middle = call.arguments.length >> 1;
  const begin = { tool_calls: [{ index: 0, ...toolCall({ ...call, arguments: '' }) }] };
  const parts = [call.arguments.slice(0, middle), call.arguments.slice(middle)];
  const rest = parts.map((part) => ({ tool_calls: [{ index: 0, function: { arguments: part } }] }));
  return [begin, ...rest].map((delta) => JSON.stringify(delta));
}
