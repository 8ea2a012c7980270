import { once } from 'node:events';
import net from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { CHAT_JSON, json } from '../proxy/memory.proxy-answers.js';
import { CHAT } from '../proxy/memory.proxy-client.js';
import { KEY, ProxyWorld } from '../proxy/memory.proxy-world.js';

/** Of the world: the largest body. */
const MAX_BODY_BYTES = 100_000;
const HEADERS_WITHIN_MS = 400;
const BODY = JSON.stringify(CHAT);
const CHUNKED = 'Transfer-Encoding: chunked';
const CLOSE = 'Connection: close';

let world: ProxyWorld;
beforeAll(async () => {
  world = await new ProxyWorld().start();
  world.answer = json(200, CHAT_JSON);
});
beforeEach(() => {
  for (const seen of [world.seen, world.reserved, world.spooled]) seen.length = 0;
});
afterEach(async () => {
  await world.until(() => world.openCalls() === 0 && world.bodyBytes() === 0, 'the end of all calls');
});
afterAll(() => world.close());

function head(...lines: string[]): string {
  const first = [
    'POST /proxy/openai/v1/chat/completions HTTP/1.1',
    'Host: localhost',
    `Authorization: Bearer ${KEY}`,
  ];
  return `${[...first, ...lines].join('\r\n')}\r\n\r\n`;
}

function chunk(text: string, extension = ''): string {
  return `${text.length.toString(16)}${extension}\r\n${text}\r\n`;
}

/** Sends bytes as they are. @returns everything until the gateway closed the connection. */
async function raw(bytes: string, then: (socket: net.Socket) => void = () => undefined): Promise<string> {
  const socket = net.connect(world.gatewayPort, '127.0.0.1');
  let got = '';
  socket.on('error', () => undefined);
  socket.on('data', (part) => {
    got += part.toString('latin1');
  });
  socket.write(bytes, 'latin1');
  then(socket);
  await once(socket, 'close');
  return got;
}

function expectRefused(got: string, status: number, code: string): void {
  expect(got).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(got.toLowerCase()).toContain('connection: close');
  expect(JSON.parse(got.slice(got.indexOf('\r\n\r\n') + 4)).error.code).toBe(code);
  expect([world.seen, world.reserved, world.spooled]).toEqual([[], [], []]);
}

describe('a request that does not arrive in time', () => {
  beforeAll(async () => {
    world.arrival = { headersWithinMs: HEADERS_WITHIN_MS, requestWithinMs: 2 * HEADERS_WITHIN_MS };
    await world.restart();
  });
  afterAll(async () => {
    world.arrival = {};
    await world.restart();
  });

  it.each([
    ['nothing after its first line', 'POST /proxy/openai/v1/chat/completions HTTP/1.1\r\n'],
    ['headers without an end', head().slice(0, -2)],
    ['a body that is shorter than its length', head(`Content-Length: ${BODY.length}`) + BODY.slice(0, 10)],
    ['chunks without an end', head(CHUNKED) + chunk(BODY)],
  ])('is answered with 408: %s', async (_, bytes) => {
    expectRefused(await raw(bytes), 408, 'request_timeout');
  });

  it('is answered with 408 although a byte comes now and then', async () => {
    const bytes = head().slice(0, -2);
    const got = await raw(bytes, (socket) => {
      const drip = setInterval(() => socket.write('X-A: b\r\n'), HEADERS_WITHIN_MS / 8);
      socket.once('close', () => clearInterval(drip));
    });
    expectRefused(got, 408, 'request_timeout');
  });
});

describe('a body in chunks', () => {
  it.each([
    ['with a trailer', `${chunk(BODY)}0\r\nX-Trailing: a\r\n\r\n`],
    ['with extensions', `${chunk(BODY, ';a="b"')}0\r\n\r\n`],
    ['of a byte each', `${[...BODY].map((one) => chunk(one)).join('')}0\r\n\r\n`],
  ])('%s is what its chunks hold', async (_, body) => {
    const got = await raw(head(CHUNKED, CLOSE) + body);
    expect(got).toMatch(/^HTTP\/1.1 200 /);
    expect(world.seen.map((seen) => seen.body)).toEqual([BODY]);
    expect(JSON.stringify(world.seen[0]?.headers)).not.toContain('trailing');
  });

  it.each([
    ['extensions over the limit', chunk(BODY, `;${'x'.repeat(20_000)}`), 413, 'body_too_large'],
    ['a size that no number holds', `${'f'.repeat(17)}\r\n`, 400, 'invalid_request'],
    ['a negative size', `-5\r\n${BODY}\r\n0\r\n\r\n`, 400, 'invalid_request'],
    ['a chunk that is longer than its size', `5\r\n${BODY}\r\n0\r\n\r\n`, 400, 'invalid_request'],
  ])('with %s is refused', async (_, body, status, code) => {
    expectRefused(await raw(head(CHUNKED) + body), status, code);
  });

  it('with a huge chunk is refused as soon as it is over the limit', async () => {
    const bytes = `${head(CHUNKED, CLOSE)}7fffffff\r\n${'x'.repeat(MAX_BODY_BYTES + 1)}`;
    expectRefused(await raw(bytes, (socket) => void socket.end()), 413, 'body_too_large');
  });

  it('without its last chunk is no request', async () => {
    const got = await raw(head(CHUNKED) + chunk(BODY), (socket) => void socket.end());
    expectRefused(got, 400, 'invalid_request');
  });
});

describe('a client that asks before it sends', () => {
  it.each([
    ['too large', [`Content-Length: ${MAX_BODY_BYTES + 1}`], 413, 'body_too_large'],
    ['compressed', ['Content-Length: 5', 'Content-Encoding: gzip'], 400, 'invalid_body'],
  ])('hears at once that its body is not wanted: %s', async (_, lines, status, code) => {
    const got = await raw(head('Expect: 100-continue', ...lines));
    expect(got).not.toContain('100 Continue');
    expectRefused(got, status, code);
  });
});

describe('another protocol', () => {
  it('is not switched to: HTTP/2 in clear text by an upgrade goes on as HTTP/1.1', async () => {
    const lines = ['Connection: Upgrade, HTTP2-Settings, close', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk'];
    const got = await raw(head(...lines, `Content-Length: ${BODY.length}`) + BODY);
    expect(got).toMatch(/^HTTP\/1.1 200 /);
    const { upgrade, 'http2-settings': settings } = world.seen[0]?.headers ?? {};
    expect([world.seen.length, upgrade, settings]).toEqual([1, undefined, undefined]);
  });

  it('is not spoken: HTTP/2 from the first byte on', async () => {
    expectRefused(await raw('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), 400, 'invalid_request');
  });
});

it('a folded header is refused', async () => {
  const got = await raw(head(`Content-Length: ${BODY.length}`, 'X-Fold: a', ' X-Injected: b', CLOSE) + BODY);
  expectRefused(got, 400, 'invalid_request');
});
