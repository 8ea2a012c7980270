import type { Behaviour } from './directives.js';

/** The sandbox's tokenizer: a token is 4 bytes of UTF-8, the last one may be shorter. */
export function tokensOf(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / 4);
}

/** What every message costs beside its text, in tokens. */
const MESSAGE_TOKENS = 3;

/** Prompt tokens: those of all text in the given parts of the request, and three per message. */
export function promptTokens(parts: unknown, messages: number): number {
  return tokensOf(textIn(parts)) + MESSAGE_TOKENS * messages;
}

/** All text of a prompt, however it is nested: strings stand under `text`, `content`, `input`, `arguments` or alone. */
export function textIn(part: unknown): string {
  if (typeof part === 'string') return part;
  if (Array.isArray(part)) return part.map(textIn).join('');
  if (typeof part !== 'object' || part === null) return '';
  return Object.entries(part)
    .map(([key, value]) => (NOT_TEXT.has(key) ? '' : textIn(value)))
    .join('');
}

const NOT_TEXT = new Set(['role', 'type', 'id', 'call_id', 'tool_call_id', 'tool_use_id', 'cache_control']);

/** The text of an answer, in the pieces it is streamed in. */
export interface Reply {
  pieces: readonly string[];
  text: string;
  tokens: number;
  /** The token limit of the request cut it short. */
  cut: boolean;
}

const WORDS =
  'the sandbox answers with words that cost what their bytes weigh so every charge differs '.split(/(?<= )/);
const BYTES_PER_CHUNK = 1_000;
const ECHO_CHARACTERS = 200;

/** Says the last words of the prompt again, or as much as the model name asks for; at most `limit` tokens. */
export function composeReply(prompt: string, behaviour: Behaviour, limit: number | null): Reply {
  const pieces = piecesOf(prompt, behaviour);
  const text = pieces.join('');
  const tokens = tokensOf(text);
  if (limit === null || tokens <= limit) return { pieces, text, tokens, cut: false };
  const kept = cutTo(pieces, limit * 4);
  return { pieces: kept, text: kept.join(''), tokens: tokensOf(kept.join('')), cut: true };
}

function piecesOf(prompt: string, { chunks, bytes }: Behaviour): string[] {
  if (bytes !== null) {
    const count = Math.max(1, chunks ?? Math.ceil(bytes / BYTES_PER_CHUNK));
    const ends = Array.from({ length: count }, (_, index) => Math.floor((bytes * (index + 1)) / count));
    return ends.map((end, index) => 'x'.repeat(end - (ends[index - 1] ?? 0)));
  }
  if (chunks !== null) return Array.from({ length: chunks }, (_, index) => WORDS[index % WORDS.length] ?? '');
  return ['You said: ', ...(prompt.slice(-ECHO_CHARACTERS).match(/\s*\S+\s*/g) ?? [])];
}

function cutTo(pieces: readonly string[], bytes: number): string[] {
  let left = bytes;
  const kept: string[] = [];
  for (const piece of pieces) {
    let fitting = piece;
    while (Buffer.byteLength(fitting) > left) fitting = fitting.slice(0, -1);
    if (fitting === '') break;
    kept.push(fitting);
    left -= Buffer.byteLength(fitting);
  }
  return kept;
}
