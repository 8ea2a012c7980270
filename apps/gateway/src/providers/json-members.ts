/** Where a top-level member stands in the bytes of a JSON object: its value is `bytes[start, end)`. */
export interface Member {
  key: string;
  start: number;
  end: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN = new Set([0x7b, 0x5b]);
const CLOSE = new Set([0x7d, 0x5d]);

/** Nothing that a provider takes comes near these; to parse 32 MiB of brackets takes seconds, in which nothing else runs. */
const MAX_DEPTH = 100;
const MAX_VALUES = 1_000_000;

/** The JSON is nested too deeply or has too many values to be parsed in passing. */
export class IntricateJsonError extends Error {
  override name = 'IntricateJsonError';
}

/**
 * The top-level members of a JSON object whose keys are wanted, in their order, repeated keys included; for bytes that
 * are no valid JSON the result means nothing. They are scanned as latin1, so that offsets are byte offsets: every byte
 * that means something in JSON is ASCII, and no byte of a longer UTF-8 sequence is. Throws IntricateJsonError, and
 * SyntaxError for a key that is no JSON string.
 */
export function topLevelMembers(body: Buffer, wanted: (key: string) => boolean): Member[] {
  const text = body.toString('latin1');
  const members: Member[] = [];
  let depth = 0;
  let values = 0;
  let key: string | null = null;
  let start = 0;
  const finish = (end: number): void => {
    if (key !== null && wanted(key)) members.push({ key, start, end });
    key = null;
  };
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const end = endOfString(text, at);
      if (depth === 1 && key === null) key = keyOf(body.subarray(at, end).toString());
      at = end - 1;
    } else if (code === COMMA) {
      values += 1;
      if (depth === 1) finish(at);
    } else if (OPEN.has(code)) {
      values += 1;
      depth += 1;
      if (depth > MAX_DEPTH) throw new IntricateJsonError();
    } else if (CLOSE.has(code)) {
      depth -= 1;
      if (depth === 0) finish(at);
    } else if (depth === 1 && code === COLON) start = at + 1;
    if (values > MAX_VALUES) throw new IntricateJsonError();
  }
  return members;
}

/** The index behind the closing quote of the string that opens at `at`. */
function endOfString(text: string, at: number): number {
  let quote = text.indexOf('"', at + 1);
  while (quote >= 0 && isEscaped(text, quote)) quote = text.indexOf('"', quote + 1);
  return quote < 0 ? text.length : quote + 1;
}

function isEscaped(text: string, quote: number): boolean {
  let backslashes = 0;
  while (text.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes += 1;
  return backslashes % 2 === 1;
}

/** The key as its reader sees it: `"mod\u0065l"` is `model`. */
function keyOf(quoted: string): string {
  return quoted.includes('\\') ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);
}
