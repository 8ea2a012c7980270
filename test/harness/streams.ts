import http from 'node:http';
import { secretsWatch } from './secrets-watch.js';

const SECRET_CHARS_MAX = 200;

export type StreamProvider = 'openai' | 'anthropic';

/** What a client saw of one streamed call. */
export interface SeenAnswer {
  provider: StreamProvider;
  /** 0: no answer at all. */
  status: number;
  /** The provider's id of the call, from the header that it sends; null without one. */
  requestId: string | null;
  /** It read the provider's terminal event (`[DONE]`, `message_stop`): the answer was received in full. */
  complete: boolean;
  /** Of an error body, its code. */
  errorCode: string | null;
  tookMs: number;
}

export interface StreamRequest {
  gatewayUrl: string;
  key: string;
  provider: StreamProvider;
  model: string;
}

const CALL = {
  openai: { path: '/proxy/openai/v1/chat/completions', requestId: 'x-request-id', terminal: 'data: [DONE]' },
  anthropic: {
    path: '/proxy/anthropic/v1/messages',
    requestId: 'request-id',
    terminal: 'event: message_stop',
  },
} as const;

/** One streamed call on a connection of its own; the time of an answer is the client's. */
export class ClientStream {
  /** The first event has arrived, or the call is over. */
  readonly begun: Promise<void>;
  /** Never rejects: a cut connection is an incomplete answer. */
  readonly over: Promise<SeenAnswer>;
  private readonly startedAt = performance.now();
  private hasBegun = false;
  private isOver = false;

  constructor({ gatewayUrl, key, provider, model }: StreamRequest) {
    const begun = Promise.withResolvers<void>();
    const over = Promise.withResolvers<SeenAnswer>();
    this.begun = begun.promise;
    this.over = over.promise;
    const { path, requestId, terminal } = CALL[provider];
    const { hostname, port } = new URL(gatewayUrl);
    let response: http.IncomingMessage | undefined;
    let text = '';
    const finish = (): void => {
      if (this.isOver) return;
      this.isOver = true;
      begun.resolve();
      over.resolve({
        provider,
        status: response?.statusCode ?? 0,
        requestId: headerOf(response, requestId),
        complete: text.includes(terminal),
        errorCode: response?.statusCode === 200 ? null : (/"code":"(\w+)"/.exec(text)?.[1] ?? null),
        tookMs: performance.now() - this.startedAt,
      });
    };
    const request = http.request(
      {
        hostname,
        port,
        path,
        method: 'POST',
        agent: false,
        headers: {
          authorization: `Bearer ${key}`,
          'content-type': 'application/json',
          ...(provider === 'anthropic' ? { 'anthropic-version': '2023-06-01' } : {}),
        },
      },
      (answer) => {
        response = answer;
        answer.on('data', (chunk: Buffer) => {
          const piece = chunk.toString();
          // With as much of what came before as a secret that was cut in two needs.
          secretsWatch.look(`a stream of ${provider}`, text.slice(-SECRET_CHARS_MAX) + piece);
          text = (text + piece).slice(-2_000);
          this.hasBegun = answer.statusCode === 200;
          begun.resolve();
        });
        answer.on('error', finish);
        answer.on('close', finish);
      },
    );
    request.on('error', finish);
    request.end(
      JSON.stringify({
        model,
        stream: true,
        max_tokens: 2_000,
        messages: [{ role: 'user', content: `Tell me something long (${Math.random()})` }],
      }),
    );
  }

  get open(): boolean {
    return !this.isOver;
  }

  /** Open, and its first event has arrived. */
  get running(): boolean {
    return this.hasBegun && !this.isOver;
  }
}

/** The same request again and again, at one gateway or at several. */
export interface Repeated extends Omit<StreamRequest, 'provider' | 'gatewayUrl'> {
  gatewayUrl: string | readonly string[];
}

/** The request of the nth client: it has a gateway and a provider of its own, each gateway gets both providers. */
function nthOf({ gatewayUrl, ...request }: Repeated, nth: number): StreamRequest {
  const urls = [gatewayUrl].flat();
  const turn = Math.floor(nth / urls.length);
  return {
    ...request,
    gatewayUrl: urls[nth % urls.length] ?? '',
    provider: turn % 2 === 0 ? 'openai' : 'anthropic',
  };
}

/** Opens `count` streams, the providers in turn, and resolves when the first event of each has arrived. */
export async function openStreams(count: number, request: Repeated): Promise<ClientStream[]> {
  const streams = Array.from({ length: count }, (_, nth) => new ClientStream(nthOf(request, nth)));
  await Promise.all(streams.map(({ begun }) => begun));
  return streams;
}

/** Clients that stream one call after the other until they are stopped, whatever they are answered. */
export class Traffic {
  readonly seen: SeenAnswer[] = [];
  private readonly current = new Map<number, { stream: ClientStream; gatewayUrl: string }>();
  private readonly clients: Promise<void>[];
  private stopping = false;

  /** @param pauseMs after a call that failed. */
  constructor(clients: number, request: Repeated, pauseMs = 50) {
    this.clients = Array.from({ length: clients }, (_, nth) =>
      this.client(nth, nthOf(request, nth), pauseMs),
    );
  }

  get complete(): number {
    return this.seen.filter(({ complete }) => complete).length;
  }

  /** Streams whose first event has arrived and whose end has not; of one gateway, or of all. */
  open(gatewayUrl?: string): number {
    return [...this.current.values()].filter(
      (each) => each.stream.running && (gatewayUrl === undefined || each.gatewayUrl === gatewayUrl),
    ).length;
  }

  /** Each client ends the call that it is in. */
  async stop(): Promise<SeenAnswer[]> {
    this.stopping = true;
    await Promise.all(this.clients);
    return this.seen;
  }

  private async client(nth: number, request: StreamRequest, pauseMs: number): Promise<void> {
    while (!this.stopping) {
      const stream = new ClientStream(request);
      this.current.set(nth, { stream, gatewayUrl: request.gatewayUrl });
      const answer = await stream.over;
      this.seen.push(answer);
      if (!answer.complete) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}

function headerOf(response: http.IncomingMessage | undefined, name: string): string | null {
  return response?.headers[name]?.toString() ?? null;
}
