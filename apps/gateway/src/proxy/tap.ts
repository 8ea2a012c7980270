import type { Transform } from 'node:stream';
import type { UsageMeter } from '../providers/provider.js';
import { BodyReader } from './body-reader.js';
import { type Coding, codingOf } from './decoding.js';
import { KeptBytes } from './kept-bytes.js';
import { SseReader } from './sse-reader.js';

/** Where an answer goes behind the tap. */
export interface TapSink {
  /** These bytes have been folded and may go to the client. */
  release(bytes: Buffer): void;
  /** Nothing that counts can follow: the call is settled now, before the bytes that say so are released. May come twice. */
  terminal(): void;
  /** While busy, no further chunk may come. */
  busy(isBusy: boolean): void;
}

/** Stands beside the way of a 2xx answer of a metered route and folds every chunk before it is released. */
export interface Tap {
  /** Whether what it releases may be less than what was pushed. */
  readonly rewrites: boolean;
  push(chunk: Buffer): void;
  /** The answer has ended, whole or not: folds and releases what is left, then calls `done`, behind which nobody asks the meter. */
  finish(done: () => void): void;
  /** Nobody waits for the rest any more: folds what there is, now. */
  giveUp(): void;
}

export interface Answer {
  contentType: string;
  contentEncoding: string | undefined;
  /** Null: not said. Where it is, its last byte tells the client that the answer is whole. */
  contentLength: number | null;
  /** The request was rewritten to ask for an event that the client did not ask for. */
  mayDrop: boolean;
}

/** Folds the plain bytes of an answer. Never throws; `end` may come twice. */
interface Reader {
  /** What was fed so far holds the end of all that counts. */
  readonly terminal: boolean;
  feed(bytes: Buffer): void;
  end(): void;
  /** The meter is not asked any more. */
  close(): void;
}

/** Reads nothing: the answer is no text, or compressed in a way that cannot be read. */
const NO_READER: Reader = {
  terminal: false,
  feed: () => undefined,
  end: () => undefined,
  close: () => undefined,
};

export function openTap(
  { contentType, contentEncoding, contentLength, mayDrop }: Answer,
  meter: UsageMeter,
  sink: TapSink,
): Tap {
  const coding = codingOf(contentEncoding);
  const isStream = /^\s*text\/event-stream\b/i.test(contentType);
  if (coding === undefined || meter.isHeadOnly || isMedia(contentType))
    return new PlainTap(contentLength, NO_READER, sink);
  if (coding === null && isStream && mayDrop) return new DroppingTap(meter, sink);
  const reader = isStream ? new SseReader(meter) : new BodyReader(meter);
  return coding
    ? new CompressedTap(coding, contentLength, reader, sink)
    : new PlainTap(contentLength, reader, sink);
}

/** Sound and pictures report nothing. */
function isMedia(contentType: string): boolean {
  return /^\s*(?:audio|image|video|application\/(?:octet-stream|zip))\b/i.test(contentType);
}

/** An answer as it is. Where its length is said, its last chunk waits for the settlement: it tells that all is there. */
class PlainTap implements Tap {
  readonly rewrites = false;
  private received = 0;

  constructor(
    private readonly contentLength: number | null,
    private readonly reader: Reader,
    private readonly sink: TapSink,
  ) {}

  push(chunk: Buffer): void {
    this.reader.feed(chunk);
    this.received += chunk.length;
    const last = this.received === this.contentLength;
    if (last) this.reader.end();
    if (last || this.reader.terminal) this.sink.terminal();
    this.sink.release(chunk);
  }

  giveUp(): void {
    this.reader.end();
  }

  finish(done: () => void): void {
    this.reader.end();
    done();
    this.reader.close();
  }
}

/** An event stream of which events may be taken out: each is released or dropped when it is whole. */
class DroppingTap implements Tap {
  readonly rewrites = true;
  private readonly reader: SseReader;
  private readonly kept = new KeptBytes();

  constructor(
    meter: UsageMeter,
    private readonly sink: TapSink,
  ) {
    this.reader = new SseReader(meter);
  }

  push(chunk: Buffer): void {
    if (this.reader.feed(chunk, this.kept)) this.sink.release(chunk);
    else this.pass();
  }

  giveUp(): void {
    this.reader.end();
  }

  finish(done: () => void): void {
    this.reader.end(this.kept);
    this.pass();
    done();
    this.reader.close();
  }

  private pass(): void {
    if (this.kept.isEmpty) return;
    if (this.reader.terminal) this.sink.terminal();
    for (const bytes of this.kept.take()) this.sink.release(bytes);
  }
}

/** A compressed answer: its bytes go through as they are, each chunk once the copy of it has been read. */
class CompressedTap implements Tap {
  readonly rewrites = false;
  private inflater: Transform | null = null;
  private received = 0;
  private inFlight: Buffer | null = null;
  private failed = false;

  constructor(
    private readonly coding: Coding,
    private readonly contentLength: number | null,
    private readonly reader: Reader,
    private readonly sink: TapSink,
  ) {}

  push(chunk: Buffer): void {
    this.received += chunk.length;
    if (this.failed) this.sink.release(chunk);
    else if (this.received === this.contentLength) this.readLast(chunk);
    else this.read(chunk);
  }

  giveUp(): void {
    this.reader.end();
  }

  finish(done: () => void): void {
    const whenRead = (): void => {
      this.reader.end();
      done();
      this.reader.close();
    };
    if (this.inflater === null || this.inflater.destroyed || this.inflater.writableEnded) {
      whenRead();
    } else {
      this.inflater.once('close', whenRead);
      this.inflater.end();
    }
  }

  private read(chunk: Buffer): void {
    this.inFlight = chunk;
    this.sink.busy(true);
    this.open(chunk).write(chunk, () => this.passOn());
  }

  private passOn(): void {
    const chunk = this.inFlight;
    if (chunk === null) return;
    this.inFlight = null;
    if (this.reader.terminal) this.sink.terminal();
    this.sink.release(chunk);
    this.sink.busy(false);
  }

  private readLast(chunk: Buffer): void {
    this.sink.busy(true);
    const inflater = this.open(chunk);
    inflater.once('close', () => {
      this.reader.end();
      this.sink.terminal();
      this.sink.release(chunk);
      this.sink.busy(false);
    });
    inflater.end(chunk);
  }

  private open(first: Buffer): Transform {
    if (this.inflater) return this.inflater;
    const inflater = this.coding(first);
    inflater.on('data', (plain: Buffer) => this.reader.feed(plain));
    inflater.on('error', () => {
      // The callback of the write that failed never comes.
      this.failed = true;
      this.passOn();
    });
    this.inflater = inflater;
    return inflater;
  }
}
