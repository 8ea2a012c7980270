import { once } from 'node:events';
import net from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ERRORS, type ErrorCode } from '@vendo/errors';
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
  for (const seen of [world.seen, world.reserved, world.spooled, world.rateMisses]) seen.length = 0;
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

/** What a case sends when it says nothing else: a good call, after which the connection ends. */
interface Request {
  method?: string;
  target?: string;
  host?: string;
  keys?: string[];
  /** Other lines of the head. */
  lines?: string[];
  body?: string | Buffer;
}

const CHAT_PATH = '/v1/chat/completions';

function bytesOf({
  method = 'POST',
  target = `/proxy/openai${CHAT_PATH}`,
  host = 'localhost',
  ...more
}: Request) {
  const { keys = [`Authorization: Bearer ${KEY}`], lines = [], body = BODY } = more;
  const text = body.toString('latin1');
  const all = [
    `${method} ${target} HTTP/1.1`,
    `Host: ${host}`,
    ...keys,
    `Content-Length: ${text.length}`,
    CLOSE,
  ];
  return `${[...all, ...lines].join('\r\n')}\r\n\r\n${text}`;
}

/** An answer of ours, whole: status, code, the code's headers, a body of the documented form, and nothing done for it. */
function expectError(got: string, code: ErrorCode, message: string = ERRORS[code].message): void {
  const { status, header } = ERRORS[code];
  expectRefused(got, status, code);
  const [head = '', body = ''] = got.split('\r\n\r\n');
  expect(JSON.parse(body)).toEqual({ error: { code, message } });
  const headers = new Map(
    head
      .split('\r\n')
      .slice(1)
      .map((line) => [
        line.slice(0, line.indexOf(':')).toLowerCase(),
        line.slice(line.indexOf(':') + 1).trim(),
      ]),
  );
  expect(headers.get('vendo-error-code')).toBe(header ? code : undefined);
  expect(headers.get('content-length')).toBe(String(body.length));
  expect(headers.get('x-should-retry')).toBe('false');
  // What is not for a provider goes to Nest, whose answers browsers elsewhere may not read.
  expect(headers.get('access-control-allow-origin')).toBe(code === 'not_found' ? undefined : '*');
}

const NOT_JSON = 'The body is not valid JSON.';
const NOT_HTTP = 'The request is not well-formed HTTP.';
const COMPRESSED = 'Compressed request bodies are not supported: send it uncompressed.';
const LENGTH = `Content-Length: ${BODY.length}`;

describe('a request that is refused', () => {
  it('would be served if nothing were wrong with it', async () => {
    expect(await raw(bytesOf({}))).toMatch(/^HTTP\/1.1 200 /);
    expect([world.seen.length, world.reserved.length, world.ends().length]).toEqual([1, 1, 1]);
  });

  it.each<[what: string, Request, ErrorCode, message?: string]>([
    ['JSON that breaks off', { body: '{"model":' }, 'invalid_body', NOT_JSON],
    ['no JSON', { body: 'model=gpt-4o-mini' }, 'invalid_body', NOT_JSON],
    ['no body', { body: '' }, 'invalid_body', NOT_JSON],
    ['a list', { body: '[]' }, 'invalid_body', 'The body is not a JSON object.'],
    [
      'no model',
      { body: '{"messages":[]}' },
      'invalid_body',
      '"model" is missing or not what this route takes.',
    ],
    [
      'a body over the limit',
      { body: 'x'.repeat(MAX_BODY_BYTES + 1) },
      'body_too_large',
      `The request body is over the limit of ${MAX_BODY_BYTES} bytes.`,
    ],
    ['an unknown slug in the host', { target: CHAT_PATH, host: 'nobody-proxy.localhost' }, 'adapter_unknown'],
    ['an unknown slug in the path', { target: `/proxy/nobody${CHAT_PATH}` }, 'adapter_unknown'],
    ['no slug', { target: '/proxy/' }, 'adapter_unknown'],
    ['a path that climbs', { target: '/proxy/openai/v1/../v1/models' }, 'path_traversal'],
    ['one on a host', { target: '/../healthz', host: 'openai-proxy.localhost' }, 'path_traversal'],
    ['one encoded', { target: '/proxy/openai/v1/%2e%2e/v1/models' }, 'path_traversal'],
    ['one half encoded', { target: '/proxy/openai/v1/.%2E/v1/models' }, 'path_traversal'],
    ['one encoded twice', { target: '/proxy/openai/v1/%252e%252e/x' }, 'path_traversal'],
    ['one with its slash encoded', { target: '/proxy/openai/v1/..%2fx' }, 'path_traversal'],
    ['one with a backslash', { target: '/proxy/openai/v1/..\\x' }, 'path_traversal'],
    ['no key', { keys: [] }, 'app_unknown'],
    [
      'two keys of ours',
      { keys: [`Authorization: Bearer ${KEY}`, `x-api-key: ${KEY.slice(0, -1)}X`] },
      'app_unknown',
      'The request carries two different API keys.',
    ],
    ['another method', { method: 'GET', body: '' }, 'route_not_supported'],
    ['another method with a body', { method: 'PUT' }, 'route_not_supported'],
    ['a gzip body', { lines: ['Content-Encoding: gzip'] }, 'invalid_body', COMPRESSED],
    ['codings one upon the other', { lines: ['Content-Encoding: identity, br'] }, 'invalid_body', COMPRESSED],
    [
      'a compressed body of a free route',
      { method: 'GET', target: '/proxy/openai/v1/models', lines: ['Content-Encoding: gzip'] },
      'invalid_body',
      COMPRESSED,
    ],
    ['a length and chunks', { lines: [CHUNKED] }, 'invalid_request', NOT_HTTP],
    ['two lengths', { lines: ['Content-Length: 5'] }, 'invalid_request', NOT_HTTP],
    ['the same length twice', { lines: [LENGTH] }, 'invalid_request', NOT_HTTP],
    ['a folded header', { lines: ['X-Fold: a', ' X-Injected: b'] }, 'invalid_request', NOT_HTTP],
    ['a space before a colon', { lines: ['X-A : b'] }, 'invalid_request', NOT_HTTP],
    ['a NUL in a header', { lines: ['X-A: a\0b'] }, 'invalid_request', NOT_HTTP],
    [
      'an absolute target',
      { target: `http://openai-proxy.localhost${CHAT_PATH}` },
      'invalid_request',
      'The request target must be a path.',
    ],
    [
      'two hosts',
      { lines: ['Host: anthropic-proxy.localhost'] },
      'invalid_request',
      'The request has more than one Host header.',
    ],
  ])('%s', async (_, request, code, ...[message]) => expectError(await raw(bytesOf(request)), code, message));

  it('lines that end with LF alone', async () =>
    expectError(await raw(bytesOf({}).replaceAll('\r\n', '\n')), 'invalid_request', NOT_HTTP));

  it('no host', async () =>
    expectError(
      await raw(bytesOf({}).replace('Host: localhost\r\n', '')),
      'invalid_request',
      'The request has no Host header.',
    ));

  it.each([
    ['a host that is neither ours nor a provider’s', 'elsewhere.example'],
    ['a host that only begins like a provider’s', 'openai-proxy.elsewhere.example'],
    ['a host that ends with ours', 'openai-proxy.localhost.elsewhere.example'],
  ])('%s', async (_, host) => expectError(await raw(bytesOf({ target: CHAT_PATH, host })), 'not_found'));

  it('a model without a price, which alone is counted', async () => {
    const body = JSON.stringify({ ...CHAT, model: 'gpt-unknown' });
    expectError(await raw(bytesOf({ body })), 'rate_missing');
    expect(world.rateMisses).toEqual([expect.objectContaining({ model: 'gpt-unknown', meter: null })]);
  });
});
