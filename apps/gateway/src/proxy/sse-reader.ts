import { StringDecoder } from 'node:string_decoder';
import { createParser, type EventSourceParser } from 'eventsource-parser';
import type { UsageMeter } from '../providers/provider.js';

/** Largest event that is read, characters. A larger one ends the reading, never the answer. */
const MAX_EVENT = 67_108_864;

/** Folds the bytes of an event stream into a meter; bytes may be cut anywhere. Never throws. */
export class SseReader {
  /** An event so far was the last that counts. */
  terminal = false;
  /** An event since the last `takeDrop` is to be taken out of the client's stream. */
  private drop = false;
  private readonly decoder = new StringDecoder('utf8');
  private readonly parser: EventSourceParser;
  private broken = false;

  constructor(meter: UsageMeter) {
    this.parser = createParser({
      maxBufferSize: MAX_EVENT,
      onEvent: ({ event = '', data }) => {
        const verdict = meter.onEvent({ event, data });
        this.terminal ||= verdict.terminal;
        this.drop ||= verdict.drop;
      },
    });
  }

  feed(bytes: Buffer): void {
    this.parse(this.decoder.write(bytes));
  }

  /** Reads an event whose final blank line is missing. */
  end(): void {
    this.parse(`${this.decoder.end()}\n\n`);
  }

  takeDrop(): boolean {
    const { drop } = this;
    this.drop = false;
    return drop;
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
