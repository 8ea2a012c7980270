import { createParser, type EventSourceParser } from 'eventsource-parser';
import type { UsageMeter } from '../providers/provider.js';
import { EventSplitter } from './event-splitter.js';

/** Largest event that is read, bytes. A larger one ends the reading, never the answer. */
const MAX_EVENT = 67_108_864;

/** Folds the bytes of an event stream into a meter; bytes may be cut anywhere. Never throws. */
export class SseReader {
  /** An event so far was the last that counts. */
  terminal = false;
  private drop = false;
  private broken = false;
  private readonly splitter = new EventSplitter();
  private readonly parser: EventSourceParser;

  constructor(private readonly meter: UsageMeter) {
    this.parser = createParser({
      onEvent: ({ event = '', data }) => {
        const verdict = meter.onEvent({ event, data });
        this.terminal ||= verdict.terminal;
        this.drop ||= verdict.drop;
      },
    });
  }

  /** Reads the events that are whole with these bytes. @returns those events without the ones to be taken out. */
  feed(chunk: Buffer): Buffer[] {
    if (this.broken) return [chunk];
    const { bytes, ends } = this.splitter.push(chunk);
    if (this.splitter.heldBytes <= MAX_EVENT) return this.read(bytes, ends);
    this.broken = true;
    return [...this.read(bytes, ends), this.splitter.rest()];
  }

  /** Reads an event whose final blank line is missing. @returns it, unless it is to be taken out. */
  end(): Buffer[] {
    const rest = this.splitter.rest();
    if (rest.length === 0) return [];
    if (this.broken || this.meter.glance(rest.toString('latin1'))) return [rest];
    this.drop = false;
    this.parse(`${rest.toString('utf8')}\n\n`);
    return this.drop ? [] : [rest];
  }

  private read(bytes: Buffer, ends: readonly number[]): Buffer[] {
    const kept: Buffer[] = [];
    // One character per byte, so that places in it are places in the bytes.
    const text = bytes.toString('latin1');
    let keptFrom = 0;
    let start = 0;
    for (const end of ends) {
      if (this.meter.glance(text.slice(start, end))) {
        start = end;
        continue;
      }
      this.drop = false;
      this.parse(bytes.toString('utf8', start, end));
      if (this.drop) {
        if (start > keptFrom) kept.push(bytes.subarray(keptFrom, start));
        keptFrom = end;
      }
      start = end;
    }
    if (keptFrom < bytes.length) kept.push(keptFrom === 0 ? bytes : bytes.subarray(keptFrom));
    return kept;
  }

  private parse(text: string): void {
    if (this.broken) return;
    try {
      this.parser.feed(text);
    } catch {
      this.broken = true;
    }
  }
}
