import type { Sample } from './sample.js';

/** Names under which providers report what they bill .. */
export const USAGE: ReadonlySet<string> = new Set([
  'usage',
  'usageMetadata',
  'cost',
  'audio_duration',
  'data',
]);
/** .. and the counts in it that a charge cannot do without. */
export const COUNTS: ReadonlySet<string> = new Set([
  ...['prompt_tokens', 'completion_tokens', 'input_tokens', 'output_tokens'],
  ...['promptTokenCount', 'candidatesTokenCount', 'thoughtsTokenCount'],
  ...['total_input_tokens', 'total_output_tokens', 'total_thought_tokens'],
  // OpenAI's shape.
  ...['cached_tokens', 'cache_write_tokens', 'audio_tokens', 'image_tokens', 'text_tokens', 'num_requests'],
  // Anthropic's.
  ...['cache_read_input_tokens', 'cache_creation_input_tokens'],
  ...['ephemeral_5m_input_tokens', 'ephemeral_1h_input_tokens', 'web_search_requests', 'web_fetch_requests'],
  // Gemini's.
  ...['cachedContentTokenCount', 'toolUsePromptTokenCount', 'tokenCount'],
  ...['total_cached_tokens', 'total_tool_use_tokens', 'total_tokens'],
]);
/** Lengths and costs may have fractions. */
export const AMOUNTS: ReadonlySet<string> = new Set([
  ...['seconds', 'audio_duration_secs', 'audio_duration', 'cost', 'amount_usd'],
]);

/** A place in an answer: which of its JSON texts, and where in it. */
export interface JsonPath {
  text: number;
  path: readonly (string | number)[];
}

/** More members of a list than this are like those before. */
const LIST_MAX = 6;

/** All places in the JSON of an answer, which is one text, or one for each event. */
export function pathsIn(sample: Sample): JsonPath[] {
  const known = PATHS.get(sample);
  if (known) return known;
  const paths = partsOf(sample).flatMap(({ json }, text) =>
    json === undefined ? [] : placesIn(json, []).map((path) => ({ text, path })),
  );
  PATHS.set(sample, paths);
  return paths;
}

const PATHS = new WeakMap<Sample, JsonPath[]>();

function placesIn(value: unknown, at: readonly (string | number)[]): (readonly (string | number)[])[] {
  if (typeof value !== 'object' || value === null) return [];
  const members: [string | number, unknown][] = Array.isArray(value)
    ? value.slice(0, LIST_MAX).map((member, index) => [index, member])
    : Object.entries(value);
  return members.flatMap(([key, member]) => [[...at, key], ...placesIn(member, [...at, key])]);
}

/** The answer with another value in these places; undefined takes the member out. */
export function damaged(sample: Sample, places: readonly JsonPath[], value: unknown): Buffer {
  const parts = partsOf(sample);
  // The deepest first, so that the places of the others are still there.
  for (const { text, path } of [...places].sort((a, b) => b.path.length - a.path.length)) {
    const part = parts[text];
    if (part) put(part.json, path, value);
  }
  return Buffer.from(parts.map(({ before, json, after }) => before + written(json) + after).join(''));
}

function put(root: unknown, path: readonly (string | number)[], value: unknown): void {
  const key = path.at(-1) ?? '';
  const parent = path
    .slice(0, -1)
    .reduce<unknown>((node, step) => (node as Record<string, unknown>)[step], root);
  if (value === undefined) delete (parent as Record<string, unknown>)[key];
  else (parent as Record<string, unknown>)[key] = value;
}

function written(json: unknown): string {
  return json === undefined ? '' : JSON.stringify(json);
}

/** One JSON text of an answer with what stands around it; `json` undefined: there is none here. */
interface Part {
  before: string;
  json?: unknown;
  after: string;
}

function partsOf({ bytes, isEventStream }: Sample): Part[] {
  const text = bytes.toString();
  if (!isEventStream) return [part('', text, '')];
  return text.split(/(?<=\n)/).map((line) => {
    const [, before = '', data = '', after = ''] = /^(data: ?)(.*?)(\r?\n?)$/s.exec(line) ?? [];
    return before === '' ? { before: line, after: '' } : part(before, data, after);
  });
}

function part(before: string, text: string, after: string): Part {
  try {
    return { before, json: JSON.parse(text), after };
  } catch {
    return { before: before + text, after };
  }
}
