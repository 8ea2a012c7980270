const QUOTE = 0x22;
const PAIRS = 0x1_00_00;
const PAIR_BYTES = 2;
const WORD_BYTES = 4;
/** So many bytes are searched in vain rather than left out. */
const UNUSED_MAX = 65_536;

/** What an event holds where it counts. Of ASCII, within one line but for its end. */
export interface Sign {
  readonly text: string;
  /** It does not count with this behind it. */
  readonly unless?: string;
  /** It does not count, but a string of JSON begins behind it that is nothing but bulk, such as base64. */
  readonly opensBulk?: true;
}

/** With fewer bytes, a pair of a sign would have no neighbour in it. */
const SHORTEST = 5;
/** With what makes it none. */
export const LONGEST = 48;

interface Place {
  readonly text: Buffer;
  readonly unless: Buffer | null;
  readonly opensBulk: boolean;
  /** So many bytes of it must be there. */
  readonly needed: number;
  /** Of the pair that was looked at, from the sign's beginning. */
  readonly offset: number;
}

/** Nothing was found. */
export const NO_SIGN = -1;
/** Nothing was found, and the bytes end in a string of bulk. */
export const IN_BULK = -2;

/** Bytes that can be looked at in twos, which is what the processor does faster. */
export interface PairedBytes {
  readonly bytes: Buffer;
  /** The same memory, and as many of its pairs as are whole. */
  readonly pairs: Uint16Array;
}

/** @param bytes those at an odd place in memory are copied. */
export function paired(bytes: Buffer): PairedBytes {
  const even = bytes.byteOffset % PAIR_BYTES === 0 ? bytes : Buffer.from(Uint8Array.from(bytes).buffer);
  return { bytes: even, pairs: new Uint16Array(even.buffer, even.byteOffset, even.length >> 1) };
}

/**
 * The signs by which the events of a stream that count are known from the others, which are nearly all. A sign of seven
 * bytes holds one of every three pairs of a stream whole, wherever it begins and wherever the bytes are cut; so only
 * every third is looked at. That makes a look at an event cheaper than two calls into Node.
 */
export class Signs {
  /** In pairs. */
  private readonly step: number;
  /** By pair of bytes: which of `places` it is in; 0: in no sign. */
  private readonly known = new Uint8Array(PAIRS);
  private readonly places: Place[][] = [[]];

  /**
   * @param signs the shortest decides what a look costs: seven bytes or more should be found for each. Of longer ones as
   * many are searched for, the first; the rarer they are, the better. Throws RangeError for one of under five, or of over
   * `LONGEST`.
   */
  constructor(signs: readonly Sign[]) {
    const shortest = Math.min(...signs.map(({ text }) => text.length));
    const longest = Math.max(...signs.map(({ text, unless = '' }) => text.length + unless.length));
    if (shortest < SHORTEST || longest > LONGEST)
      throw new RangeError(`a sign is of ${SHORTEST} to ${LONGEST} bytes`);
    this.step = (shortest - 1) >> 1;
    // With fewer of them, a pair of what is there is looked at again when more has come.
    const searched = this.step * PAIR_BYTES + 1;
    for (const { text, unless, opensBulk = false } of signs) {
      const bytes = Buffer.from(text, 'latin1');
      for (let offset = 0; offset < this.step * PAIR_BYTES; offset += 1)
        this.placesOf(pairAt(bytes, offset)).push({
          text: bytes,
          unless: unless ? Buffer.from(unless, 'latin1') : null,
          opensBulk,
          needed: opensBulk ? bytes.length : searched,
          offset,
        });
    }
  }

  /**
   * Where a sign stands, of which something lies in `bytes[from, to)`: before that, nothing was found. Of a long one that
   * is cut off, the beginning counts as one.
   */
  find({ bytes, pairs }: PairedBytes, from: number, to: number): number {
    const { step, known } = this;
    const end = to >> 1;
    // The first pair reaches back over the cut.
    let pair = nextKnown(known, pairs, from > 0 ? (from - 1) >> 1 : 0, end, step);
    /** Behind the last string of bulk. */
    let before = NO_SIGN;
    while (pair >= 0) {
      const sign = this.signAt(bytes, pairs, pair, to);
      let next = pair + step;
      if (sign !== null) {
        const start = pair * PAIR_BYTES - sign.offset;
        if (!sign.opensBulk) return start;
        const string = start + sign.text.length;
        const behind = before < 0 ? endOfBulk(bytes, string, to) : endOfLikeBulk(bytes, before, string, to);
        if (behind === IN_BULK) return IN_BULK;
        before = behind;
        next = behind >> 1;
      }
      pair = nextKnown(known, pairs, next, end, step);
    }
    return NO_SIGN;
  }

  /**
   * As `find`, of bytes that lie in memory as they came. At an odd place, one that begins with the first of them is not
   * seen. @param to no sign may end there: a blank line is enough.
   */
  findInPlace(chunk: Buffer, from: number, to: number): number {
    const start = from + ((chunk.byteOffset + from) % PAIR_BYTES);
    const bytes = chunk.subarray(start, to);
    const pairs = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length >> 1);
    const found = this.find({ bytes, pairs }, 0, bytes.length);
    return found < 0 ? found : start + found;
  }

  private signAt(bytes: Buffer, pairs: Uint16Array, pair: number, to: number): Place | null {
    const places = this.places[this.known[pairs[pair] ?? 0] ?? 0] ?? [];
    for (let index = 0; index < places.length; index += 1) {
      const place = places[index];
      if (place && isAt(place, bytes, pair * PAIR_BYTES - place.offset, to)) return place;
    }
    return null;
  }

  private placesOf(pair: number): Place[] {
    if (this.known[pair] === 0) this.known[pair] = this.places.push([]) - 1;
    return this.places[this.known[pair] ?? 0] ?? [];
  }
}

/**
 * The first of every `step`th pair in `pairs[from, end)` that is known. Calls nothing, because that is what lets the
 * compiler keep the arrays at hand.
 */
function nextKnown(known: Uint8Array, pairs: Uint16Array, from: number, end: number, step: number): number {
  const two = 2 * step;
  const three = 3 * step;
  const four = 4 * step;
  let at = from;
  while (at < end) {
    // Four in one test: nearly all are of no sign.
    while (
      at + three < end &&
      ((known[pairs[at] as number] as number) |
        (known[pairs[at + step] as number] as number) |
        (known[pairs[at + two] as number] as number) |
        (known[pairs[at + three] as number] as number)) ===
        0
    )
      at += four;
    const last = Math.min(at + four, end);
    for (; at < last; at += step) {
      if (known[pairs[at] as number] === 0) continue;
      // In a sign, the pair before it or the one behind it is in it as well.
      const hasBefore = at === 0 || known[pairs[at - 1] as number] !== 0;
      if (hasBefore || at + 1 === pairs.length || known[pairs[at + 1] as number] !== 0) return at;
    }
  }
  return NO_SIGN;
}

function pairAt(bytes: Buffer, offset: number): number {
  return new Uint16Array(Uint8Array.of(bytes[offset] ?? 0, bytes[offset + 1] ?? 0).buffer)[0] ?? 0;
}

function isAt({ text, unless, needed }: Place, bytes: Buffer, start: number, to: number): boolean {
  const end = start + text.length;
  // First what makes a sign none: of those that stand in every event, such as a usage of null, no more is compared.
  if (unless !== null && end + unless.length <= to && standsAt(bytes, end, to, unless)) return false;
  return start >= 0 && start + needed <= to && standsAt(bytes, start, to, text);
}

/**
 * Behind the quote that ends it in `bytes[from, to)`, or `IN_BULK`. Where a string is broken off, that is one of another
 * event, in which a sign that has a quote is still found.
 */
export function endOfBulk(bytes: Buffer, from: number, to: number): number {
  const quote = placeOf(QUOTE, bytes, from, to);
  return quote < 0 ? IN_BULK : quote + 1;
}

/**
 * As `endOfBulk`, of the last string in a row, where what stands between two is what stands in `bytes[before, from)`: that
 * is how nearly all of a stream is, and to compare it takes half of a look.
 */
function endOfLikeBulk(bytes: Buffer, before: number, from: number, to: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, to);
  const length = from - before;
  let behind = endOfBulk(bytes, from, to);
  while (behind !== IN_BULK && isRepeated(view, before, behind, length))
    behind = endOfBulk(bytes, behind + length, to);
  return behind;
}

/** Whether `length` bytes stand at both places. */
function isRepeated(view: DataView, first: number, second: number, length: number): boolean {
  if (second + length > view.byteLength) return false;
  let at = 0;
  for (; at + WORD_BYTES <= length; at += WORD_BYTES)
    if (view.getInt32(first + at) !== view.getInt32(second + at)) return false;
  for (; at < length; at += 1) if (view.getUint8(first + at) !== view.getUint8(second + at)) return false;
  return true;
}

/** Where a byte stands first in `bytes[from, to)`; -1: nowhere. */
export function placeOf(byte: number, bytes: Buffer, from: number, to: number): number {
  // A view costs more than to search on a little; but behind it may lie megabytes that are not used yet.
  const searched = bytes.length - to > UNUSED_MAX ? bytes.subarray(0, to) : bytes;
  const place = searched.indexOf(byte, from);
  return place < to ? place : -1;
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
  ...[' error\n', ' error\r', ':error\n', ':error\r'].map((text) => ({ text })),
];

/** The end of a stream, which may have space before it. */
export const DONE: readonly Sign[] = [':[DONE]', ' [DONE]', '\t[DONE]'].map((text) => ({ text }));

/** What a chunk of a chat in OpenAI's shape holds where it counts. */
export const CHAT_SIGNS = new Signs([
  ...DONE,
  { text: '"usage"', unless: ':null' },
  { text: '"error"', unless: ':null' },
]);
