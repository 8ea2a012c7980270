import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { brotliCompressSync, gzipSync } from 'node:zlib';

/** What the replay answers next, whatever it is asked. */
export interface Replay {
  status: number;
  contentType: string;
  body: Buffer;
  encoding?: 'gzip' | 'br';
}

/** What the gateway itself asks beside an answer that is played, and what it is told; no such request is one of the client's. */
const ASKED_BESIDE = /\/models\/gemini-embedding[^/]*:countTokens$/;
const TOLD_BESIDE = '{"totalTokens":8}';

export interface ReplayedRequest {
  /** What the answer calls it in `x-request-id`; no two of one upstream are the same. */
  id: string;
  method: string;
  path: string;
  headers: http.IncomingHttpHeaders;
  body: string;
}

export interface ReplayUpstream {
  url: string;
  /** The bytes that the next answers carry, cut at random places. */
  play(replay: Replay): void;
  /** What each of these answers carries on the wire: the body of the last `play`, compressed as it says. */
  sent(): Buffer;
  /** Requests since the last `play`. */
  requests(): ReplayedRequest[];
  stop(): Promise<void>;
}

/**
 * An upstream that sends recorded bytes in random chunks, cut anywhere: inside UTF-8 sequences and CRLF pairs too.
 * @param seed makes the cuts repeatable; a failing run prints it.
 */
export async function startReplayUpstream(seed: number): Promise<ReplayUpstream> {
  const random = mulberry32(seed);
  let current: Replay = { status: 500, contentType: 'text/plain', body: Buffer.alloc(0) };
  let sent = current.body;
  let seen: ReplayedRequest[] = [];
  let received = 0;
  const server = http.createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    if (ASKED_BESIDE.test(request.url ?? '')) {
      response.writeHead(200, { 'content-type': 'application/json' }).end(TOLD_BESIDE);
      return;
    }
    received += 1;
    const id = `req-${received}`;
    seen.push({
      id,
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      body: Buffer.concat(parts).toString(),
    });
    const { status, contentType, encoding } = current;
    response.writeHead(status, {
      'content-type': contentType,
      'x-request-id': id,
      'set-cookie': '__cf_bm=secret; path=/',
      'openai-organization': 'org-broker',
      'anthropic-organization-id': 'org-broker',
      'x-ratelimit-remaining-requests': '9999',
      ...(encoding ? { 'content-encoding': encoding } : {}),
    });
    let from = 0;
    for (const to of cutsOf(sent, random)) {
      response.write(sent.subarray(from, to));
      from = to;
      if (random() < 0.3) await new Promise((resolve) => setImmediate(resolve));
    }
    response.end(sent.subarray(from));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    play(replay) {
      current = replay;
      sent = compressed(replay);
      seen = [];
    },
    sent: () => sent,
    requests: () => seen,
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** At most so many cuts in the places where a reader that decodes chunk by chunk goes wrong. */
const AWKWARD_CUTS_MAX = 40;

/** Where the bytes are cut: at random, and inside of UTF-8 sequences and CRLF pairs. */
function cutsOf(bytes: Buffer, random: () => number): number[] {
  const awkward: number[] = [];
  for (let at = 1; at < bytes.length; at += 1) {
    const [before = 0, byte = 0] = bytes.subarray(at - 1, at + 1);
    if ((byte & 0xc0) === 0x80 || (before === 0x0d && byte === 0x0a)) awkward.push(at);
  }
  const cuts = new Set<number>();
  for (let n = 0; n < Math.min(awkward.length, AWKWARD_CUTS_MAX); n += 1)
    cuts.add(awkward[Math.floor(random() * awkward.length)] ?? 1);
  for (let at = 0; at < bytes.length; at += 1 + Math.floor(random() ** 3 * 900)) cuts.add(at);
  return [...cuts].sort((a, b) => a - b);
}

function compressed({ body, encoding }: Replay): Buffer {
  switch (encoding) {
    case 'gzip':
      return gzipSync(body);
    case 'br':
      return brotliCompressSync(body);
    default:
      return body;
  }
}

/** A small seeded generator of numbers in [0, 1): cuts must be repeatable. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
