import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { type Readable, Transform } from 'node:stream';
import { type ErrorResponse, VendoError } from '@vendo/errors';
import { CORS_HEADERS } from '../edge/cors.js';
import { waitsToContinue } from '../edge/edge.js';
import type { OwnAnswers } from '../providers/provider.js';
import type { BodyShare } from './body-budget.js';
import { ByteCollector } from './byte-collector.js';
import type { SendQueues } from './send-queues.js';

/** The client left before it got an answer: there is nobody to answer. */
export class ClientLeft extends Error {
  override name = 'ClientLeft';
}

/** A body on its way. `length`: as announced, bytes; null: not said. */
export interface Upload {
  stream: Readable;
  length: number | null;
}

/** The client's side of a call. */
export class Exchange {
  /** Of a route of our own; null: the client gets the provider's bytes. */
  answers: OwnAnswers | null = null;
  private left = false;

  constructor(
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
  ) {
    response.on('close', () => {
      this.left ||= !response.writableFinished;
    });
    // A broken connection is told by 'close'; without a listener the error would end the process.
    response.on('error', () => undefined);
    request.on('error', () => undefined);
  }

  get clientLeft(): boolean {
    return this.left;
  }

  header(name: string): string | null {
    const value = this.request.headers[name];
    return typeof value === 'string' ? value : null;
  }

  /**
   * Calls when bytes wait for the client, those of an answer that has ended too, and nothing has moved on its connection
   * for so long, seen after twice the time at most: first Node sees no movement, then the kernel keeps as much for the
   * client as one time earlier.
   */
  onStill(ms: number, queues: SendQueues, still: () => void): void {
    let kept: number | null = null;
    this.response.setTimeout(ms, async () => {
      const before = kept;
      kept = null;
      if (this.response.writableLength > 0) {
        kept = await queues.of(this.response.socket);
        if (kept === null || (kept > 0 && kept === before)) still();
      }
      if (this.response.socket && !this.response.writableFinished) this.response.setTimeout(ms);
    });
  }

  /** Throws ClientLeft. */
  assertThere(): void {
    if (this.left) throw new ClientLeft();
  }

  /**
   * The whole request body. Throws VendoError `body_too_large` above `maxBytes`, `overloaded` when `share` finds no room
   * for it, `invalid_body` for a compressed one (what is billed must be readable), ClientLeft when it breaks off.
   */
  readBody(maxBytes: number, share: BodyShare): Promise<Buffer> {
    this.begin(maxBytes);
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const body = new ByteCollector();
    const stop = (error: Error): void => {
      this.request.off('data', take);
      reject(error);
    };
    const take = (chunk: Buffer): void => {
      if (body.length + chunk.length > maxBytes) stop(tooLarge(maxBytes));
      else if (!share.take(chunk.length)) stop(new VendoError('overloaded'));
      else body.add(chunk);
    };
    this.request.on('data', take);
    this.request.once('end', () => resolve(body.take()));
    this.request.once('close', () => {
      if (!this.request.readableEnded) stop(new ClientLeft());
    });
    return promise;
  }

  /**
   * The request body while it comes. Above `maxBytes` the stream breaks, and the request to the provider with it.
   * Throws VendoError `body_too_large` where the length says so before, `invalid_body` for a compressed one, ClientLeft.
   */
  upload(maxBytes: number): Upload {
    this.begin(maxBytes);
    const announced = this.header('content-length');
    let bytes = 0;
    const limited = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        bytes += chunk.length;
        done(bytes > maxBytes ? tooLarge(maxBytes) : null, chunk);
      },
    });
    // Who reads the stream hears of an error; without a listener it would end the process before.
    limited.on('error', () => undefined);
    // Too large, or not wanted by the provider: the request itself stays whole, because an answer to it is still due.
    // A client that leaves ends the relay, and with it the request to the provider.
    limited.once('close', () => this.discardRest());
    this.request.pipe(limited);
    return { stream: limited, length: announced === null ? null : Number(announced) };
  }

  private begin(maxBytes: number): void {
    const coding = this.header('content-encoding');
    if (coding !== null && coding.trim().toLowerCase() !== 'identity')
      throw new VendoError(
        'invalid_body',
        'Compressed request bodies are not supported: send it uncompressed.',
      );
    if (Number(this.header('content-length') ?? 0) > maxBytes) throw tooLarge(maxBytes);
    // Who left before this has been told already: no further event would come.
    this.assertThere();
    if (waitsToContinue(this.request)) this.response.writeContinue();
  }

  /** Answers with an error of our own. */
  refuse({ status, headers, body }: ErrorResponse, closeConnection: boolean): void {
    if (this.response.headersSent || this.left) {
      this.response.destroy();
      return;
    }
    this.discardRest();
    const text = JSON.stringify(this.answers?.refusal(body) ?? body);
    this.response.writeHead(status, {
      ...headers,
      ...CORS_HEADERS,
      'content-length': Buffer.byteLength(text),
      // Who waits to be told to go on may send the body after all, or not: nobody knows where the next request begins.
      ...(closeConnection || waitsToContinue(this.request) ? { connection: 'close' } : {}),
    });
    this.response.end(text);
  }

  /** Breaks the connection, once the client has taken what was written and `last`. */
  breakOff(last: Buffer | null): void {
    const { response } = this;
    if (last !== null) response.write(last);
    // What Node still keeps goes first; the end of the connection in the middle of a message is no end of the message.
    if (response.socket) response.socket.end(() => response.destroy());
    else response.destroy();
  }

  /** What is left of a body that nobody wants is read and thrown away, so that the answer arrives. */
  private discardRest(): void {
    this.request.unpipe();
    this.request.resume();
  }

  answerHead(status: number, message: string | undefined, headers: NodeJS.Dict<string | string[]>): void {
    if (this.left) return;
    this.response.writeHead(status, reasonOf(message), headers as IncomingHttpHeaders);
  }
}

/** The provider's words for its status, unless they hold what node refuses to write (undici reads them as UTF-8). */
function reasonOf(message: string | undefined): string {
  return message !== undefined && /^[\t\x20-\x7e\x80-\xff]*$/.test(message) ? message : '';
}

function tooLarge(maxBytes: number): VendoError {
  return new VendoError('body_too_large', `The request body is over the limit of ${maxBytes} bytes.`);
}
