const QUOTE = 0x22;
const PAIRS = 0x1_00_00;

/** What an event holds where it counts. Of ASCII, within one line but for its end. */
export interface Sign {
  readonly text: string;
  /** It does not count with this behind it. */
  readonly unless?: string;
  /** It does not count, but a string of JSON begins behind it that is nothing but bulk, such as base64. */
  readonly opensBulk?: true;
}

interface Place {
  readonly text: Buffer;
  readonly unless: Buffer | null;
  readonly opensBulk: boolean;
  /** Of the pair that was looked at, from the sign's beginning. */
  readonly offset: number;
}

/** Nothing was found. */
export const NO_SIGN = -1;
/** Nothing was found, and the bytes end in a string of bulk. */
export const IN_BULK = -2;

/**
 * The signs by which the events of a stream that count are known from the others, which are nearly all. A sign of n
 * bytes has n - 1 pairs of neighbours, so that it cannot be missed where every (n - 1)th pair of a stream is looked at,
 * wherever the bytes are cut. That makes a look at an event cheaper than two calls into Node.
 */
export class Signs {
  private readonly step: number;
  /** By pair of bytes: which of `places` it is in; 0: in no sign. */
  private readonly known = new Uint8Array(PAIRS);
  private readonly places: Place[][] = [[]];

  /** @param signs the shortest decides what a look costs: seven bytes or more should be found for each. */
  constructor(signs: readonly Sign[]) {
    const shortest = Math.min(...signs.map(({ text }) => text.length));
    this.step = shortest - 1;
    for (const { text, unless, opensBulk = false } of signs) {
      const bytes = Buffer.from(text, 'latin1');
      for (let offset = 0; offset < this.step; offset += 1)
        this.placesOf(pairAt(bytes, offset)).push({
          text: bytes,
          unless: unless ? Buffer.from(unless, 'latin1') : null,
          opensBulk,
          offset,
        });
    }
  }

  /**
   * Where a sign stands, of which something lies in `bytes[from, to)`: before that, nothing was found. Bytes that end in
   * what may become a sign count as one.
   */
  find(bytes: Buffer, from: number, to: number): number {
    const { step, known } = this;
    // The first pair reaches back over the cut.
    let at = nextKnown(known, bytes, from > 0 ? from - 1 : 0, to - 1, step);
    while (at >= 0) {
      const sign = this.signAt(bytes, at, to);
      let next = at + step;
      if (sign !== null) {
        if (!sign.opensBulk) return at - sign.offset;
        next = endOfBulk(bytes, at - sign.offset + sign.text.length, to);
        if (next === IN_BULK) return IN_BULK;
      }
      at = nextKnown(known, bytes, next, to - 1, step);
    }
    return NO_SIGN;
  }

  private signAt(bytes: Buffer, at: number, to: number): Place | null {
    const places = this.places[this.known[pairAt(bytes, at)] ?? 0] ?? [];
    for (let index = 0; index < places.length; index += 1) {
      const place = places[index];
      if (place && isAt(place, bytes, at - place.offset, to)) return place;
    }
    return null;
  }

  private placesOf(pair: number): Place[] {
    if (this.known[pair] === 0) this.known[pair] = this.places.push([]) - 1;
    return this.places[this.known[pair] ?? 0] ?? [];
  }
}

/**
 * The first of every `step`th place in `bytes[from, last)` with a pair that is known. Calls nothing, because that is what
 * lets the compiler keep the arrays at hand.
 */
function nextKnown(known: Uint8Array, bytes: Buffer, from: number, last: number, step: number): number {
  for (let at = from; at < last; at += step) {
    const pair = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
    if (known[pair] === 0) continue;
    // In a sign it has a neighbour that is in it as well.
    const before = at === 0 ? pair : ((bytes[at - 1] as number) << 8) | (pair >> 8);
    const behind = at + 1 === last ? pair : ((pair & 0xff) << 8) | (bytes[at + 2] as number);
    if (known[before] !== 0 || known[behind] !== 0) return at;
  }
  return NO_SIGN;
}

function pairAt(bytes: Buffer, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function isAt({ text, unless, opensBulk }: Place, bytes: Buffer, start: number, to: number): boolean {
  const end = start + text.length;
  // First what makes a sign none: of those that stand in every event, such as a usage of null, no more is compared.
  if (unless !== null && end + unless.length <= to && standsAt(bytes, end, to, unless)) return false;
  return start >= 0 && (!opensBulk || end <= to) && standsAt(bytes, start, to, text);
}

/**
 * Behind the quote that ends it in `bytes[from, to)`, or `IN_BULK`. Where a string is broken off, that is one of another
 * event, in which a sign that has a quote is still found.
 */
export function endOfBulk(bytes: Buffer, from: number, to: number): number {
  // In a view, because behind it may lie megabytes that are not used yet, in which no quote is found.
  const quote = bytes.subarray(from, to).indexOf(QUOTE);
  return quote < 0 ? IN_BULK : from + quote + 1;
}

/** Whether these bytes stand there, as far as there are bytes. */
function standsAt(bytes: Buffer, start: number, to: number, wanted: Buffer): boolean {
  const length = Math.min(wanted.length, to - start);
  for (let index = 0; index < length; index += 1) if (bytes[start + index] !== wanted[index]) return false;
  return true;
}

/** How an event says in its name or its type that it is an error. */
export const ERRORS: readonly Sign[] = [
  { text: '"error"', unless: ':null' },
  ...[': error\n', ': error\r', ':error\n', ':error\r'].map((text) => ({ text })),
];

/** The end of a stream, which may have space before it. */
export const DONE: readonly Sign[] = [':[DONE]', ' [DONE]', '\t[DONE]'].map((text) => ({ text }));

/** What a chunk of a chat in OpenAI's shape holds where it counts. */
export const CHAT_SIGNS = new Signs([
  ...DONE,
  { text: '"usage"', unless: ':null' },
  { text: '"error"', unless: ':null' },
]);
