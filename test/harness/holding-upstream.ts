import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';

/** What an upstream answers to one request, and where it stops. */
export interface HeldAnswer {
  contentType: string;
  /** Null: no headers either. */
  sent: string | null;
  /** Bytes of the whole answer where its length is said. */
  length: number | null;
  /** `sent` is the whole answer. */
  whole: boolean;
}

/** A provider that stops in its answers where a test wants it to; each request names its answer in a header, or by its path. */
export class HoldingUpstream {
  static readonly HEADER = 'x-held-answer';
  private readonly answers = new Map<string, HeldAnswer>();
  private readonly seen = new Set<string>();

  private constructor(private readonly server: http.Server) {
    server.on('request', (request: http.IncomingMessage, response: http.ServerResponse) => {
      const name = request.headers[HoldingUpstream.HEADER] ?? request.url;
      request.resume().once('end', () => this.answer(String(name), response));
    });
  }

  static async start(): Promise<HoldingUpstream> {
    const server = http.createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new HoldingUpstream(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** The request that names `name`, or has it as its path, gets this. */
  hold(name: string, answer: HeldAnswer): void {
    this.answers.set(name, answer);
  }

  hasSeen(name: string): boolean {
    return this.seen.has(name);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private answer(name: string, response: http.ServerResponse): void {
    this.seen.add(name);
    const held = this.answers.get(name);
    if (!held) {
      response.writeHead(500).end();
      return;
    }
    if (held.sent === null) return;
    response.writeHead(200, {
      'content-type': held.contentType,
      ...(held.length === null ? {} : { 'content-length': held.length }),
    });
    response.flushHeaders();
    if (held.whole) response.end(held.sent);
    else if (held.sent !== '') response.write(held.sent);
  }
}
