import { type Exchange, type Json, listOf, objectOf, sendEvents, sendJson } from '../wire.js';
import { type Generation, generate, sumOf } from './generation.js';

/** POST /{version}/interactions, of a model. */
export function answerInteractions(exchange: Exchange, body: Json): void {
  const generation = generate(String(body.model), exchange.behaviour, asContents(body));
  const answered = { ...exchange, headers: { ...exchange.headers, 'content-type': 'application/json' } };
  if (body.stream === true)
    sendEvents(exchange, events(generation), [
      event('error', { error: { code: 'internal', message: 'An internal error has occurred.' } }),
    ]);
  else sendJson(answered, 200, whole(generation));
}

/** Errors here have a word for a code. */
export function interactionsError(status: number, message: string | undefined): Json {
  const code = status === 429 ? 'too_many_requests' : status < 500 ? 'invalid_request' : 'internal';
  return { error: { code, message: message ?? `Status ${status} was asked for.` } };
}

/** The same request in the words of generateContent. */
function asContents({ input, system_instruction, tools, generation_config }: Json): Json {
  const turns = typeof input === 'string' ? [{ text: input }] : listOf(input).map(objectOf);
  return {
    contents: [{ role: 'user', parts: turns.map((turn) => (turn.content ? { text: turn.content } : turn)) }],
    systemInstruction: system_instruction,
    tools,
    generationConfig: { maxOutputTokens: objectOf(generation_config).max_output_tokens },
  };
}

function usageOf({ counts }: Generation): Json {
  const input = sumOf(counts.prompt);
  const output = counts.said ?? 0;
  return {
    total_tokens: input + output + counts.thoughts + counts.toolUse,
    total_input_tokens: input,
    input_tokens_by_modality: counts.prompt.map(({ modality, tokenCount }) => ({
      modality: modality.toLowerCase(),
      tokens: tokenCount,
    })),
    total_cached_tokens: counts.cached,
    total_output_tokens: output,
    total_tool_use_tokens: counts.toolUse,
    total_thought_tokens: counts.thoughts,
  };
}

function whole(generation: Generation): Json {
  const now = new Date().toISOString();
  const said = generation.parts.filter(({ text, thought }) => text !== undefined && thought === undefined);
  const output = {
    content: [{ text: said.map(({ text }) => text).join(''), type: 'text' }],
    type: 'model_output',
  };
  return {
    id: `v1_${generation.id}`,
    status: generation.finishReason === 'STOP' ? 'completed' : 'incomplete',
    ...(generation.silent ? {} : { usage: usageOf(generation) }),
    created: now,
    updated: now,
    service_tier: 'standard',
    steps: [
      ...(generation.counts.thoughts === 0 ? [] : [{ signature: 'c2FuZGJveA==', type: 'thought' }]),
      output,
    ],
    object: 'interaction',
    model: generation.model,
  };
}

function event(event_type: string, data: Json): string {
  return `event: ${event_type}\ndata: ${JSON.stringify({ event_type, ...data })}\n\n`;
}

function events(generation: Generation): string[] {
  const { steps: _steps, usage, ...lifecycle } = whole(generation);
  const said = generation.parts.filter(({ text, thought }) => text !== undefined && thought === undefined);
  return [
    event('interaction.created', { interaction: { ...lifecycle, status: 'in_progress' } }),
    event('step.start', { index: 0, step: { type: 'model_output', content: [] } }),
    ...said.map(({ text }) => event('step.delta', { index: 0, delta: { type: 'text', text } })),
    event('step.stop', { index: 0 }),
    event('interaction.completed', { interaction: { ...lifecycle, ...(usage ? { usage } : {}) } }),
    'event: done\ndata: [DONE]\n\n',
  ];
}
