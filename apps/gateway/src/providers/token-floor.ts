const SLASH = 0x2f;
const APOSTROPHE = 0x27;
const BACKSLASH = 0x5c;
const QUOTE = 0x22;
const LOWER_A = 0x61;
const LOWER_U = 0x75;
const ASCII_CODES = 0x80;

/** Where the counter stands in its text. */
const STATES = ['space', 'letters', 'digits', 'mark', 'marks', 'break', 'apostrophe'] as const;
type At = (typeof STATES)[number];
const SPACE = STATES.indexOf('space');
/** In a step, the bits of the state that it leads to; what is above them counts the piece that it begins. */
const STATE_BITS = 3;
const STATE_MASK = 0b111;

/** What an ASCII character does where the counter stands. */
function stepOf(at: At, code: number): { to: At; begins: boolean } {
  const afterMarks = at === 'mark' || at === 'marks';
  if (isLetter(code))
    return { to: 'letters', begins: at !== 'letters' && at !== 'mark' && at !== 'apostrophe' };
  if (code >= 0x30 && code <= 0x39) return { to: 'digits', begins: at !== 'digits' };
  if (code <= 0x20 || code === 0x7f) {
    const isBreak = code === 0x0a || code === 0x0d;
    return { to: isBreak && (afterMarks || at === 'break') ? 'break' : 'space', begins: false };
  }
  if (code === APOSTROPHE && at === 'letters') return { to: 'apostrophe', begins: false };
  if (code === SLASH && at === 'break') return { to: 'break', begins: false };
  return afterMarks ? { to: 'marks', begins: false } : { to: 'mark', begins: true };
}

function isLetter(code: number): boolean {
  return (code >= LOWER_A && code <= 0x7a) || (code >= 0x41 && code <= 0x5a);
}

/** `stepOf` for every state and character, because the output of every stream takes it character by character. */
const STEPS = Uint8Array.from({ length: STATES.length * ASCII_CODES }, (_, index) => {
  const { to, begins } = stepOf(STATES[Math.floor(index / ASCII_CODES)] ?? 'space', index % ASCII_CODES);
  return STATES.indexOf(to) | (Number(begins) << STATE_BITS);
});

/** @param code of one UTF-16 unit or one byte of UTF-8; beyond ASCII it is a letter. */
function nextStep(at: number, code: number): number {
  return STEPS[at * ASCII_CODES + (code < ASCII_CODES ? code : LOWER_A)] ?? 0;
}

/**
 * The fewest tokens that a text can be. Every tokenizer in use cuts a text into pieces before it looks for tokens, and
 * no token reaches over such a cut: words with a mark in front of them, numbers, runs of marks with the line breaks
 * behind them. Pieces are counted here as coarsely as the coarsest of those tokenizers cuts (cl100k, o200k and the
 * like): an apostrophe joins words, digits are one number, and everything beyond ASCII is a letter.
 */
class PieceCounter {
  pieces = 0;
  private at = SPACE;

  /** A whole text. */
  takeText(text: string): void {
    this.at = SPACE;
    for (let index = 0; index < text.length; index += 1) {
      const step = nextStep(this.at, text.charCodeAt(index));
      this.at = step & STATE_MASK;
      this.pieces += step >> STATE_BITS;
    }
  }

  /**
   * More of a text: the inside of a string of JSON, from `start` up to its quote or `end`. Stands on the way of every
   * stream, hence the local variables.
   * @param bytes of UTF-8: what is beyond ASCII is all the same.
   * @returns where the string ends.
   */
  takeString(bytes: Buffer, start: number, end: number): number {
    let { at, pieces } = this;
    let index = start;
    for (; index < end; index += 1) {
      let code = bytes[index] ?? QUOTE;
      if (code === QUOTE) break;
      if (code === BACKSLASH) {
        index += 1;
        if (index >= end) break;
        code = bytes[index] ?? QUOTE;
        // What is written as \uXXXX counts as a letter, as everything that must be written so.
        if (code === LOWER_U) index += 4;
        code = ESCAPES.get(code) ?? code;
      }
      const step = nextStep(at, code);
      at = step & STATE_MASK;
      pieces += step >> STATE_BITS;
    }
    this.at = at;
    this.pieces = pieces;
    return Math.min(index, end);
  }

  /** Another text begins. */
  cut(): void {
    this.at = SPACE;
  }
}

/** The fewest tokens that a prompt of these texts can be. */
export function tokenFloor(texts: Iterable<string>): number {
  const counter = new PieceCounter();
  for (const text of texts) counter.takeText(text);
  return counter.pieces;
}

/** Which events of a stream carry output, where not every string of that name is. One character per byte. */
export interface Speaking {
  /** Only events with this in them do; absent: all may. */
  readonly sign?: string;
  /** Of those with this in them, only a part does, or nothing; absent: there are none. */
  readonly hush?: Hush;
}

export interface Hush {
  readonly sign: string;
  spoken(lines: string): string;
}

const NOTHING = Buffer.alloc(0);

/**
 * The fewest tokens of the output that has passed so far: as many as there were deltas with content, since each
 * carries a token, or as there were pieces of text in them, whichever is more. Costs a look at each event where its text
 * stood in the one before, and the steps of that text.
 */
export class OutputFloor {
  private deltas = 0;
  private readonly text = new PieceCounter();
  private expression: RegExp | null = null;
  /** Where the text stood in the event before it, and what it began with, such as `"content":"`. */
  private usualPlace = 0;
  private usualOpening = NOTHING;
  private readonly sign: Buffer | null;
  private usualSign = 0;
  /** Of the events that are being taken: where the next sign stands that has been searched for. */
  private signPlace = -1;
  private bring: (() => void) | null = null;

  /** @param fields names of the JSON strings that are output. */
  constructor(
    private readonly fields: readonly string[],
    private readonly speaking: Speaking = {},
  ) {
    this.sign = speaking.sign === undefined ? null : Buffer.from(speaking.sign, 'latin1');
  }

  get tokens(): number {
    this.bring?.();
    return Math.max(this.deltas, this.text.pieces);
  }

  /** @param bring takes what has passed and was not taken yet; it is asked for when somebody asks for tokens. */
  behind(bring: () => void): void {
    this.bring = bring;
  }

  /** Whole events, one behind the other; the last of them may break off. */
  takeEvents(bytes: Buffer): void {
    let text = bytes.toString('latin1');
    let events = bytes;
    if (text.includes('\r')) {
      text = text.replace(/\r\n?/g, '\n');
      events = Buffer.from(text, 'latin1');
    }
    this.signPlace = -1;
    const { hush } = this.speaking;
    const isHushed = hush !== undefined && bytes.includes(hush.sign, 0, 'latin1');
    for (let start = 0; start < events.length; ) {
      const blankLine = text.indexOf('\n\n', start);
      const end = blankLine < 0 ? events.length : blankLine + 2;
      if (isHushed) this.take(text.slice(start, end));
      else if (this.speaks(events, text, start, end)) this.takeEvent(events, start, end);
      start = end;
    }
  }

  /** One event's raw lines, one character per byte, which may break off. */
  take(lines: string): void {
    const { sign, hush } = this.speaking;
    if (sign !== undefined && !lines.includes(sign)) return;
    const spoken = Buffer.from(hush && lines.includes(hush.sign) ? hush.spoken(lines) : lines, 'latin1');
    this.takeEvent(spoken, 0, spoken.length);
  }

  /**
   * An event that carries output, `bytes[start, end)`: the first string of it that is not empty. In a stream it nearly
   * always stands where it stood before: that is looked at first.
   */
  private takeEvent(bytes: Buffer, start: number, end: number): void {
    const { usualOpening } = this;
    const place = start + this.usualPlace;
    let from = start;
    if (usualOpening.length > 0 && standsAt(bytes, place, end, usualOpening)) {
      const textStart = place + usualOpening.length;
      from = this.text.takeString(bytes, textStart, end);
      if (from > textStart) {
        this.deltas += 1;
        return;
      }
    }
    this.seek(bytes, start, from, end);
  }

  /** What came of a JSON body, one character per byte: all strings of output in it. */
  takeBody(text: string): void {
    const bytes = Buffer.from(text, 'latin1');
    this.search.lastIndex = 0;
    while (this.search.test(text)) {
      this.search.lastIndex = this.text.takeString(bytes, this.search.lastIndex, bytes.length);
      this.text.cut();
    }
  }

  /** Made for those that ask: most answers are never counted. */
  private get search(): RegExp {
    this.expression ??= new RegExp(`"(?:${this.fields.join('|')})"\\s*:\\s*"`, 'g');
    return this.expression;
  }

  /** As the text, its sign nearly always stands where it stood before. */
  private speaks(events: Buffer, text: string, start: number, end: number): boolean {
    const { sign } = this;
    if (sign === null || standsAt(events, start + this.usualSign, end, sign)) return true;
    // One that was found behind an event is not searched for again before it.
    if (this.signPlace < start) {
      const place = text.indexOf(this.speaking.sign ?? '', start);
      this.signPlace = place < 0 ? text.length : place;
    }
    if (this.signPlace >= end) return false;
    this.usualSign = this.signPlace - start;
    return true;
  }

  private seek(bytes: Buffer, start: number, from: number, end: number): void {
    const lines = bytes.toString('latin1', from, end);
    this.search.lastIndex = 0;
    for (let found = this.search.exec(lines); found; found = this.search.exec(lines)) {
      const textStart = from + this.search.lastIndex;
      const textEnd = this.text.takeString(bytes, textStart, end);
      if (textEnd > textStart) {
        this.deltas += 1;
        this.usualPlace = from + found.index - start;
        this.usualOpening = Buffer.from(found[0], 'latin1');
        return;
      }
      this.search.lastIndex = textEnd - from;
    }
  }
}

function standsAt(bytes: Buffer, place: number, end: number, wanted: Buffer): boolean {
  const { length } = wanted;
  if (place + length > end) return false;
  for (let index = 0; index < length; index += 1) if (bytes[place + index] !== wanted[index]) return false;
  return true;
}

/** What the letter behind a backslash stands for; `u` stands for a letter, and the rest for itself. */
const ESCAPES = new Map([
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
  [0x62, 0x08],
  [0x66, 0x0c],
]);
