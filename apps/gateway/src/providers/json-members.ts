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

/**
 * The top-level members of a JSON object, in their order, repeated keys included. The bytes must be valid JSON already
 * (JSON.parse has accepted them). They are scanned as latin1, so that offsets are byte offsets: every byte that means
 * something in JSON is ASCII, and no byte of a longer UTF-8 sequence is.
 */
export function topLevelMembers(body: Buffer): Member[] {
  const text = body.toString('latin1');
  const members: Member[] = [];
  let depth = 0;
  let key: string | null = null;
  let start = 0;
  const finish = (end: number): void => {
    if (key !== null) members.push({ key, start, end });
    key = null;
  };
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const end = endOfString(text, at);
      if (depth === 1 && key === null) key = keyOf(body.subarray(at, end).toString());
      at = end - 1;
    } else if (OPEN.has(code)) depth += 1;
    else if (CLOSE.has(code)) {
      depth -= 1;
      if (depth === 0) finish(at);
    } else if (depth === 1 && code === COMMA) finish(at);
    else if (depth === 1 && code === COLON) start = at + 1;
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
