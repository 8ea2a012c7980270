import http from 'node:http';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { errorResponse, VendoError } from '@vendo/errors';
import { preflightHeaders } from './cors.js';
import { type ProxyTarget, proxyTarget } from './target.js';

export interface EdgeOptions {
  /** `{slug}-proxy.<domain>` goes to the proxy. */
  domain: string;
  /** Largest JSON body of the Nest routes, bytes. */
  bodyLimit: number;
}

/** Takes a request for a provider. Never throws, never rejects. */
export type ServeProxy = (
  target: ProxyTarget,
  request: http.IncomingMessage,
  response: http.ServerResponse,
) => void;

type Listener = (request: http.IncomingMessage, response: http.ServerResponse) => void;

/** Idle connections of clients stay open longer than the 60 s of usual load balancers in front. */
const KEEP_ALIVE_MS = 65_000;

/**
 * The raw listener in front of Nest: requests for providers go to the proxy and never touch Nest or Fastify, all
 * others go to Nest. Hand `adapter` to the app, and `serve` before it listens.
 */
export class Edge {
  readonly adapter: FastifyAdapter;
  private proxy: ServeProxy | null = null;

  constructor(private readonly options: EdgeOptions) {
    this.adapter = new FastifyAdapter({
      bodyLimit: options.bodyLimit,
      // A connection on which no request came yet does not count as idle for Node: it would keep a stop waiting. The
      // proxy's open calls have ended before the listener closes.
      forceCloseConnections: true,
      serverFactory: (nest: Listener) =>
        http.createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) =>
          this.receive(request, response, nest),
        ),
    });
  }

  serve(proxy: ServeProxy): void {
    this.proxy = proxy;
  }

  private receive(request: http.IncomingMessage, response: http.ServerResponse, nest: Listener): void {
    if (namesTwoHosts(request)) {
      refuse(response, new VendoError('invalid_request', 'The request has more than one Host header.'));
      return;
    }
    const target = proxyTarget(request.headers.host, request.url ?? '/', this.options.domain);
    if (target === null || this.proxy === null) nest(request, response);
    else if (request.method === 'OPTIONS') answerPreflight(request, response);
    else this.proxy(target, request, response);
  }
}

/** What stands in front of us may have gone by the other one. */
function namesTwoHosts({ rawHeaders }: http.IncomingMessage): boolean {
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2)
    if (rawHeaders[at]?.length === 4 && rawHeaders[at]?.toLowerCase() === 'host') hosts += 1;
  return hosts > 1;
}

function refuse(response: http.ServerResponse, error: VendoError): void {
  const { status, headers, body } = errorResponse(error);
  response.writeHead(status, { ...headers, connection: 'close' }).end(JSON.stringify(body));
}

/** Before every other check, unknown provider included. */
function answerPreflight({ headers }: http.IncomingMessage, response: http.ServerResponse): void {
  response.writeHead(204, preflightHeaders(headers['access-control-request-headers'])).end();
}
