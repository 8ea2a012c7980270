import type { SseEvent } from './provider.js';

/** A JSON object that we did not make: nothing about its members is known. */
export type Foreign = Readonly<Record<string, unknown>>;

const NOTHING: Foreign = Object.freeze({});

/** The object, or an empty one for anything else. */
export function objectOf(value: unknown): Foreign {
  return isObject(value) ? value : NOTHING;
}

export function isObject(value: unknown): value is Foreign {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A count as providers report it; null for anything that is not a non-negative integer within 2^53-1. */
export function countOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

/** A name as providers report it (a model, an id, a tier); null for anything empty, overlong or not a string. */
export function nameOf(value: unknown): string | null {
  return typeof value === 'string' && value.length > 0 && value.length <= 256 ? value : null;
}

/** The JSON object of an event, or null when it is none. */
export function parseObject(data: string): Foreign | null {
  try {
    const json: unknown = JSON.parse(data);
    return isObject(json) ? json : null;
  } catch {
    return null;
  }
}

/**
 * Whether JSON text has a member of this name whose value is an object, at any depth: a cheap test before parsing.
 * Text inside strings cannot look like it, because its quotes are escaped.
 */
export function hasObjectMember(json: string, name: string): boolean {
  const quoted = `"${name}"`;
  for (let at = json.indexOf(quoted); at >= 0; at = json.indexOf(quoted, at + quoted.length)) {
    let next = skipSpace(json, at + quoted.length);
    if (json[next] !== ':') continue;
    next = skipSpace(json, next + 1);
    if (json[next] === '{') return true;
  }
  return false;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at += 1;
  return at;
}

/** The kind of an event: its `event:` name, else the first `type` in its data. */
export function eventKind({ event, data }: SseEvent): string {
  return event || (/"type"\s*:\s*"([^"\\]{1,64})"/.exec(data)?.[1] ?? '');
}
