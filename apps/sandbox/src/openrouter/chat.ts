import type { Behaviour } from '../directives.js';
import { composeReply, promptTokens, type Reply, textIn } from '../reply.js';
import { demandedTool, sampleOf } from '../tool-arguments.js';
import { type Exchange, type Json, listOf, newId, objectOf, sendEvents, wholeNumber } from '../wire.js';
import { type Consumed, costsOf, GENERATIONS } from './costs.js';
import { generation, openrouterStatusError, sendPadded } from './openrouter-wire.js';

const PROVIDER = 'Sandbox';
const COMMENT = ': OPENROUTER PROCESSING\n\n';

interface Chat {
  id: string;
  created: number;
  model: unknown;
  reply: Reply;
  call: Json | null;
  finish: string;
  usage: Json;
  behaviour: Behaviour;
}

/** POST /api/v1/chat/completions */
export function answerChat(exchange: Exchange, body: Json): void {
  const { id, answered } = generation(exchange);
  const chat = compose(id, exchange.behaviour, body);
  GENERATIONS.put(id, generationOf(chat, body.stream === true));
  if (body.stream === true) sendEvents(answered, chunks(chat), failure(chat));
  else sendPadded(answered, completion(chat));
}

function compose(id: string, behaviour: Behaviour, body: Json): Chat {
  const messages = listOf(body.messages);
  const tools = listOf(body.tools).map((tool) => objectOf(objectOf(tool).function));
  const named = tools.map(({ name, parameters }) => ({ name: String(name), parameters }));
  const tool = demandedTool(named, body.tool_choice === 'required' ? true : null);
  const limit = wholeNumber(body.max_completion_tokens) ?? wholeNumber(body.max_tokens);
  const reply = composeReply(textIn(messages.at(-1)), behaviour, limit);
  const call = tool && {
    id: newId('call_'),
    type: 'function',
    function: { name: tool.name, arguments: JSON.stringify(sampleOf(tool.parameters)) },
  };
  const { cached, cachewrite } = behaviour;
  const consumed: Consumed = {
    prompt: promptTokens([messages, body.tools], messages.length) + (cached ?? 0) + (cachewrite ?? 0),
    cached: cached ?? 0,
    written: cachewrite ?? 0,
    completion: (call ? promptTokens(call.function, 1) : reply.tokens) + (behaviour.reasoning ?? 0),
    searches: searchesOf(body, behaviour),
  };
  return {
    id,
    created: Math.floor(Date.now() / 1_000),
    model: body.model,
    reply,
    call,
    finish: call ? 'tool_calls' : reply.cut ? 'length' : 'stop',
    usage: usageOf(consumed, behaviour),
    behaviour,
  };
}

/** The web is searched where the plugin, the tool or the variant of the model says so. */
function searchesOf({ plugins, tools, model }: Json, { tooluses }: Behaviour): number {
  const offered = [...listOf(plugins), ...listOf(tools)].map(objectOf);
  const isWeb = offered.some(({ id, type }) => id === 'web' || type === 'openrouter:web_search');
  return isWeb || String(model).endsWith(':online') ? (tooluses ?? 1) : 0;
}

function usageOf(consumed: Consumed, behaviour: Behaviour): Json {
  const { prompt, completion, cached, written, searches } = consumed;
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    ...costsOf(consumed, behaviour),
    prompt_tokens_details: {
      cached_tokens: cached,
      cache_write_tokens: written,
      audio_tokens: 0,
      video_tokens: 0,
    },
    completion_tokens_details: {
      reasoning_tokens: behaviour.reasoning ?? 0,
      image_tokens: 0,
      audio_tokens: 0,
    },
    ...(searches === 0 ? {} : { server_tool_use_details: { web_search_requests: searches } }),
  };
}

/** In chats `refusal` stays null: providers behind OpenRouter refuse in the content. */
function completion(chat: Chat): Json {
  const { id, created, model, reply, call, finish, usage, behaviour } = chat;
  const message = {
    role: 'assistant',
    content: call ? null : reply.text,
    refusal: null,
    reasoning: thought(behaviour),
    ...(call ? { tool_calls: [call] } : {}),
  };
  return {
    id,
    object: 'chat.completion',
    created,
    model,
    provider: PROVIDER,
    system_fingerprint: null,
    choices: [{ index: 0, logprobs: null, finish_reason: finish, native_finish_reason: finish, message }],
    ...(behaviour.nousage ? {} : { usage }),
  };
}

function thought({ reasoning }: Behaviour): string | null {
  return reasoning === null ? null : 'x'.repeat(reasoning * 4);
}

function chunk(chat: Chat, delta: Json, finish: string | null, more: Json = {}): string {
  const { id, created, model } = chat;
  const frame = { id, object: 'chat.completion.chunk', created, model, provider: PROVIDER };
  const choice = {
    index: 0,
    delta: { role: 'assistant', ...delta },
    finish_reason: finish,
    native_finish_reason: finish,
  };
  return `data: ${JSON.stringify({ ...frame, choices: [choice], ...more })}\n\n`;
}

/** Comments come before and between events; usage comes with a choice that says the end once more. */
function chunks(chat: Chat): string[] {
  const { reply, call, finish, usage, behaviour } = chat;
  const reasoning = thought(behaviour);
  const said = call
    ? [chunk(chat, { content: null, tool_calls: [{ index: 0, ...call }] }, null)]
    : reply.pieces.map((content) => chunk(chat, { content }, null));
  return [
    COMMENT,
    ...(reasoning === null ? [] : [chunk(chat, { content: '', reasoning }, null), COMMENT]),
    ...said,
    chunk(chat, { content: '' }, finish),
    ...(behaviour.nousage ? [] : [chunk(chat, { content: '' }, finish, { usage })]),
    'data: [DONE]\n\n',
  ];
}

/** A provider that fails when it has begun: an error in a chunk, and what it cost nevertheless after that. */
function failure(chat: Chat): string[] {
  const { error } = openrouterStatusError(502, 'Provider disconnected');
  return [
    chunk(chat, { content: '' }, 'error', { error }),
    ...(chat.behaviour.nousage ? [] : [chunk(chat, { content: '' }, 'error', { usage: chat.usage })]),
    'data: [DONE]\n\n',
  ];
}

/** What GET /api/v1/generation tells of a call, also of one that was broken off. */
function generationOf({ id, model, finish, usage, behaviour }: Chat, streamed: boolean): Json {
  const details = objectOf(usage.cost_details);
  return {
    id,
    upstream_id: newId('chatcmpl-'),
    api_type: 'completions',
    app_id: null,
    cache_discount: null,
    cancelled: false,
    created_at: new Date().toISOString(),
    data_region: 'global',
    external_user: null,
    finish_reason: finish,
    native_finish_reason: finish,
    generation_time: 3,
    latency: 3,
    moderation_latency: null,
    http_referer: null,
    is_byok: behaviour.byok,
    model,
    native_tokens_prompt: usage.prompt_tokens,
    native_tokens_completion: usage.completion_tokens,
    native_tokens_cached: behaviour.cached ?? 0,
    native_tokens_reasoning: behaviour.reasoning ?? 0,
    native_tokens_completion_images: null,
    tokens_prompt: usage.prompt_tokens,
    tokens_completion: usage.completion_tokens,
    num_fetches: null,
    num_input_audio_prompt: null,
    num_media_completion: null,
    num_media_prompt: null,
    num_search_results: null,
    origin: '',
    preset_id: null,
    provider_name: PROVIDER,
    provider_responses: null,
    router: null,
    service_tier: null,
    streamed,
    total_cost: usage.cost,
    usage: usage.cost,
    upstream_inference_cost: details.upstream_inference_cost,
    user_agent: null,
    web_search_engine: null,
    workspace_id: null,
  };
}
