/** Where the counter stands in its text. */
type At = 'space' | 'letters' | 'digits' | 'mark' | 'marks' | 'break' | 'apostrophe';

const SLASH = 0x2f;
const APOSTROPHE = 0x27;
const BACKSLASH = 0x5c;
const QUOTE = 0x22;
const LOWER_U = 0x75;

/**
 * The fewest tokens that a text can be. Every tokenizer in use cuts a text into pieces before it looks for tokens, and
 * no token reaches over such a cut: words with a mark in front of them, numbers, runs of marks with the line breaks
 * behind them. Pieces are counted here as coarsely as the coarsest of those tokenizers cuts (cl100k, o200k and the
 * like): an apostrophe joins words, digits are one number, and everything beyond ASCII is a letter.
 */
export class PieceCounter {
  pieces = 0;
  private at: At = 'space';

  /** @param code of one UTF-16 unit, or of one byte of UTF-8: what is beyond ASCII is all the same. */
  take(code: number): void {
    if (code > 0x7f || isLetter(code)) this.letter();
    else if (code >= 0x30 && code <= 0x39) this.begin('digits', this.at === 'digits');
    else if (code <= 0x20 || code === 0x7f) this.space(code);
    else this.mark(code);
  }

  /** Another text begins. */
  cut(): void {
    this.at = 'space';
  }

  private letter(): void {
    this.begin('letters', this.at === 'letters' || this.at === 'mark' || this.at === 'apostrophe');
  }

  private space(code: number): void {
    const isBreak = code === 0x0a || code === 0x0d;
    const afterMarks = this.at === 'mark' || this.at === 'marks' || this.at === 'break';
    this.at = isBreak && afterMarks ? 'break' : 'space';
  }

  private mark(code: number): void {
    if (code === APOSTROPHE && this.at === 'letters') this.at = 'apostrophe';
    else if (code === SLASH && this.at === 'break') return;
    else if (this.at === 'mark' || this.at === 'marks') this.at = 'marks';
    else this.begin('mark', false);
  }

  private begin(at: At, goesOn: boolean): void {
    if (!goesOn) this.pieces += 1;
    this.at = at;
  }
}

function isLetter(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a);
}

/** The fewest tokens that a prompt of these texts can be. */
export function tokenFloor(texts: Iterable<string>): number {
  let tokens = 0;
  for (const text of texts) {
    const counter = new PieceCounter();
    for (let at = 0; at < text.length; at += 1) counter.take(text.charCodeAt(at));
    tokens += counter.pieces;
  }
  return tokens;
}

/**
 * The fewest tokens of the output that has passed so far: as many as there were deltas with content, since each
 * carries a token, or as there were pieces of text in them, whichever is more. Costs a look at each event and the
 * steps of its text; keeps nothing.
 */
export class OutputFloor {
  private deltas = 0;
  private readonly text = new PieceCounter();
  private readonly search: RegExp;
  private readonly atUsualPlace: RegExp;
  private usualPlace = 0;

  /** @param fields names of the JSON strings that are output. */
  constructor(fields: readonly string[]) {
    const opening = `"(?:${fields.join('|')})"\\s*:\\s*"`;
    this.search = new RegExp(opening, 'g');
    this.atUsualPlace = new RegExp(opening, 'y');
  }

  get tokens(): number {
    return Math.max(this.deltas, this.text.pieces);
  }

  /** One event's raw lines, which may break off: the first string of output in them that is not empty. */
  take(lines: string): void {
    for (let start = this.find(lines); start !== null; ) {
      const end = this.read(lines, start);
      if (end > start) {
        this.deltas += 1;
        return;
      }
      start = this.findFrom(lines, end);
    }
  }

  /** What came of a JSON body: all strings of output in it. */
  takeBody(text: string): void {
    for (let start = this.findFrom(text, 0); start !== null; ) {
      const end = this.read(text, start);
      this.text.cut();
      start = this.findFrom(text, end);
    }
  }

  /** In a stream it nearly always stands where it stood before: that is looked at first. @returns its first character. */
  private find(lines: string): number | null {
    this.atUsualPlace.lastIndex = this.usualPlace;
    if (this.atUsualPlace.test(lines)) return this.atUsualPlace.lastIndex;
    return this.findFrom(lines, 0);
  }

  private findFrom(lines: string, from: number): number | null {
    this.search.lastIndex = from;
    const found = this.search.exec(lines);
    if (!found) return null;
    this.usualPlace = found.index;
    return this.search.lastIndex;
  }

  /** @returns where the string ends. */
  private read(lines: string, start: number): number {
    let at = start;
    for (; at < lines.length; at += 1) {
      const code = lines.charCodeAt(at);
      if (code === QUOTE) return at;
      if (code !== BACKSLASH) {
        this.text.take(code);
        continue;
      }
      at += 1;
      if (at >= lines.length) break;
      const escaped = lines.charCodeAt(at);
      this.text.take(ESCAPES.get(escaped) ?? escaped);
      // What is written as \uXXXX counts as a letter, as everything that must be written so.
      if (escaped === LOWER_U) at += 4;
    }
    return lines.length;
  }
}

/** What the letter behind a backslash stands for; `u` stands for a letter, and the rest for itself. */
const ESCAPES = new Map([
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
  [0x62, 0x08],
  [0x66, 0x0c],
]);
