import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createGzip, gzipSync } from 'node:zlib';
import type { Behaviour } from './directives.js';

export type Json = Readonly<Record<string, unknown>>;
export type Headers = Record<string, string | number>;

/** The object, or an empty one for anything else. */
export function objectOf(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The whole number, or null for anything else. */
export function wholeNumber(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

let ids = 0;
const RUN = randomBytes(6).toString('hex');

/** An id that no other answer of any sandbox has. */
export function newId(prefix: string): string {
  ids += 1;
  return `${prefix}${RUN}${ids.toString(36).padStart(10, '0')}`;
}

/** One call, with everything that its answer depends on. */
export interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  headers: Headers;
  behaviour: Behaviour;
  /** The variable parts of the path, decoded. */
  params: Readonly<Record<string, string>>;
  query: URLSearchParams;
}

/**
 * Sends a JSON answer, or the bytes of one, as the behaviour says: late, compressed, or cut off in the middle. The
 * type is told by a `content-type` among the headers where it is another one.
 */
export function sendJson(
  { request, response, headers, behaviour }: Exchange,
  status: number,
  body: unknown,
): void {
  const plain = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  const zip = zips(request, behaviour);
  const bytes = zip ? gzipSync(plain) : plain;
  const send = (): void => {
    response.writeHead(status, {
      'content-type': 'application/json',
      ...headers,
      ...(zip ? { 'content-encoding': 'gzip' } : {}),
      'content-length': bytes.length,
    });
    if (behaviour.die === null) response.end(bytes);
    else response.write(bytes.subarray(0, bytes.length >> 1), () => response.destroy());
  };
  if (behaviour.pace === null) send();
  else later(response, behaviour.pace, send);
}

const EVENT_STREAM = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' };

/** Sends an event stream as the behaviour says. @param failure the events of an error inside the stream. */
export function sendEvents(exchange: Exchange, events: readonly string[], failure: readonly string[]): void {
  sendParts(exchange, EVENT_STREAM, events, failure);
}

/** A piece of an answer that is written at once: text, or bytes of media. */
export type Part = string | Buffer;

/** Sends an answer part by part as the behaviour says; `die`, `stall` and `errorevent` count the parts. */
export function sendParts(
  exchange: Exchange,
  type: Headers,
  events: readonly Part[],
  failure: readonly Part[],
): void {
  const { request, response, headers, behaviour } = exchange;
  const zip = zips(request, behaviour);
  response.writeHead(200, { ...headers, ...type, ...(zip ? { 'content-encoding': 'gzip' } : {}) });
  const { errorevent } = behaviour;
  const told = errorevent === null ? events : [...events.slice(0, errorevent), ...failure];
  const stopAt = behaviour.die ?? behaviour.stall;
  const shown = stopAt === null ? told : told.slice(0, stopAt);
  const finish = (): void => {
    if (behaviour.die !== null) response.destroy();
    else if (behaviour.stall === null) response.end();
  };
  if (zip) sendZipped(response, shown, finish);
  else if (behaviour.pace === null) sendAtOnce(response, shown, stopAt === null, finish);
  else sendPaced(exchange, shown, behaviour.pace, finish);
}

function sendAtOnce(
  response: ServerResponse,
  events: readonly Part[],
  whole: boolean,
  finish: () => void,
): void {
  const all = joined(events);
  if (whole) response.end(all);
  else if (all.length === 0) {
    response.flushHeaders();
    finish();
  } else response.write(all, finish);
}

function joined(parts: readonly Part[]): Part {
  if (!parts.some(Buffer.isBuffer)) return parts.join('');
  return Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
}

/** Streams whose second half waits. */
const held = new Set<ServerResponse>();

/** All streams that are open and held go on to their end. */
export function releaseStreams(): void {
  held.clear();
}

/** One event per tick; a tick is left out while the client does not read. */
function sendPaced(
  { response, behaviour }: Exchange,
  events: readonly Part[],
  paceMs: number,
  finish: () => void,
): void {
  let next = 0;
  response.flushHeaders();
  if (behaviour.held) held.add(response);
  const timer = setInterval(() => {
    const event = events[next];
    if (event === undefined) {
      clearInterval(timer);
      finish();
    } else if (!response.writableNeedDrain && !(next >= events.length / 2 && held.has(response))) {
      next += 1;
      response.write(event);
    }
  }, paceMs);
  response.on('close', () => {
    clearInterval(timer);
    held.delete(response);
  });
}

/** Each event is flushed through the compressor, so that the client can read it at once. */
function sendZipped(response: ServerResponse, events: readonly Part[], finish: () => void): void {
  const gzip = createGzip();
  gzip.on('data', (bytes: Buffer) => response.write(bytes));
  gzip.on('end', finish);
  for (const event of events) {
    gzip.write(event);
    gzip.flush();
  }
  gzip.end();
}

function later(response: ServerResponse, delayMs: number, act: () => void): void {
  const timer = setTimeout(act, delayMs);
  response.on('close', () => clearTimeout(timer));
}

function zips(request: IncomingMessage, behaviour: Behaviour): boolean {
  return behaviour.gzip && String(request.headers['accept-encoding'] ?? '').includes('gzip');
}
