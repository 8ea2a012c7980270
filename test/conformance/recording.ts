import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** The part of the recordings' index that is read here. */
export interface Recording {
  file: string;
  provider: string;
  endpoint: string;
  method: string;
  status: number;
  content_type?: string | null;
  stream?: boolean;
  expected_usage: Record<string, unknown> | null;
  /** Null: cannot be known from the body. */
  expected_billable: Billable | null;
  request_text?: string;
  request_hints?: Record<string, unknown> | null;
  class: string;
  ask_model: string | null;
  response_model: string | null;
}

type Billable = Record<string, unknown>;

const PROVIDERS = path.join(import.meta.dirname, '..', '..', 'apps', 'gateway', 'src', 'providers');

/** All recordings of the providers that have a folder, in the order of the index. */
export function readRecordings(folder: string | null): Recording[] {
  if (folder === null) return [];
  const slugs = new Set(readdirSync(PROVIDERS));
  const index = JSON.parse(readFileSync(path.join(folder, 'index.json'), 'utf8')) as Recording[];
  return index.filter(({ provider }) => slugs.has(provider));
}

/** What is asserted of a recording depends on this and on its expectations, never on its name. */
export type Kind =
  | 'stream'
  | 'json'
  | 'media'
  | 'free'
  | 'error'
  | 'job'
  | 'policy'
  | 'no rate'
  | 'blocked'
  | 'websocket';

export function kindOf(recording: Recording): Kind {
  if (recording.class !== 'forwarded') return recording.class.replace('_', ' ') as Kind;
  if (recording.status >= 400) return 'error';
  if (recording.expected_billable?.free === true) return 'free';
  if (isEventStream(recording)) return 'stream';
  return /^application\/(?:json|x-jsonl)/.test(contentTypeOf(recording)) ? 'json' : 'media';
}

export function isEventStream({ file }: Recording): boolean {
  return file.endsWith('.sse.txt');
}

const TYPES: Record<string, string> = {
  '.txt': 'text/event-stream',
  '.json': 'application/json',
  '.jsonl': 'application/x-jsonl',
  '.mp3': 'audio/mpeg',
};

export function contentTypeOf({ file, content_type }: Recording): string {
  return content_type ?? TYPES[path.extname(file)] ?? 'application/octet-stream';
}

/** Whether a call of it makes a usage event. */
export function isMetered(recording: Recording): boolean {
  return ['stream', 'json', 'media', 'policy'].includes(kindOf(recording)) && recording.status < 300;
}

/** The recording's target; what the index leaves open in a path is named by `places`. */
export function targetOf({ endpoint, ask_model }: Recording, places: Record<string, string>): string {
  const filled = endpoint.replace(
    /\{([^}]*)\}/g,
    (_, place: string) => places[place] ?? (/model|tool|slug/.test(place) ? (ask_model ?? 'm') : 'id-1'),
  );
  const { pathname, search } = new URL(filled);
  return pathname + search;
}

/** A request as its provider's SDK would send it. */
export interface Asked {
  body: string | Buffer;
  contentType: string;
}

const FORMS = /\/(?:speech-to-text|audio\/(?:transcriptions|translations)|images\/(?:edits|variations))$/;

/** `api/v1` tells OpenRouter's transcriptions, which take JSON, from OpenAI's, which take a form. */
export function askedBy(recording: Recording): Asked {
  const { pathname } = new URL(recording.endpoint.replace(/[{}]/g, ''));
  if (FORMS.test(pathname) && !pathname.startsWith('/api/')) return form(recording);
  if (pathname.endsWith('/upload'))
    return { body: Buffer.from('sound'), contentType: 'application/octet-stream' };
  return { body: JSON.stringify(jsonFor(recording, pathname)), contentType: 'application/json' };
}

function form({ ask_model, stream, request_hints }: Recording): Asked {
  const boundary = 'conformance-boundary';
  const field = (name: string, value: unknown, more = ''): string =>
    `--${boundary}\r\ncontent-disposition: form-data; name="${name}"${more}\r\n\r\n${value}\r\n`;
  const hints = Object.entries(request_hints ?? {}).filter(([name]) => name !== 'stream');
  const fields = [
    // The model may stand behind the file.
    field('file', 'sound', '; filename="a.mp3"'),
    field('model', ask_model),
    field('model_id', ask_model),
    field('stream', stream === true),
    ...hints.map(([name, value]) => field(name, value)),
  ];
  return {
    body: `${fields.join('')}--${boundary}--\r\n`,
    contentType: `multipart/form-data; boundary=${boundary}`,
  };
}

/** What each kind of route takes; the first that fits. */
const BODIES: readonly [RegExp, (text: string, model: string) => object][] = [
  [/\/embeddings$/, (input, model) => ({ model, input, encoding_format: 'base64' })],
  [/\/chat\/completions$/, (text, model) => ({ model, messages: said(text) })],
  [/\/completions$/, (prompt, model) => ({ model, prompt })],
  [/\/messages(?:\/count_tokens)?$/, (text, model) => ({ model, max_tokens: 1_024, messages: said(text) })],
  [/\/(?:responses|moderations|interactions)(?:\/[a-z_]+)?$/, (input, model) => ({ model, input })],
  [/\/images\/generations$/, (prompt, model) => ({ model, prompt })],
  [/\/audio\/speech$/, (input, model) => ({ model, input, voice: 'alloy' })],
  [/\/audio\/transcriptions$/, (data, model) => ({ model, input_audio: { data, format: 'mp3' } })],
  [/\/text-to-(?:speech|dialogue)/, (text, model_id) => ({ model_id, text, inputs: [{ text }] })],
  [/:batchEmbedContents$/, (text) => ({ requests: [{ content: { parts: [{ text }] } }] })],
  [/:embedContent$/, (text) => ({ content: { parts: [{ text }] } })],
  [/:[a-zA-Z]+$/, (text) => ({ contents: [{ role: 'user', parts: [{ text }] }] })],
  [/\/tools\/execute\//, () => ({ arguments: {} })],
  [/\/transcript$/, (_, model) => ({ audio_url: 'https://example.org/a.mp3', speech_models: [model] })],
  [/^\/bot/, (text) => ({ chat_id: 1, text })],
  [/./, (prompt) => ({ prompt })],
];

function said(content: string): object[] {
  return [{ role: 'user', content }];
}

function jsonFor(recording: Recording, pathname: string): object {
  const { input, ...hints } = recording.request_hints ?? {};
  const characters = Number(recording.expected_billable?.characters ?? 0);
  const text =
    recording.request_text ??
    (characters > 0 ? 'x'.repeat(characters) : typeof input === 'string' ? input : 'Hello');
  const [, bodyOf = () => ({})] = BODIES.find(([route]) => route.test(pathname)) ?? [];
  // Google says it in the path.
  const stream = recording.stream && !pathname.includes(':') ? { stream: true } : {};
  // A client that did not ask for usage would not get the chunk that a recording has.
  const asks =
    'stream' in stream &&
    pathname.endsWith('completions') &&
    !('needs_estimate' in (recording.expected_billable ?? {}))
      ? { stream_options: { include_usage: true } }
      : {};
  return { ...bodyOf(text, recording.ask_model ?? 'm'), ...stream, ...asks, ...hints };
}

/** One line of a usage event, as it is compared. */
export type Lines = Record<string, number>;

/**
 * `expected_billable` in our meters. Sound and pictures, which it counts inside input and output, are meters of their
 * own. Null: only that something is estimated is known.
 */
export function expectedLines({ expected_billable, expected_usage }: Recording): Lines | null {
  if (expected_billable === null) {
    const end = expected_usage?.last_word_end_seconds;
    return typeof end === 'number' ? { audio_seconds: end } : null;
  }
  if (expected_billable.needs_estimate === true) return null;
  return linesOf(expected_billable);
}

/** What the provider bills, in our meters; lines of other models by `meter@model`. Throws where it bills what is not compared here. */
export function linesOf(billable: Billable): Lines {
  expectKnown(billable);
  const of = (name: string): number => Number(billable[name] ?? 0);
  const others = (billable.other_models ?? []) as Record<string, number | string>[];
  const tools = (billable.tool_calls ?? {}) as Record<string, number>;
  const lines: Lines = {
    input_tokens: of('input') - of('of_which_audio_input') - of('of_which_image_input'),
    cache_read_tokens: of('cache_read'),
    cache_write_tokens: of('cache_write') + of('cache_write_5m'),
    cache_write_1h_tokens: of('cache_write_1h'),
    output_tokens: of('output') - of('of_which_audio_output') - of('of_which_image_output'),
    image_input_tokens: of('of_which_image_input'),
    image_tokens: of('of_which_image_output'),
    audio_input_tokens: of('of_which_audio_input'),
    audio_output_tokens: of('of_which_audio_output'),
    web_searches: of('web_search') + (tools.web_search_calls_action_search ?? 0),
    file_searches: tools.file_search_calls ?? 0,
    characters: of('characters'),
    audio_seconds: of('seconds'),
    images: of('images'),
    usd: of('cost_usd'),
    'composio.action_call': of('calls'),
  };
  for (const { model, ...counts } of others)
    for (const [bucket, meter] of OTHERS) lines[`${meter}@${model}`] = Number(counts[bucket] ?? 0);
  return withoutZeros(lines);
}

/** Quantities that `linesOf` has a line for, or adds to one. */
const COUNTED = new Set([
  ...['input', 'output', 'cache_read', 'cache_write', 'cache_write_5m', 'cache_write_1h'],
  ...['web_search', 'characters', 'seconds', 'images', 'cost_usd', 'calls', 'other_models', 'tool_calls'],
]);
/** They cost nothing beside what is counted, or are no more compared than `UNCOUNTED`. */
const UNBILLED = new Set(['web_fetch', 'code_execution', 'reasoning', 'total']);
/**
 * Of tools: searches that are billed have a name of their own, the others open pages; containers are not compared. A
 * picture costs its tokens, which are lines of the tool's model; the rest is free, or the caller's own to run.
 */
const TOOL_CALLS =
  /^(web_search_calls(_action_\w+)?|(file_search|code_interpreter|image_generation|function|custom_tool|tool_search|mcp|mcp_list_tools|computer|shell|local_shell|apply_patch)_calls)$/;

/**
 * A number of something that nothing here compares would be a bill that nobody checks. Parts of a whole are in it, and
 * what is no number (notes, names, switches) is no quantity. Where the provider names the cost, all that it counts is in it.
 */
function expectKnown(billable: Billable): void {
  if (billable.cost_usd !== undefined) return;
  const isQuantity = ([, value]: [string, unknown]): boolean =>
    (typeof value === 'number' && value !== 0) || (typeof value === 'object' && value !== null);
  const unknown = Object.entries(billable)
    .filter(isQuantity)
    .map(([name]) => name)
    .filter((name) => !COUNTED.has(name) && !UNBILLED.has(name) && !name.startsWith('of_which_'));
  const tools = Object.entries(billable.tool_calls ?? {})
    .filter(isQuantity)
    .map(([name]) => name)
    .filter((name) => !TOOL_CALLS.test(name));
  const ofOthers = ((billable.other_models ?? []) as object[])
    .flatMap((counts) => Object.entries(counts).filter(isQuantity))
    .map(([name]) => name)
    .filter((name) => !OTHERS.some(([bucket]) => bucket === name) && !name.startsWith('of_which_'));
  const all = [...unknown, ...tools, ...ofOthers];
  if (all.length > 0) throw new Error(`billed, and not compared here: ${all.join(', ')}`);
}

/** Parts that the index may leave in their whole. */
const PARTS = [
  ['output_tokens', 'image_tokens', 'of_which_image_output'],
  ['input_tokens', 'image_input_tokens', 'of_which_image_input'],
  ['output_tokens', 'audio_output_tokens', 'of_which_audio_output'],
  ['input_tokens', 'audio_input_tokens', 'of_which_audio_input'],
] as const;
/** Film that was embedded: input of a model of its own, which the index never has. */
const FILM = /^input_tokens@.+\/video$/;

/** Lines of ours as finely as the index has them: what it does not name apart is added to its whole. */
export function asFineAs(billable: Billable | null, lines: Lines): Lines {
  if (billable === null) return lines;
  const told: Lines = {};
  for (const [name, count] of Object.entries(lines)) {
    const [whole] = PARTS.find(([, part, named]) => part === name && !(named in billable)) ?? [name];
    const under = FILM.test(name) ? 'input_tokens' : whole;
    told[under] = (told[under] ?? 0) + count;
  }
  return told;
}

const OTHERS = [
  ['input', 'input_tokens'],
  ['cache_read', 'cache_read_tokens'],
  ['cache_write_5m', 'cache_write_tokens'],
  ['cache_write_1h', 'cache_write_1h_tokens'],
  ['output', 'output_tokens'],
] as const;

/** What the recordings do not count: containers, pages that cost nothing, and the request beside a price that is named. */
export const UNCOUNTED = new Set(['code_sessions', 'web_fetches', 'requests']);

/** Lines as they were billed, in the form of `expectedLines`. */
export function billedLines(lines: readonly { meter: string; model?: string; quantity: string }[]): Lines {
  const sums: Lines = {};
  for (const { meter, model, quantity } of lines) {
    if (UNCOUNTED.has(meter)) continue;
    // Reasoning is part of the output, also where it has a price of its own.
    const name = (meter === 'reasoning_tokens' ? 'output_tokens' : meter) + (model ? `@${model}` : '');
    sums[name] = (sums[name] ?? 0) + Number(quantity);
  }
  return withoutZeros(sums);
}

function withoutZeros(lines: Lines): Lines {
  return Object.fromEntries(Object.entries(lines).filter(([, count]) => count !== 0));
}

/** How the recording's cost is known when its answer is whole; that nothing is billed may also be told, as of a refusal. */
export function expectedEvidence({ endpoint, expected_billable }: Recording): string {
  if (expected_billable === null) return 'estimated';
  const { billed, needs_estimate, characters, calls } = expected_billable;
  // The gateway asks for their count.
  if (needs_estimate === true && /:(?:batchEmbedContents|embedContent)$/.test(endpoint)) return 'counted';
  if (billed === false || needs_estimate === true) return 'estimated';
  return characters !== undefined || calls !== undefined ? 'header' : 'exact';
}

/** The tier that the answer says was billed, as rates name it. */
export function tierOf({ expected_usage }: Recording): string {
  const { service_tier, speed, inference_geo } = expected_usage ?? {};
  if (service_tier === 'priority' && inference_geo === undefined) return 'priority';
  if (service_tier === 'flex') return 'flex';
  const parts = [speed === 'fast' ? 'fast' : '', inference_geo === 'us' ? 'us' : ''];
  return parts.filter(Boolean).join('_') || 'standard';
}

/** Tokens of the largest prompt; 0 where tools made several of them, of which only the sum is known. */
export function promptTokensOf({ expected_usage, expected_billable }: Recording): number {
  const promptOf = (usage: Record<string, unknown>): number =>
    ['input', 'cache_read', 'cache_write', 'cache_write_5m', 'cache_write_1h'].reduce(
      (sum, bucket) => sum + Number(usage[bucket] ?? 0),
      0,
    );
  const iterations = (expected_usage?.iterations ?? []) as Record<string, unknown>[];
  if (iterations.length > 0) return Math.max(...iterations.map(promptOf));
  return expected_billable?.web_search ? 0 : promptOf(expected_billable ?? {});
}

/** Names under which a model may be priced: as it is, without a prefix, without the date of its snapshot, by its size. */
export function namesOf(model: string, size: unknown): string[] {
  const bare = model.replace(/^(?:models|openai|anthropic)\//, '');
  const undated = bare.replace(/-(?:\d{8}|\d{4}-\d{2}-\d{2})$/, '');
  const sized = typeof size === 'string' ? [`${size}/${bare}`] : [];
  return [...new Set([...sized, model, bare, undated])];
}
