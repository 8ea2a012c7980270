import { createParser, type EventSourceParser } from 'eventsource-parser';
import type { EventVerdict, UsageMeter } from '../providers/provider.js';
import { endOfBulk, IN_BULK, NO_SIGN, type Signs } from '../providers/signs.js';
import { BACKLOG_BYTES, Backlog } from './backlog.js';
import { EventSplitter } from './event-splitter.js';
import type { KeptBytes } from './kept-bytes.js';

/** Largest event that is read, bytes. A larger one ends the reading, never the answer. */
const MAX_EVENT = 67_108_864;
/** So much is looked at in one step. */
const STEP_BYTES_MAX = 16_384;

const LF = 0x0a;
const CR = 0x0d;

/**
 * Folds the bytes of an event stream into a meter; bytes may be cut anywhere. Never throws.
 *
 * Most events have no sign that they count (`UsageMeter.signs`): such a chunk is looked at once and copied into a
 * backlog. The event in which a sign is found is cut out and read before the chunk goes on, and so are all others while
 * the meter has no signs. What the backlog holds is counted when somebody asks for the lower bound of an answer that
 * broke off, or when there is too much of it.
 */
export class SseReader {
  /** An event so far was the last that counts. */
  terminal = false;
  private broken = false;
  private verdict: EventVerdict | null = null;
  private signs: Signs | null | undefined;
  private inBulk = false;
  /** Events are cut out and read. */
  private isCareful: boolean;
  private hasEnded = false;
  private readonly splitter = new EventSplitter();
  private readonly backlog = new Backlog();
  /** Up to where the backlog has been read, where each event takes the place of the one before it. */
  private readTo = 0;
  /** Of the event that is not whole yet, where some may be taken out. */
  private held: Buffer[] = [];
  private parser: EventSourceParser | null = null;

  constructor(private readonly meter: UsageMeter) {
    this.signs = meter.signs;
    this.isCareful = !this.signs;
    meter.output?.behind(() => this.countWhole());
  }

  /** Reads the events that are whole with these bytes. @param kept takes those that are not to be taken out. */
  feed(chunk: Buffer, kept: KeptBytes | null = null): void {
    if (kept === null && this.saysNothing(chunk)) return;
    let at = 0;
    while (at < chunk.length && !this.broken) {
      if (this.signs && !this.isCareful) at = this.pass(chunk, at, this.signs, kept);
      else at = this.readOn(chunk, at, kept);
    }
    if (at < chunk.length) kept?.add(chunk, at);
  }

  /** Reads an event whose final blank line is missing. May come twice. @param kept takes it, unless it is to be taken out. */
  end(kept: KeptBytes | null = null): void {
    const { backlog } = this;
    this.hasEnded = true;
    const whole = this.isCareful ? backlog.length : backlog.startBefore(backlog.length);
    this.readNewest(whole);
    if (whole < backlog.length && this.meter.newestOnly)
      this.parse(`${backlog.bytes.toString('utf8', whole, backlog.length)}\n\n`);
    for (const piece of this.held) kept?.add(piece);
    this.held = [];
    const rest = this.splitter.rest();
    if (rest.length === 0) return;
    this.addRead(rest, 0, rest.length, kept);
    if (this.broken || !this.parse(`${rest.toString('utf8')}\n\n`)?.drop) kept?.add(rest);
  }

  /** Nobody asks any more. */
  close(): void {
    this.backlog.release();
  }

  /** Takes a chunk without any sign, in as few steps as can be: it is what nearly every chunk is. */
  private saysNothing(chunk: Buffer): boolean {
    const { signs, backlog } = this;
    if (!signs || this.isCareful) return false;
    const from = backlog.length;
    if (!backlog.addWhole(chunk)) return false;
    const { inBulk } = this;
    if (this.look(signs, from) === NO_SIGN) return true;
    this.inBulk = inBulk;
    backlog.cut(from);
    return false;
  }

  /** Looks at bytes that may say nothing. @returns up to where they are done with. */
  private pass(chunk: Buffer, at: number, signs: Signs, kept: KeptBytes | null): number {
    const { backlog } = this;
    const end = Math.min(chunk.length, at + STEP_BYTES_MAX);
    this.makeRoom(end - at, kept);
    if (this.broken) return at;
    const from = backlog.length;
    backlog.add(chunk, at, end);
    const sign = this.look(signs, from);
    const isOdd = kept !== null && sign === NO_SIGN && !this.keep(chunk, at, end, from, kept);
    if (sign === NO_SIGN && !isOdd) return end;

    // What has been read is never cut out again, whatever ends its lines.
    const start = Math.max(this.readTo, backlog.startBefore(isOdd ? backlog.length : sign));
    this.readNewest(start);
    this.isCareful = true;
    if (start >= from) {
      backlog.cut(start);
      this.keepAll(chunk, at, at + start - from, kept);
      return at + start - from;
    }
    // The event began in an earlier chunk.
    const begun = Buffer.from(backlog.bytes.subarray(start, from));
    backlog.cut(start);
    this.held = [];
    this.readOn(begun, 0, kept);
    // Also where what had begun turned out to be whole: these bytes are not looked at twice.
    this.isCareful = true;
    return at;
  }

  /** @returns where a sign stands in the backlog, of which some is new. */
  private look(signs: Signs, from: number): number {
    const { bytes, length } = this.backlog;
    let start = from;
    if (this.inBulk) {
      start = endOfBulk(bytes, from, length);
      if (start === IN_BULK) return NO_SIGN;
    }
    const found = signs.find(bytes, start, length);
    this.inBulk = found === IN_BULK;
    return found === IN_BULK ? NO_SIGN : found;
  }

  /** Lets whole events go on. @returns false: it cannot be seen where the last of them ends. */
  private keep(chunk: Buffer, at: number, end: number, from: number, kept: KeptBytes): boolean {
    const { backlog } = this;
    const start = backlog.startBefore(backlog.length);
    const isWhole = start === backlog.length;
    if (!isWhole && backlog.bytes.subarray(start, backlog.length).includes(CR)) return false;
    if (start > from) this.keepAll(chunk, at, at + start - from, kept);
    if (!isWhole) this.held.push(chunk.subarray(start > from ? at + start - from : at, end));
    return true;
  }

  private keepAll(chunk: Buffer, at: number, end: number, kept: KeptBytes | null): void {
    for (const piece of this.held) kept?.add(piece);
    this.held = [];
    kept?.add(chunk, at, end);
  }

  /** Cuts events out and reads them. @returns up to where: behind an event those that follow may be passed. */
  private readOn(chunk: Buffer, at: number, kept: KeptBytes | null): number {
    const end = this.signs === undefined ? chunk.length : endOfBlankLine(chunk, at);
    const { bytes, ends } = this.splitter.push(chunk.subarray(at, end));
    let start = 0;
    for (const eventEnd of ends) {
      if (!this.readOne(bytes, start, eventEnd, kept)) kept?.add(bytes, start, eventEnd);
      start = eventEnd;
    }
    if (this.splitter.heldBytes > MAX_EVENT) this.breakOff(kept);
    this.isCareful = !this.signs || this.broken || !this.splitter.isBetweenEvents;
    return end;
  }

  /** @returns whether the event is to be taken out. */
  private readOne(bytes: Buffer, start: number, end: number, kept: KeptBytes | null): boolean {
    this.addRead(bytes, start, end, kept);
    return this.parse(bytes.toString('utf8', start, end))?.drop === true;
  }

  /** An event that is read now waits to be counted behind the others. */
  private addRead(bytes: Buffer, start: number, end: number, kept: KeptBytes | null): void {
    if (!this.meter.output) return;
    this.makeRoom(end - start, kept);
    this.backlog.add(bytes, start, end);
    this.readTo = this.backlog.length;
  }

  private makeRoom(bytes: number, kept: KeptBytes | null): void {
    const { backlog } = this;
    if (backlog.length + bytes <= BACKLOG_BYTES) return;
    const whole = this.isCareful ? backlog.length : backlog.startBefore(backlog.length);
    this.readNewest(whole);
    this.count(whole);
    if (backlog.length + bytes > MAX_EVENT) this.breakOff(kept);
  }

  /** An event is too large. */
  private breakOff(kept: KeptBytes | null): void {
    this.broken = true;
    this.isCareful = true;
    for (const piece of [...this.held, this.splitter.rest()]) kept?.add(piece);
    this.held = [];
    this.count(this.backlog.length);
  }

  /** What breaks off in the middle of an event counts as well, once nothing can follow it. */
  private countWhole(): void {
    const { backlog } = this;
    this.count(this.hasEnded || this.isCareful ? backlog.length : backlog.startBefore(backlog.length));
  }

  /** Counts what waits, up to a place, and forgets it. */
  private count(to: number): void {
    if (to === 0) return;
    if (!this.hasEnded) this.readNewest(to);
    this.meter.output?.takeEvents(this.backlog.bytes.subarray(0, to));
    this.backlog.drop(to);
    this.readTo = Math.max(0, this.readTo - to);
  }

  /** Of the events up to a place; one that cannot be read does not take the place of the one before it. */
  private readNewest(to: number): void {
    if (!this.meter.newestOnly) return;
    const { backlog, readTo } = this;
    for (let end = to; end > readTo; ) {
      const start = backlog.startBefore(end - 1);
      const verdict = this.parse(backlog.bytes.toString('utf8', start, end));
      if (verdict !== null && !verdict.unread) break;
      end = start;
    }
    this.readTo = to;
  }

  /** @returns what the meter says; null: it was no event, or could not be read. */
  private parse(text: string): EventVerdict | null {
    this.verdict = null;
    if (this.broken) return null;
    this.parser ??= createParser({
      onEvent: ({ event = '', data }) => {
        this.verdict = this.meter.onEvent({ event, data });
        this.terminal ||= this.verdict.terminal;
      },
    });
    try {
      this.parser.feed(text);
    } catch {
      this.broken = true;
    }
    this.signs = this.meter.signs;
    return this.verdict;
  }
}

/** Behind the next blank line, lines ending with LF or CRLF; without one the end of the chunk. */
function endOfBlankLine(chunk: Buffer, from: number): number {
  for (let lf = chunk.indexOf(LF, from); lf >= 0; lf = chunk.indexOf(LF, lf + 1)) {
    if (chunk[lf + 1] === LF) return lf + 2;
    if (chunk[lf + 1] === CR && chunk[lf + 2] === LF) return lf + 3;
  }
  return chunk.length;
}
