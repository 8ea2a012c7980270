import { createParser, type EventSourceParser } from 'eventsource-parser';
import type { EventVerdict, SseEvent, UsageMeter } from '../providers/provider.js';
import { endOfBulk, IN_BULK, LONGEST, NO_SIGN, placeOf, type Signs } from '../providers/signs.js';
import { BACKLOG_BYTES, Backlog, endOfEvents, NOT_WHOLE } from './backlog.js';
import { EventSplitter } from './event-splitter.js';
import { KeptBytes } from './kept-bytes.js';

/** Largest event that is read, bytes. A larger one ends the reading, never the answer. */
const MAX_EVENT = 67_108_864;
/** So much is copied and looked at in one step; to copy less costs no more than to look at it where it lies. */
const STEP_BYTES_MAX = 32_768;

const LF = 0x0a;
const CR = 0x0d;

/** Bytes `[at, to)` of a chunk, which stand in the backlog from `from` to its end. */
interface Added {
  chunk: Buffer;
  at: number;
  to: number;
  from: number;
}

/**
 * Folds the bytes of an event stream into a meter; bytes may be cut anywhere. Never throws.
 *
 * Most events have no sign that they count (`UsageMeter.signs`): a chunk is copied into a backlog and looked at once. An
 * event in which a sign is found is read where it lies, before the chunk with its end goes on. Only what cannot be read so
 * is cut out (`careful`): an event whose lines end in another way, and all of them where the meter has no signs. What the
 * backlog holds is counted when somebody asks for the lower bound of an answer that broke off, or when there is too much
 * of it.
 */
export class SseReader {
  /** An event so far was the last that counts. */
  terminal = false;
  private broken = false;
  private verdict: EventVerdict | null = null;
  /** Of the text that was parsed last, an event could be read. */
  private couldRead = false;
  private signs: Signs | null | undefined;
  private inBulk = false;
  private isCareful: boolean;
  private hasEnded = false;
  private readonly splitter = new EventSplitter();
  private readonly backlog = new Backlog();
  /** Up to where the backlog has been read. */
  private readTo = 0;
  /** Where an event begins that has a sign and is not whole yet; -1: there is none. */
  private awaited = -1;
  private readonly isForgetful: boolean;
  /** Of the event that is not whole yet, where some may be taken out. */
  private readonly held = new KeptBytes();
  private parser: EventSourceParser | null = null;

  constructor(private readonly meter: UsageMeter) {
    this.signs = meter.signs;
    this.isCareful = this.signs === undefined;
    this.isForgetful = meter.output === undefined && meter.newestOnly === undefined;
    meter.output?.behind(() => this.countWhole());
  }

  /**
   * Reads the events that are whole with these bytes.
   * @param kept takes what is not to be taken out.
   * @returns true: all of the chunk goes on as it is, and nothing of it is in `kept`.
   */
  feed(chunk: Buffer, kept: KeptBytes | null = null): boolean {
    const { backlog } = this;
    if (this.isCareful || this.canPassInPlace(chunk, 0, kept) || !backlog.addWhole(chunk)) {
      this.feedOn(chunk, 0, kept);
      return false;
    }
    const from = backlog.length - chunk.length;
    const sign = this.look(from);
    // Nearly every chunk says nothing, and ends an event.
    if (sign === NO_SIGN && (kept === null || (this.held.isEmpty && backlog.endsAt(backlog.length))))
      return true;
    this.feedOn(chunk, this.pass({ chunk, at: 0, to: chunk.length, from }, sign, kept), kept);
    return false;
  }

  private feedOn(chunk: Buffer, begin: number, kept: KeptBytes | null): void {
    let at = begin;
    while (at < chunk.length && !this.broken) {
      if (this.isCareful) at = this.readOn(chunk, at, kept);
      else if (this.canPassInPlace(chunk, at, kept)) at = this.passInPlace(chunk, at);
      else at = this.passStep(chunk, at, kept);
    }
    if (at < chunk.length) kept?.add(chunk, at);
  }

  /** Reads an event whose final blank line is missing. May come twice. @param kept takes it, unless it is to be taken out. */
  end(kept: KeptBytes | null = null): void {
    const { backlog } = this;
    if (this.hasEnded) return;
    this.hasEnded = true;
    const whole = this.isCareful
      ? backlog.length
      : Math.max(this.readTo, backlog.startBefore(backlog.length));
    this.readNewest(whole);
    const isCutOff = whole < backlog.length;
    const last = isCutOff ? this.parse(`${backlog.bytes.toString('utf8', whole, backlog.length)}\n\n`) : null;
    if (!last?.drop) kept?.addAll(this.held);
    this.held.clear();
    const rest = this.splitter.rest();
    if (rest.length === 0) return;
    this.addRead(rest, 0, rest.length, kept);
    if (this.broken || !this.parse(`${rest.toString('utf8')}\n\n`)?.drop) kept?.add(rest);
  }

  /** Nobody asks any more. */
  close(): void {
    this.backlog.release();
  }

  /** Of events without a sign nothing is asked later: there is no need to keep them. */
  private canPassInPlace(chunk: Buffer, at: number, kept: KeptBytes | null): boolean {
    if (chunk.length - at <= STEP_BYTES_MAX) return false;
    return this.isForgetful && kept === null && this.awaited < 0 && !!this.signs;
  }

  /** Whole events without a sign are looked at where they lie. @returns up to where the chunk is done with. */
  private passInPlace(chunk: Buffer, at: number): number {
    const { backlog } = this;
    // Of a chunk of any size no byte is looked at more than a few times.
    const whole = endOfEvents(chunk, at + LONGEST, Math.min(chunk.length, at + BACKLOG_BYTES));
    if (whole === NOT_WHOLE) return this.passStep(chunk, at, null);
    // A sign over the cut, and one that begins right behind it, is found in the backlog.
    const begun = this.passStep(chunk, at, null, LONGEST);
    if (!this.signs || this.isCareful || this.awaited >= 0) return begun;
    const sign = this.signs.findInPlace(chunk, at, whole);
    const passed = sign < 0 ? whole : endOfEvents(chunk, begun, sign);
    if (passed === NOT_WHOLE) return this.passStep(chunk, begun, null);
    // No string goes on behind a blank line.
    this.inBulk = false;
    backlog.drop(backlog.length);
    this.readTo = 0;
    return passed;
  }

  /** @returns up to where the chunk is done with. */
  private passStep(chunk: Buffer, at: number, kept: KeptBytes | null, most = STEP_BYTES_MAX): number {
    const { backlog } = this;
    const to = Math.min(chunk.length, at + most);
    this.makeRoom(to - at, kept);
    if (this.broken) return at;
    const from = backlog.length;
    backlog.add(chunk, at, to);
    return this.pass({ chunk, at, to, from }, this.look(from), kept);
  }

  /** @param found the first sign in what was added. @returns up to where the chunk is done with. */
  private pass(added: Added, found: number, kept: KeptBytes | null): number {
    const { backlog } = this;
    /** Up to there it has gone on, or was taken out. */
    let passed = added.from;
    for (let sign = found; sign !== NO_SIGN; sign = this.look(this.readTo)) {
      // What has been read is not read again, whatever ends its lines.
      const start = Math.max(this.readTo, backlog.startBefore(sign));
      const searched = this.awaited < 0 ? start : added.from;
      const end = backlog.endOfEvent(start, searched);
      // A CR may be what ends its lines.
      if (end === NOT_WHOLE && placeOf(CR, backlog.bytes, searched, backlog.length) < 0) {
        this.awaited = start;
        break;
      }
      this.awaited = -1;
      if (end <= sign || !this.readInPlace(start, end)) return this.cutOut(start, added, passed, kept);
      if (this.verdict?.drop && kept !== null) {
        if (start < added.from) this.held.clear();
        else this.keepUpTo(start, added, passed, kept);
        passed = end;
      }
      if (this.broken) return this.cutOut(end, added, passed, kept);
    }
    if (kept === null || this.keepWhole(added, passed, kept)) return added.to;
    const start = Math.max(this.readTo, backlog.startBefore(backlog.length));
    return this.cutOut(start, added, passed, kept);
  }

  /** @returns false: it is not read, because its lines end in another way. */
  private readInPlace(start: number, end: number): boolean {
    const text = this.backlog.bytes.toString('utf8', start, end);
    if (text.includes('\r')) return false;
    this.readNewest(start);
    this.parse(text);
    this.readTo = end;
    return true;
  }

  /** From `start` on, where an event begins, events are cut out. @returns up to where the chunk is done with. */
  private cutOut(start: number, added: Added, passed: number, kept: KeptBytes | null): number {
    const { backlog } = this;
    const { at, from } = added;
    this.readNewest(start);
    this.isCareful = true;
    this.inBulk = false;
    this.awaited = -1;
    if (start >= from) {
      backlog.cut(start);
      if (kept !== null) this.keepUpTo(start, added, passed, kept);
      return at + start - from;
    }
    // The event began in an earlier chunk.
    const begun = Buffer.from(backlog.bytes.subarray(start, from));
    backlog.cut(start);
    this.held.clear();
    this.readOn(begun, 0, kept);
    // Also where what had begun turned out to be whole: these bytes are not looked at twice.
    this.isCareful = true;
    return at;
  }

  /** @returns where a sign stands in the backlog, of which some lies behind `from`. */
  private look(from: number): number {
    const { backlog, signs } = this;
    const { length } = backlog;
    if (from === length) return NO_SIGN;
    if (this.awaited >= 0) return this.awaited;
    if (!signs) return from;
    let start = from;
    if (this.inBulk) {
      start = endOfBulk(backlog.bytes, from, length);
      if (start === IN_BULK) return NO_SIGN;
    }
    const found = signs.find(backlog, start, length);
    this.inBulk = found === IN_BULK;
    return found === IN_BULK ? NO_SIGN : found;
  }

  /** Lets whole events go on. @returns false: it cannot be seen where the last of them ends. */
  private keepWhole(added: Added, passed: number, kept: KeptBytes): boolean {
    const { backlog } = this;
    const { chunk, at, to, from } = added;
    const start = Math.max(this.readTo, backlog.startBefore(backlog.length));
    const isWhole = start === backlog.length;
    // What came before was looked at when it came.
    if (!isWhole && placeOf(CR, chunk, at + Math.max(start, from) - from, to) >= 0) return false;
    if (start > passed) this.keepUpTo(start, added, passed, kept);
    if (!isWhole) this.held.add(chunk, at + Math.max(start, passed) - from, to);
    return true;
  }

  private keepUpTo(place: number, { chunk, at, from }: Added, passed: number, kept: KeptBytes): void {
    kept.addAll(this.held);
    kept.add(chunk, at + passed - from, at + place - from);
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
    this.isCareful = this.signs === undefined || this.broken || !this.splitter.isBetweenEvents;
    return end;
  }

  /** @returns whether the event is to be taken out. */
  private readOne(bytes: Buffer, start: number, end: number, kept: KeptBytes | null): boolean {
    this.addRead(bytes, start, end, kept);
    return this.parse(bytes.toString('utf8', start, end))?.drop === true;
  }

  /** An event that is read now waits to be counted behind the others. */
  private addRead(bytes: Buffer, start: number, end: number, kept: KeptBytes | null): void {
    if (this.meter.output) {
      this.makeRoom(end - start, kept);
      this.backlog.add(bytes, start, end);
    }
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
    kept?.addAll(this.held);
    kept?.add(this.splitter.rest());
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
    this.awaited = Math.max(-1, this.awaited - to);
  }

  /** Of the events up to a place; one that cannot be read does not take the place of the one before it. */
  private readNewest(to: number): void {
    if (!this.meter.newestOnly) return;
    const { backlog, readTo } = this;
    for (let end = to; end > readTo; ) {
      const start = backlog.startBefore(end - 1);
      this.parse(backlog.bytes.toString('utf8', start, end));
      if (this.couldRead) break;
      end = start;
    }
    this.readTo = Math.max(readTo, to);
  }

  /** @returns what the meter says; null: it was no event, or could not be read. */
  private parse(text: string): EventVerdict | null {
    this.verdict = null;
    this.couldRead = false;
    if (this.broken) return null;
    try {
      const event = plainEventOf(text);
      if (event) this.take(event);
      // Events are not read in their order, and the mark of UTF-8 stands before the first.
      else this.parserOfAll().feed(text.startsWith('\ufeff') ? text.slice(1) : text);
    } catch {
      this.broken = true;
    }
    this.signs = this.meter.signs;
    return this.verdict;
  }

  private take(event: SseEvent): void {
    this.verdict = this.meter.onEvent(event);
    this.terminal ||= this.verdict.terminal;
    this.couldRead ||= !this.verdict.unread;
  }

  private parserOfAll(): EventSourceParser {
    this.parser ??= createParser({ onEvent: ({ event = '', data }) => this.take({ event, data }) });
    return this.parser;
  }
}

/** An event of one line of data, and one with its name at most, as nearly all are; null: it may be any other. */
function plainEventOf(text: string): SseEvent | null {
  if (text.includes('\r')) return null;
  let event = '';
  let start = 0;
  if (text.startsWith(NAME)) {
    const nameEnd = text.indexOf('\n');
    event = text.slice(NAME.length, nameEnd);
    start = nameEnd + 1;
  }
  const end = text.length - BLANK_LINE.length;
  const data = start + DATA.length;
  // Where the first line end is that of the blank line, there is no other line.
  const isPlain = text.startsWith(DATA, start) && data < end && text.indexOf('\n', start) === end;
  return isPlain ? { event, data: text.slice(data, end) } : null;
}

const NAME = 'event: ';
const DATA = 'data: ';
const BLANK_LINE = '\n\n';

/** Behind the next blank line, lines ending with LF or CRLF; without one the end of the chunk. */
function endOfBlankLine(chunk: Buffer, from: number): number {
  for (let lf = chunk.indexOf(LF, from); lf >= 0; lf = chunk.indexOf(LF, lf + 1)) {
    if (chunk[lf + 1] === LF) return lf + 2;
    if (chunk[lf + 1] === CR && chunk[lf + 2] === LF) return lf + 3;
  }
  return chunk.length;
}
