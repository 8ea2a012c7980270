import type { IncomingHttpHeaders } from 'node:http';
import { errorResponse, VendoError } from '@vendo/errors';
import type { Dispatcher } from 'undici';
import type { UsageMeter } from '../providers/provider.js';
import type { Call } from './call.js';
import type { Drain, Drains } from './drains.js';
import type { Exchange } from './exchange.js';
import type { ErrorBody } from './funds-watch.js';
import { responseHeaders } from './headers.js';
import { type Ending, isKnownAtHead, measure, readHead } from './measure.js';
import type { OpenCall } from './open-calls.js';
import { OwnAnswer } from './own-answer.js';
import type { SendQueues } from './send-queues.js';
import type { AnswerTaker } from './settlement.js';
import { openTap, type Tap, type TapSink } from './tap.js';
import type { Turn, Turns } from './turns.js';

/** What an answer is measured with; those that say nothing of costs have none. */
export interface Metering {
  hold: AnswerTaker;
  meter: UsageMeter;
  /** The request asked for an event stream. */
  stream: boolean;
  /** The request was rewritten, so events may have to be taken out. */
  mayDrop: boolean;
}

export interface RelayBounds {
  /** An answer without a client is read on for so long, and so far. */
  drainMs: number;
  drainBytes: number;
  /** A client that takes no byte for so long, while there are bytes for it, counts as gone. */
  stalledMs: number;
}

export interface RelaySurroundings {
  /** The credential that was sent; nothing that repeats it in a header reaches the client. */
  secret: string;
  bounds: RelayBounds;
  nowMs: () => number;
  drains: Drains;
  queues: SendQueues;
  turns: Turns;
  /** What takes a copy of an error answer's body, beside the client; null: nobody. */
  errorBody: (status: number, contentEncoding: string | undefined) => ErrorBody | null;
  /** Told once, when nothing more can happen. */
  closed: (relay: Relay) => void;
}

/**
 * Carries one answer from the provider to the client, past the tap. Every way in which a call can end arrives here
 * (docs/metering.md has the table): end, error, the client's leaving, a bound of time, the gateway's stop. The hold
 * takes the first of them and ignores the rest.
 */
export class Relay implements Dispatcher.DispatchHandler, TapSink, OpenCall, Drain {
  private controller: Dispatcher.DispatchController | null = null;
  private status: number | null = null;
  private upstreamRequestId: string | null = null;
  private tap: Tap | null = null;
  private errorBody: ErrorBody | null = null;
  private isOver = false;
  private pending: Buffer[] = [];
  private flushing = false;
  private heldBack: Promise<void> | null = null;
  private breaksOff = false;
  private ended = false;
  private tapIsBusy = false;
  private clientIsFull = false;
  private readonly turn: Turn;
  private readonly own: OwnAnswer | null;
  private clientLeftAt: number | null = null;
  private drainedBytes = 0;

  constructor(
    private readonly call: Call,
    private readonly exchange: Exchange,
    private readonly metering: Metering | null,
    private readonly around: RelaySurroundings,
  ) {
    this.own = exchange.answers && new OwnAnswer(exchange.answers);
    this.turn = around.turns.open(() => this.flow());
    exchange.response.on('close', this.clientClosed);
    exchange.response.on('drain', this.clientDrained);
    exchange.onStill(around.bounds.stalledMs, around.queues, this.clientStill);
  }

  get tenantId(): string {
    return this.call.caller?.tenantId ?? '';
  }

  // ---- what the provider does

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Left or cut while the connection was being made: nothing has been sent, and nothing will be.
    if (this.isOver || this.clientLeftAt !== null) {
      controller.abort(new Error('the call is over'));
      return;
    }
    this.controller = controller;
    this.call.handedOver();
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
    message?: string,
  ): void {
    if (status < 200) return;
    this.status = status;
    this.call.answered(status);
    this.upstreamRequestId = textOf(headers['x-request-id']) ?? textOf(headers['request-id']);
    this.errorBody = this.around.errorBody(status, codingIn(headers));
    if (this.metering) this.meterOrRelease(this.metering, status, headers);
    const returned = {
      rewritten: this.tap?.rewrites === true,
      ownBody: this.own !== null,
      secret: this.around.secret,
    };
    this.exchange.answerHead(status, message, responseHeaders(headers, returned));
    this.scheduleFlush();
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.clientLeftAt !== null) this.countDrained(chunk.length);
    if (this.isOver) return;
    this.errorBody?.feed(chunk);
    if (this.tap) this.tap.push(chunk);
    else this.release(chunk);
    this.turn.take(chunk.length);
  }

  onResponseEnd(): void {
    this.finishTap(() => {
      this.settle('completed');
      this.end();
    });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.isOver) return;
    if (this.status === null) this.noAnswer(error);
    else
      this.finishTap(() => {
        this.settle('upstream_died');
        this.breakOff();
      });
  }

  // ---- what the tap does

  release(bytes: Buffer): void {
    if (this.clientLeftAt !== null) return;
    if (this.own) {
      if (!this.own.add(bytes)) this.hangUp();
      return;
    }
    this.pending.push(bytes);
    this.scheduleFlush();
  }

  terminal(): void {
    this.settle('completed');
  }

  busy(isBusy: boolean): void {
    this.tapIsBusy = isBusy;
    this.flow();
  }

  // ---- what the client does

  private readonly clientClosed = (): void => {
    if (this.isOver) return;
    if (this.ended) this.close();
    else this.clientGone();
  };

  /** A metered answer is read on without a client, so that what the provider bills is known. */
  private clientGone(): void {
    this.call.clientLeft = true;
    this.clientLeftAt = this.around.nowMs();
    this.pending = [];
    this.clientIsFull = false;
    const { metering } = this;
    const nothingToMeasure = metering === null || (this.status !== null && this.tap === null);
    if (nothingToMeasure || isKnownAtHead(metering.meter)) {
      this.hangUp();
    } else {
      this.flow();
      this.around.drains.begin(this);
    }
  }

  /** Bytes wait for it and it takes none: it counts as gone. */
  private readonly clientStill = (): void => {
    this.exchange.response.destroy();
  };

  private readonly clientDrained = (): void => {
    this.clientIsFull = false;
    this.flow();
  };

  // ---- what time does

  tick(nowMs: number): void {
    if (this.clientLeftAt !== null && nowMs - this.clientLeftAt > this.around.bounds.drainMs) this.hangUp();
  }

  cut(): void {
    this.hangUp();
  }

  // ---- steps

  /** 2xx is measured; anything else costs nothing, and its hold ends before the client hears of it. */
  private meterOrRelease(
    { hold, meter, stream, mayDrop }: Metering,
    status: number,
    headers: IncomingHttpHeaders,
  ): void {
    if (status >= 300) {
      hold.release('upstream_error');
      return;
    }
    readHead(meter, headers);
    const length = headers['content-length'];
    this.tap = openTap(
      {
        contentType: headers['content-type'] ?? (stream ? 'text/event-stream' : ''),
        contentEncoding: codingIn(headers),
        contentLength: length === undefined ? null : Number(length),
        mayDrop,
      },
      meter,
      this,
    );
  }

  private settle(ended: Ending): void {
    if (!this.metering || this.status === null) return;
    if (this.tap === null) {
      // An error answer, whose hold has ended; or one whose head was more than we could read, which ends it here.
      this.metering.hold.release('upstream_died');
      return;
    }
    const { hold, meter } = this.metering;
    if (hold.end !== null) return;
    const { reading, evidence, outcome } = measure(meter, ended, this.clientLeftAt !== null);
    hold.settle(reading, {
      outcome,
      evidence,
      status: this.status,
      upstreamRequestId: this.upstreamRequestId,
      ttfbMs: this.call.ttfbMs,
    });
    this.holdBack(hold.synced());
  }

  /** With VENDO_SPOOL_SYNC=wait nothing leaves from here on until the end of the hold is on the disk. */
  private holdBack(synced: Promise<void> | null): void {
    this.heldBack = synced;
    void synced?.then(() => {
      this.heldBack = null;
      if (this.breaksOff) this.breakOff();
      else this.flush();
    });
  }

  /** The provider gave no answer: ours says so. */
  private noAnswer(error: Error): void {
    const sent = this.controller !== null;
    this.metering?.hold.release(sent ? 'upstream_died' : 'not_forwarded');
    this.ended = true;
    if (this.clientLeftAt !== null) this.close();
    else this.refuse(refusalOf(error));
  }

  private refuse(refusal: VendoError): void {
    const response = errorResponse(refusal);
    this.call.status = response.status;
    this.call.code = refusal.code;
    this.exchange.refuse(response, false);
  }

  /** Gives up on the provider: what is known is settled, both connections are broken. */
  private hangUp(): void {
    if (this.isOver) return;
    if (this.status === null)
      this.metering?.hold.release(this.controller ? 'upstream_died' : 'not_forwarded');
    this.tap?.giveUp();
    this.settle('client_aborted');
    this.close();
    this.controller?.abort(new Error('the call is over'));
    this.exchange.response.destroy();
  }

  /** The client gets what came, and then the same broken connection that we got. */
  private breakOff(): void {
    this.breaksOff = true;
    if (this.heldBack) return;
    this.ended = true;
    const last = this.takePending();
    if (this.clientLeftAt !== null) this.close();
    else this.exchange.breakOff(last);
  }

  /** The answer is complete. The call is over when the client has taken all of it: 'close' comes then as well. */
  private end(): void {
    this.ended = true;
    if (this.own && this.status !== null) this.pending.push(this.own.end(this.status));
    if (this.clientLeftAt !== null) this.close();
    else this.flush();
  }

  private finishTap(done: () => void): void {
    if (this.tap) this.tap.finish(done);
    else done();
  }

  private countDrained(bytes: number): void {
    this.drainedBytes += bytes;
    if (this.drainedBytes > this.around.bounds.drainBytes) this.hangUp();
  }

  /** Chunks of one tick leave in one write. */
  private scheduleFlush(): void {
    if (this.flushing) return;
    this.flushing = true;
    process.nextTick(this.flush);
  }

  private readonly flush = (): void => {
    this.flushing = false;
    if (this.heldBack) return;
    const { response } = this.exchange;
    if (this.clientLeftAt !== null || response.writableEnded || response.destroyed) return;
    const bytes = this.takePending();
    if (this.ended) {
      response.end(bytes ?? undefined);
    } else if (bytes === null) {
      response.flushHeaders();
    } else if (!response.write(bytes)) {
      this.clientIsFull = true;
      this.flow();
    }
  };

  private takePending(): Buffer | null {
    const { pending } = this;
    this.pending = [];
    const [first] = pending;
    return pending.length > 1 ? Buffer.concat(pending) : (first ?? null);
  }

  private flow(): void {
    if (!this.controller || this.isOver) return;
    const mustWait = this.tapIsBusy || this.clientIsFull || this.turn.isOver;
    if (mustWait === this.controller.paused) return;
    if (mustWait) this.controller.pause();
    else this.controller.resume();
  }

  private close(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.errorBody?.end();
    this.around.drains.end(this);
    this.exchange.response.off('drain', this.clientDrained);
    this.around.closed(this);
  }
}

/** A header that comes twice is a list, which its type does not say. */
function codingIn(headers: IncomingHttpHeaders): string {
  return [headers['content-encoding'] ?? []].flat().join(',');
}

function textOf(value: string | string[] | undefined): string | null {
  // An empty one names nothing, and events take none.
  return (Array.isArray(value) ? value[0] : value)?.slice(0, 200) || null;
}

/** An upload that grew too large ends with an error of our own. */
function refusalOf(error: Error): VendoError {
  if (error instanceof VendoError) return error;
  return new VendoError(isTimeout(error) ? 'upstream_timeout' : 'upstream_unreachable');
}

function isTimeout(error: Error): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT';
}
