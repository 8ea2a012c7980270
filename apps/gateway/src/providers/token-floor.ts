import { startOfEvent } from './quiet-events.js';

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
   * More of a text: the inside of a string of JSON, from `start` up to its quote or the end of what there is. Stands on
   * the way of every stream, hence the local variables.
   * @param lines bytes of UTF-8 as characters: what is beyond ASCII is all the same.
   * @returns where the string ends.
   */
  takeString(lines: string, start: number): number {
    let { at, pieces } = this;
    let index = start;
    for (; index < lines.length; index += 1) {
      let code = lines.charCodeAt(index);
      if (code === QUOTE) break;
      if (code === BACKSLASH) {
        index += 1;
        if (index >= lines.length) break;
        code = lines.charCodeAt(index);
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
    return Math.min(index, lines.length);
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

/** So much of quiet events waits at most until somebody asks. */
const WAITING_BYTES_MAX = 32_768;

/** Lines of events in which not every string of that name is output. */
export interface Hush {
  /** All of them have this in them. */
  readonly sign: string;
  /** What of such a line may be output. */
  spoken(line: string): string;
}

/**
 * The fewest tokens of the output that has passed so far: as many as there were deltas with content, since each
 * carries a token, or as there were pieces of text in them, whichever is more. Costs a look at each event and the
 * steps of its text, and for events that can wait nothing until they are many or somebody asks.
 */
export class OutputFloor {
  private deltas = 0;
  private readonly text = new PieceCounter();
  private readonly search: RegExp;
  private readonly atUsualPlace: RegExp;
  private usualPlace = 0;
  private waiting: Buffer[] = [];
  private waitingBytes = 0;

  /** @param fields names of the JSON strings that are output. */
  constructor(
    fields: readonly string[],
    private readonly hush: Hush | null = null,
  ) {
    const opening = `"(?:${fields.join('|')})"\\s*:\\s*"`;
    this.search = new RegExp(opening, 'g');
    this.atUsualPlace = new RegExp(opening, 'y');
  }

  get tokens(): number {
    this.takeWaiting();
    return Math.max(this.deltas, this.text.pieces);
  }

  /** Whole events with one line of data each. They are read when there are many of them, or somebody asks. */
  later(events: readonly Buffer[]): void {
    for (const bytes of events) {
      this.waiting.push(bytes);
      this.waitingBytes += bytes.length;
    }
    if (this.waitingBytes > WAITING_BYTES_MAX) this.takeWaiting();
  }

  /** One event's raw lines, which may break off: the first string of output in them that is not empty. */
  take(lines: string): void {
    const { hush } = this;
    const spoken = hush !== null && lines.includes(hush.sign) ? hush.spoken(lines) : lines;
    let start = this.find(spoken, 0);
    if (start !== null) this.takeWaiting();
    while (start !== null) {
      const end = this.text.takeString(spoken, start);
      if (end > start) {
        this.deltas += 1;
        return;
      }
      start = this.findFrom(spoken, end);
    }
  }

  /** What came of a JSON body: all strings of output in it. */
  takeBody(text: string): void {
    for (let start = this.findFrom(text, 0); start !== null; ) {
      const end = this.text.takeString(text, start);
      this.text.cut();
      start = this.findFrom(text, end);
    }
  }

  private takeWaiting(): void {
    const { waiting, hush } = this;
    if (waiting.length === 0) return;
    this.waiting = [];
    this.waitingBytes = 0;
    const text = Buffer.concat(waiting).toString('latin1');
    if (hush === null || !text.includes(hush.sign)) this.takeLines(text);
    else for (const line of text.split('\n')) this.take(line);
  }

  /** As `take` for each event, without cutting them apart. */
  private takeLines(text: string): void {
    for (let start = this.find(text, 0); start !== null; ) {
      const end = this.text.takeString(text, start);
      if (end === start) {
        start = this.findFrom(text, end);
      } else {
        this.deltas += 1;
        start = this.find(text, nextEvent(text, end));
      }
    }
  }

  /**
   * In a stream it nearly always stands where it stood before: that is looked at first.
   * @returns the first character of the string.
   */
  private find(lines: string, eventStart: number): number | null {
    const place = eventStart + this.usualPlace;
    this.atUsualPlace.lastIndex = place;
    if (this.atUsualPlace.test(lines) && !hasBlankLine(lines, eventStart, place))
      return this.atUsualPlace.lastIndex;
    return this.findFrom(lines, eventStart);
  }

  private findFrom(lines: string, from: number): number | null {
    this.search.lastIndex = from;
    const found = this.search.exec(lines);
    if (!found) return null;
    const start = this.search.lastIndex;
    this.usualPlace = found.index - startOfEvent(lines, found.index);
    return start;
  }
}

function hasBlankLine(text: string, from: number, to: number): boolean {
  for (let lf = text.indexOf('\n', from); lf >= 0 && lf < to; lf = text.indexOf('\n', lf + 1))
    if (text[lf + 1] === '\n' || text[lf + 1] === '\r') return true;
  return false;
}

/** Behind the line break that follows, and the blank line behind that. */
function nextEvent(text: string, from: number): number {
  const lineEnd = text.indexOf('\n', from);
  if (lineEnd < 0) return text.length;
  let at = lineEnd + 1;
  while (text[at] === '\n' || text[at] === '\r') at += 1;
  return at;
}

/** What the letter behind a backslash stands for; `u` stands for a letter, and the rest for itself. */
const ESCAPES = new Map([
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
  [0x62, 0x08],
  [0x66, 0x0c],
]);
