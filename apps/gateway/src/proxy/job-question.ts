import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import type { UsageMeter } from '../providers/provider.js';
import { openTap, type Tap, type TapSink } from './tap.js';

/** More than any report; transcripts of a day have some 30 MB. */
const BYTES_MAX = 134_217_728;

/** One question of ours to a provider: its answer is folded into a meter while it comes, and nothing of it is kept. */
export class JobQuestion implements Dispatcher.DispatchHandler, TapSink {
  /** The status of an answer that came whole; null: none did. Never rejects. */
  readonly answered: Promise<number | null>;
  private readonly resolve: (status: number | null) => void;
  private controller: Dispatcher.DispatchController | null = null;
  private status: number | null = null;
  private tap: Tap | null = null;
  private bytes = 0;
  private isOver = false;

  constructor(private readonly meter: UsageMeter) {
    const { promise, resolve } = Promise.withResolvers<number | null>();
    this.answered = promise;
    this.resolve = resolve;
  }

  /** Waits no longer. */
  giveUp(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.resolve(null);
    this.controller?.abort(new Error('the question is over'));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.isOver) controller.abort(new Error('the question is over'));
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
  ): void {
    if (status < 200) return;
    this.status = status;
    if (status >= 300) return;
    const answer = {
      contentType: headers['content-type'] ?? '',
      contentEncoding: [headers['content-encoding'] ?? []].flat().join(','),
      contentLength: null,
      mayDrop: false,
    };
    this.tap = openTap(answer, this.meter, this);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.bytes += chunk.length;
    if (this.bytes > BYTES_MAX) this.giveUp();
    else if (!this.isOver) this.tap?.push(chunk);
  }

  onResponseEnd(): void {
    const done = (): void => {
      this.isOver = true;
      this.resolve(this.status);
    };
    if (this.tap) this.tap.finish(done);
    else done();
  }

  onResponseError(): void {
    this.giveUp();
  }

  release(): void {
    // Nobody waits for the bytes.
  }

  terminal(): void {
    // What counts is known at the end.
  }

  busy(isBusy: boolean): void {
    if (isBusy) this.controller?.pause();
    else this.controller?.resume();
  }
}
