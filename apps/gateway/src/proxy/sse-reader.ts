import { createParser, type EventSourceParser } from 'eventsource-parser';
import type { EventVerdict, UsageMeter } from '../providers/provider.js';
import { EventSplitter } from './event-splitter.js';
import { QuietBacklog } from './quiet-backlog.js';

/** Largest event that is read, bytes. A larger one ends the reading, never the answer. */
const MAX_EVENT = 67_108_864;

const LF = 0x0a;
const CR = 0x0d;

/** Folds the bytes of an event stream into a meter; bytes may be cut anywhere. Never throws. */
export class SseReader {
  /** An event so far was the last that counts. */
  terminal = false;
  private broken = false;
  private verdict: EventVerdict | null = null;
  private readonly splitter = new EventSplitter();
  private readonly parser: EventSourceParser;
  private readonly quiet: QuietBacklog;

  constructor(private readonly meter: UsageMeter) {
    this.parser = createParser({
      onEvent: ({ event = '', data }) => {
        this.verdict = meter.onEvent({ event, data });
        this.terminal ||= this.verdict.terminal;
      },
    });
    this.quiet = new QuietBacklog(meter, (event) => this.parse(event));
  }

  /** Reads the events that are whole with these bytes. @returns those events without the ones to be taken out. */
  feed(chunk: Buffer): Buffer[] {
    if (this.broken) return [chunk];
    let at = this.skipQuiet(chunk, 0);
    if (at === chunk.length) return [chunk];
    const kept = new Run();
    kept.add(chunk, 0, at);
    while (at < chunk.length && !this.broken) {
      // Up to the end of one event, because those behind it may be quiet again.
      const end = this.meter.quiet ? endOfBlankLine(chunk, at) : chunk.length;
      const { bytes, ends } = this.splitter.push(chunk.subarray(at, end));
      this.read(bytes, ends, kept);
      if (this.splitter.heldBytes > MAX_EVENT) {
        this.broken = true;
        kept.add(this.splitter.rest());
      }
      at = this.skipQuiet(chunk, end);
      kept.add(chunk, end, at);
    }
    kept.add(chunk, at);
    return kept.pieces();
  }

  /** Reads what waits, and an event whose final blank line is missing. @returns it, unless it is to be taken out. */
  end(): Buffer[] {
    this.quiet.flush();
    const rest = this.splitter.rest();
    if (rest.length === 0) return [];
    if (this.broken || this.meter.glance(rest.toString('latin1'))) return [rest];
    return this.parse(`${rest.toString('utf8')}\n\n`)?.drop ? [] : [rest];
  }

  private skipQuiet(chunk: Buffer, from: number): number {
    return this.splitter.isBetweenEvents && !this.broken ? this.quiet.take(chunk, from, chunk.length) : from;
  }

  private read(bytes: Buffer, ends: readonly number[], kept: Run): void {
    let start = 0;
    for (const end of ends) {
      if (this.quiet.take(bytes, start, end) === end || !this.readOne(bytes, start, end))
        kept.add(bytes, start, end);
      start = end;
    }
  }

  /** @returns whether the event is to be taken out. */
  private readOne(bytes: Buffer, start: number, end: number): boolean {
    this.quiet.flush();
    // One character per byte.
    if (this.meter.glance(bytes.toString('latin1', start, end))) return false;
    return this.parse(bytes.toString('utf8', start, end))?.drop === true;
  }

  /** @returns what the meter says; null: it was no event, or could not be read. */
  private parse(text: string): EventVerdict | null {
    this.verdict = null;
    if (this.broken) return null;
    try {
      this.parser.feed(text);
    } catch {
      this.broken = true;
    }
    return this.verdict;
  }
}

/** Bytes that go on, in as few pieces as they can. */
class Run {
  private readonly list: Buffer[] = [];

  add(bytes: Buffer, from = 0, to = bytes.length): void {
    if (from >= to) return;
    const last = this.list.at(-1);
    const start = bytes.byteOffset + from;
    if (last && last.buffer === bytes.buffer && last.byteOffset + last.length === start)
      this.list[this.list.length - 1] = Buffer.from(bytes.buffer, last.byteOffset, last.length + to - from);
    else this.list.push(bytes.subarray(from, to));
  }

  pieces(): Buffer[] {
    return this.list;
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
