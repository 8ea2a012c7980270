import { ByteCollector } from './byte-collector.js';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const SPACE = 0x20;

const EMPTY_STRING = Buffer.from('""');
const COMMA_BYTE = Buffer.from(',');

/** A longer string is text, an image or a vector; no id, model or tier is. */
const STRING_BYTES_MAX = 2_048;
const DIGEST_BYTES_MAX = 16_777_216;
const DEPTH_MAX = 1_000;

/**
 * Takes a JSON text of any size, chunk by chunk, and keeps what may say what it costs: every object, list and key, with
 * long strings emptied, and of the numbers in a list only the first. So neither the memory nor any one step grows with
 * base64 images and embedding vectors, behind which providers write their usage.
 */
export class JsonDigest {
  private readonly kept = new ByteCollector();
  private readonly string = new ByteCollector();
  /** For each open bracket: whether it is a list's. */
  private readonly lists: boolean[] = [];
  private state: 'between' | 'string' | 'scalar' | 'given up' = 'between';
  private isEscaped = false;
  private stringIsLong = false;
  private keepsScalar = true;
  private commaIsDue = false;

  /** @param depth of what is nested deeper, only that it is an object or a list is kept. */
  constructor(private readonly depth = DEPTH_MAX) {}

  feed(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && this.state !== 'given up') {
      if (this.state === 'string') at = this.inString(chunk, at);
      else if (this.state === 'scalar') at = this.inScalar(chunk, at);
      else at = this.between(chunk, at);
    }
  }

  /** The digest as bytes of JSON, when what was fed was JSON; null when there was too much to keep. */
  end(): Buffer | null {
    return this.state === 'given up' ? null : this.kept.take();
  }

  private between(chunk: Buffer, at: number): number {
    const byte = chunk[at] ?? SPACE;
    if (byte <= SPACE) return at + 1;
    if (byte === COMMA) {
      // In a list it waits: the number behind it may be left out together with it.
      if (this.lists.at(-1)) this.commaIsDue = true;
      else this.keep(chunk.subarray(at, at + 1));
      return at + 1;
    }
    if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) {
      this.lists.pop();
      this.commaIsDue = false;
      this.keep(chunk.subarray(at, at + 1));
      return at + 1;
    }
    if (byte === OPEN_OBJECT || byte === OPEN_LIST) {
      this.keepDueComma();
      if (this.lists.length >= DEPTH_MAX) this.state = 'given up';
      this.keep(chunk.subarray(at, at + 1));
      this.lists.push(byte === OPEN_LIST);
      return at + 1;
    }
    if (byte === COLON) {
      this.keep(chunk.subarray(at, at + 1));
      return at + 1;
    }
    if (byte === QUOTE) {
      this.keepDueComma();
      this.string.add(chunk.subarray(at, at + 1));
      this.stringIsLong = false;
      this.state = 'string';
      return at + 1;
    }
    this.keepsScalar = !this.commaIsDue;
    this.commaIsDue = false;
    this.state = 'scalar';
    return at;
  }

  private inString(chunk: Buffer, from: number): number {
    const quote = chunk.indexOf(QUOTE, from);
    const end = quote < 0 ? chunk.length : quote;
    const endsEscaped = this.escapes(chunk, from, end);
    const closes = quote >= 0 && !endsEscaped;
    const next = quote < 0 ? end : quote + 1;
    // An escaped quote is part of the string, and what it was escaped by is used up.
    this.isEscaped = quote < 0 && endsEscaped;
    this.addToString(chunk.subarray(from, next));
    if (closes) {
      this.keep(this.stringIsLong ? EMPTY_STRING : this.string.take());
      this.state = 'between';
    }
    return next;
  }

  private addToString(bytes: Buffer): void {
    if (this.stringIsLong) return;
    if (this.string.length + bytes.length <= STRING_BYTES_MAX) {
      this.string.add(bytes);
    } else {
      this.stringIsLong = true;
      this.string.take();
    }
  }

  /** Whether the byte at `end` is escaped by an odd number of backslashes before it. */
  private escapes(chunk: Buffer, from: number, end: number): boolean {
    let at = end;
    while (at > from && chunk[at - 1] === BACKSLASH) at -= 1;
    const isOdd = (end - at) % 2 === 1;
    return at === from && this.isEscaped ? !isOdd : isOdd;
  }

  private inScalar(chunk: Buffer, from: number): number {
    let end = from;
    while (end < chunk.length && !endsScalar(chunk[end] ?? SPACE)) end += 1;
    if (this.keepsScalar) this.keep(chunk.subarray(from, end));
    if (end < chunk.length) this.state = 'between';
    return end;
  }

  private keepDueComma(): void {
    if (this.commaIsDue) this.keep(COMMA_BYTE);
    this.commaIsDue = false;
  }

  private keep(bytes: Buffer): void {
    if (this.lists.length > this.depth) return;
    if (this.kept.length + bytes.length > DIGEST_BYTES_MAX) this.giveUp();
    else if (this.state !== 'given up') this.kept.add(bytes);
  }

  private giveUp(): void {
    this.state = 'given up';
    this.kept.take();
  }
}

function endsScalar(byte: number): boolean {
  return (
    byte <= SPACE ||
    byte === COMMA ||
    byte === CLOSE_OBJECT ||
    byte === CLOSE_LIST ||
    byte === COLON ||
    byte === QUOTE
  );
}
