import type { Transform } from 'node:stream';
import type { UsageMeter } from '../providers/provider.js';
import { type Coding, codingOf } from './decoding.js';
import { EventSplitter } from './event-splitter.js';
import { SseReader } from './sse-reader.js';

/** A JSON answer above this, compressed or not, passes unread: it is settled as one without a usage report, and alerted. */
const MAX_BODY_BYTES = 67_108_864;

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
  push(chunk: Buffer): void;
  /** The answer has ended, whole or not: folds and releases what is left, then calls `done`. */
  finish(done: () => void): void;
}

export interface Answer {
  contentType: string;
  contentEncoding: string | undefined;
  /** Null: not said. Where it is, its last byte tells the client that the answer is whole. */
  contentLength: number | null;
  /** The request was rewritten to ask for an event that the client did not ask for. */
  mayDrop: boolean;
}

export function openTap(answer: Answer, meter: UsageMeter, sink: TapSink): Tap {
  const coding = codingOf(answer.contentEncoding);
  if (!/^\s*text\/event-stream\b/i.test(answer.contentType))
    return new BodyTap(coding, answer.contentLength, meter, sink);
  if (coding) return new CompressedStreamTap(coding, answer.contentLength, meter, sink);
  if (coding === undefined) return new BodyTap(undefined, answer.contentLength, meter, sink);
  return answer.mayDrop ? new DroppingTap(meter, sink) : new StreamTap(answer.contentLength, meter, sink);
}

/** A whole JSON answer. Chunks pass at once; only the last one waits, for it says that the answer is complete. */
class BodyTap implements Tap {
  private chunks: Buffer[] = [];
  private received = 0;
  private folded = false;

  constructor(
    private readonly coding: Coding | null | undefined,
    private readonly contentLength: number | null,
    private readonly meter: UsageMeter,
    private readonly sink: TapSink,
  ) {}

  push(chunk: Buffer): void {
    this.received += chunk.length;
    if (this.received <= MAX_BODY_BYTES) this.chunks.push(chunk);
    else this.chunks = [];
    if (this.received === this.contentLength) {
      this.fold();
      this.sink.terminal();
    }
    this.sink.release(chunk);
  }

  finish(done: () => void): void {
    this.fold();
    done();
  }

  private fold(): void {
    if (this.folded) return;
    this.folded = true;
    const { chunks } = this;
    this.chunks = [];
    if (this.coding === undefined || chunks.length === 0) return;
    try {
      const bytes = Buffer.concat(chunks);
      const plain = this.coding ? this.coding.whole(bytes, MAX_BODY_BYTES) : bytes;
      this.meter.onBody(JSON.parse(plain.toString('utf8')));
    } catch {
      // Not JSON, or damaged: there is no usage report, and the settlement says so.
    }
  }
}

/** An event stream as it is. */
class StreamTap implements Tap {
  private readonly reader: SseReader;
  private received = 0;

  constructor(
    private readonly contentLength: number | null,
    meter: UsageMeter,
    private readonly sink: TapSink,
  ) {
    this.reader = new SseReader(meter);
  }

  push(chunk: Buffer): void {
    this.reader.feed(chunk);
    this.received += chunk.length;
    const last = this.received === this.contentLength;
    if (last) this.reader.end();
    if (last || this.reader.terminal) this.sink.terminal();
    this.sink.release(chunk);
  }

  finish(done: () => void): void {
    this.reader.end();
    done();
  }
}

/** An event stream of which events may be taken out: each is released or dropped when it is whole. */
class DroppingTap implements Tap {
  private readonly reader: SseReader;
  private readonly splitter = new EventSplitter();

  constructor(
    meter: UsageMeter,
    private readonly sink: TapSink,
  ) {
    this.reader = new SseReader(meter);
  }

  push(chunk: Buffer): void {
    for (const event of this.splitter.push(chunk)) {
      this.reader.feed(event);
      this.pass(event);
    }
  }

  finish(done: () => void): void {
    const rest = this.splitter.rest();
    this.reader.feed(rest);
    this.reader.end();
    this.pass(rest);
    done();
  }

  private pass(event: Buffer): void {
    if (event.length === 0) return;
    if (this.reader.terminal) this.sink.terminal();
    if (!this.reader.takeDrop()) this.sink.release(event);
  }
}

/** A compressed event stream: its bytes go through as they are, each chunk once the copy of it has been read. */
class CompressedStreamTap implements Tap {
  private readonly reader: SseReader;
  private inflater: Transform | null = null;
  private received = 0;
  private inFlight: Buffer | null = null;
  private failed = false;

  constructor(
    private readonly coding: Coding,
    private readonly contentLength: number | null,
    meter: UsageMeter,
    private readonly sink: TapSink,
  ) {
    this.reader = new SseReader(meter);
  }

  push(chunk: Buffer): void {
    this.received += chunk.length;
    if (this.failed) this.sink.release(chunk);
    else if (this.received === this.contentLength) this.readLast(chunk);
    else this.read(chunk);
  }

  finish(done: () => void): void {
    const whenRead = (): void => {
      this.reader.end();
      done();
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
    const inflater = this.coding.stream(first);
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
