import http from 'node:http';
import { KEY, type ProxyWorld } from './memory.proxy-world.js';

/** What a client got. */
export interface Got {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
  /** The connection broke before the answer was whole. */
  broken: boolean;
}

export interface Sent {
  method?: string;
  path?: string;
  headers?: http.OutgoingHttpHeaders;
  body?: string | Buffer;
  /** Told the headers, before the first chunk. */
  onHead?: (response: http.IncomingMessage) => void;
  /** Told every chunk, with a way to leave. */
  onData?: (chunk: Buffer, leave: () => void) => void;
}

export const CHAT = { model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'hi' }], max_tokens: 100 };

/** A request to `/proxy/openai/v1/chat/completions` unless said otherwise; `leave` breaks the client's connection. */
export function send(world: ProxyWorld, sent: Sent = {}): { got: Promise<Got | null>; leave: () => void } {
  const { promise, resolve } = Promise.withResolvers<Got | null>();
  const body = sent.body ?? (sent.method === 'GET' ? '' : JSON.stringify(CHAT));
  const request = http.request({
    host: '127.0.0.1',
    port: world.gatewayPort,
    agent: false,
    method: sent.method ?? 'POST',
    path: sent.path ?? '/proxy/openai/v1/chat/completions',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', ...sent.headers },
  });
  const leave = (): void => void request.destroy();
  request.on('error', () => resolve(null));
  request.on('response', (response) => {
    const chunks: Buffer[] = [];
    const end = (broken: boolean): void =>
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        body: Buffer.concat(chunks),
        broken,
      });
    response.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      sent.onData?.(chunk, leave);
    });
    response.on('end', () => end(!response.complete));
    response.on('error', () => end(true));
    sent.onHead?.(response);
  });
  request.end(body);
  return { got: promise, leave };
}
