import http from 'node:http';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { errorResponse, VendoError } from '@vendo/errors';
import { CORS_HEADERS, preflightHeaders } from './cors.js';
import { type ProxyTarget, proxyTarget } from './target.js';
import { parserError, refuseUnreadable } from './unreadable.js';

export interface EdgeOptions {
  /** `{slug}-proxy.<domain>` goes to the proxy. */
  domain: string;
  /** Largest JSON body of the Nest routes, bytes. */
  bodyLimit: number;
  /** For a whole request with its body, and for its headers; milliseconds. */
  requestWithinMs?: number;
  headersWithinMs?: number;
}

/** Takes a request for a provider. Never throws, never rejects. */
export type ServeProxy = (
  target: ProxyTarget,
  request: http.IncomingMessage,
  response: http.ServerResponse,
) => void;

/** Fastify's, as far as it is used. */
interface RouterReply {
  raw: http.ServerResponse;
  hijack(): unknown;
}

type Listener = (request: http.IncomingMessage, response: http.ServerResponse) => void;

const MAX_PATH = http.maxHeaderSize;
/** Idle connections of clients stay open longer than the 60 s of usual load balancers in front. */
const KEEP_ALIVE_MS = 65_000;
const REQUEST_WITHIN_MS = 300_000;
const HEADERS_WITHIN_MS = 60_000;

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
      // An id that is too long is like any other that nobody has; how long a path can be, the parser says.
      routerOptions: { maxParamLength: MAX_PATH },
      // The framework's own answers repeat the path, in which there may be a secret.
      frameworkErrors: (_error: Error, _request: unknown, reply: RouterReply) => {
        reply.hijack();
        refuse(reply.raw, new VendoError('invalid_request', 'The path is not a valid URL.'));
      },
      // A connection on which no request came yet does not count as idle for Node: it would keep a stop waiting. The
      // proxy's open calls have ended before the listener closes.
      forceCloseConnections: true,
      serverFactory: (nest: Listener) => this.open(nest),
      clientErrorHandler: (error, socket) => refuseUnreadable(parserError(error), socket),
    });
  }

  private open(nest: Listener): http.Server {
    const { requestWithinMs = REQUEST_WITHIN_MS, headersWithinMs = HEADERS_WITHIN_MS } = this.options;
    const server = http.createServer(
      {
        keepAliveTimeout: KEEP_ALIVE_MS,
        requestTimeout: requestWithinMs,
        headersTimeout: headersWithinMs,
        connectionsCheckingInterval: Math.ceil(headersWithinMs / 4),
        // Node's own answer to a missing Host has no body; ours says what is wrong.
        requireHostHeader: false,
      },
      (request, response) => this.receive(request, response, nest),
    );
    server.on('checkContinue', (request, response) => this.receive(request, response, nest));
    server.on('checkExpectation', (_request, response) =>
      refuse(response, new VendoError('expectation_failed')),
    );
    server.on('connect', (_request, socket) =>
      refuseUnreadable(new VendoError('method_not_allowed', 'There are no tunnels here.'), socket),
    );
    return server;
  }

  serve(proxy: ServeProxy): void {
    this.proxy = proxy;
  }

  private receive(request: http.IncomingMessage, response: http.ServerResponse, nest: Listener): void {
    const wrong = addressError(request);
    if (wrong !== null) {
      refuse(response, new VendoError('invalid_request', wrong));
      return;
    }
    const target = proxyTarget(request.headers.host, request.url ?? '/', this.options.domain);
    if (target === null || this.proxy === null) {
      if (waitsToContinue(request)) response.writeContinue();
      nest(request, response);
    } else if (request.method === 'OPTIONS') answerPreflight(request, response);
    else this.proxy(target, request, response);
  }
}

/** What makes it doubtful for whom a request is; null: nothing. What stands in front of us may have read it otherwise. */
function addressError({ rawHeaders, httpVersion, url = '/' }: http.IncomingMessage): string | null {
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2)
    if (rawHeaders[at]?.length === 4 && rawHeaders[at]?.toLowerCase() === 'host') hosts += 1;
  if (hosts > 1) return 'The request has more than one Host header.';
  if (hosts === 0 && httpVersion === '1.1') return 'The request has no Host header.';
  if (!url.startsWith('/') && url !== '*') return 'The request target must be a path.';
  return null;
}

/** The client sends its body when it is told to go on. */
export function waitsToContinue({ headers, httpVersion }: http.IncomingMessage): boolean {
  return httpVersion !== '1.0' && /\b100-continue\b/i.test(headers.expect ?? '');
}

function refuse(response: http.ServerResponse, error: VendoError): void {
  const { status, headers, body } = errorResponse(error);
  const text = JSON.stringify(body);
  response
    .writeHead(status, {
      ...headers,
      ...CORS_HEADERS,
      'content-length': Buffer.byteLength(text),
      connection: 'close',
    })
    .end(text);
}

/** Before every other check, unknown provider included. */
function answerPreflight({ headers }: http.IncomingMessage, response: http.ServerResponse): void {
  response.writeHead(204, preflightHeaders(headers['access-control-request-headers'])).end();
}
