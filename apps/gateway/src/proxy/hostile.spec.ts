import { once } from 'node:events';
import type http from 'node:http';
import net from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { CHAT, send } from './memory.proxy-client.js';
import { KEY, ProxyWorld, REAL_SECRET } from './memory.proxy-world.js';

const ANSWER = '{"id":"c","usage":{"prompt_tokens":1000,"completion_tokens":500}}';
/** (1000 * 0.15 + 500 * 0.6) * 1.2 */
const ANSWER_COST = 540;

let world: ProxyWorld;
beforeEach(async () => {
  world = await new ProxyWorld().start();
  world.answer = (_request, response) => response.end(ANSWER);
});
afterEach(() => world.close());

function head(lines: readonly string[] = [], path = '/proxy/openai/v1/chat/completions'): string {
  return [`POST ${path} HTTP/1.1`, 'Host: localhost', `Authorization: Bearer ${KEY}`, ...lines, '', ''].join(
    '\r\n',
  );
}

const BODY = JSON.stringify(CHAT);
const CALL = head([`Content-Length: ${BODY.length}`]) + BODY;

function connect(): net.Socket {
  const socket = net.connect(world.gatewayPort, '127.0.0.1');
  socket.on('error', () => undefined);
  return socket;
}

/** Sends raw bytes and answers everything that came until the gateway closed the connection. */
async function raw(bytes: string): Promise<string> {
  const socket = connect();
  let got = '';
  socket.on('data', (chunk) => {
    got += chunk.toString('latin1');
  });
  socket.write(bytes, 'latin1');
  await once(socket, 'close');
  return got;
}

/** Answers with raw bytes, then keeps the connection open. */
function answerRaw(bytes: string): void {
  world.answer = (request) => void request.socket.write(bytes, 'latin1');
}

/** Those that are read as HTTP in part, or as something else; what is wrong in one place is in edge/bad-input.spec.ts. */
describe('a request that two readers could read differently', () => {
  const list = `Content-Length: ${BODY.length}, ${BODY.length}`;
  it.each([
    ['a length that is a list', head([list]) + BODY, 400, 'invalid_request'],
    [
      'an unknown transfer coding',
      `${head(['Transfer-Encoding: chunked, identity'])}0\r\n\r\n`,
      400,
      'invalid_request',
    ],
    [
      'a chunk size that is none',
      `${head(['Transfer-Encoding: chunked'])}zz\r\n\r\n`,
      400,
      'invalid_request',
    ],
    ['no HTTP at all', 'hello\r\n\r\n', 400, 'invalid_request'],
    ['headers over the limit', head([`X-Long: ${'x'.repeat(20_000)}`]), 431, 'headers_too_large'],
    ['a tunnel', 'CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n', 405, 'method_not_allowed'],
    ['an unknown expectation', head(['Expect: wonders', 'Content-Length: 0']), 417, 'expectation_failed'],
  ])('%s: is refused with our error, nothing is reserved', async (_, bytes, status, code) => {
    const got = await raw(bytes);
    expect(got).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(got.toLowerCase()).toContain('connection: close');
    expect(got.toLowerCase()).toContain('access-control-allow-origin: *');
    expect(JSON.parse(got.slice(got.indexOf('\r\n\r\n') + 4)).error.code).toBe(code);
    expect([world.seen, world.reserved, world.spooled]).toEqual([[], [], []]);
    expect([world.openCalls(), world.bodyBytes()]).toEqual([0, 0]);
  });
});

describe('a client of another kind', () => {
  it('that waits for 100-continue is told to go on', async () => {
    const socket = connect();
    socket.write(head([`Content-Length: ${BODY.length}`, 'Expect: 100-continue', 'Connection: close']));
    const [first] = (await once(socket, 'data')) as [Buffer];
    expect(first.toString()).toMatch(/^HTTP\/1.1 100 /);
    socket.write(BODY);
    let got = '';
    socket.on('data', (chunk) => {
      got += chunk.toString();
    });
    await once(socket, 'close');
    expect(got).toContain(ANSWER);
    expect(world.seen[0]?.headers.expect).toBeUndefined();
  });

  it('that speaks HTTP/1.0 gets an answer without chunks', async () => {
    const got = await raw(CALL.replace('HTTP/1.1', 'HTTP/1.0'));
    expect(got).toMatch(/^HTTP\/1.1 200 /);
    expect(got.toLowerCase()).not.toContain('transfer-encoding');
    expect(got.endsWith(`\r\n\r\n${ANSWER}`)).toBe(true);
  });

  it('that sends its next request early gets both answers in turn', async () => {
    const got = await raw(CALL + CALL.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
    expect(got.split('HTTP/1.1 200').length - 1).toBe(2);
    expect(world.ends().map(({ data }) => data.cost_micros)).toEqual([ANSWER_COST, ANSWER_COST]);
  });

  it('that leaves with an early request unanswered leaves no hold open', async () => {
    const held = Promise.withResolvers<void>();
    world.answer = (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      void held.promise.then(() => response.end(ANSWER + ' '.repeat(3_000_000)));
    };
    const socket = connect();
    socket.write(CALL + CALL);
    await world.until(() => world.seen.length > 0, 'the first call at the provider');
    socket.destroy();
    setTimeout(held.resolve, 100);
    await world.until(() => world.ends().length === world.reserved.length, 'an end for every hold');
    expect(world.reserved).toHaveLength(2);
    expect(world.openCalls()).toBe(0);
  });

  it('that closes its half leaves no hold open', async () => {
    const socket = connect();
    socket.end(CALL);
    await world.until(() => world.ends().length === 1, 'the end of the hold');
    expect(world.ends()[0]?.data.cost_micros).toBe(ANSWER_COST);
    socket.destroy();
  });

  it('that leaves while its key is looked up is forgotten', async () => {
    const looked = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    world.beforeIdentify = () => {
      asked.resolve();
      return looked.promise;
    };
    const { leave } = send(world, { method: 'GET', path: '/proxy/openai/v1/models' });
    await asked.promise;
    leave();
    setTimeout(looked.resolve, 50);
    await world.until(() => world.openCalls() === 0, 'the end of the walk');
  });

  it('that sends its body byte by byte costs what the body costs', async () => {
    const socket = connect();
    socket.write(head(['Transfer-Encoding: chunked', 'Connection: close']));
    const padded = BODY + ' '.repeat(90_000 - BODY.length);
    socket.write(`${[...padded].map((letter) => `1\r\n${letter}\r\n`).join('')}0\r\n\r\n`);
    let got = '';
    socket.on('data', (chunk) => {
      got += chunk.toString();
    });
    await once(socket, 'close');
    expect(got).toContain(ANSWER);
    expect(world.seen[0]?.body).toBe(padded);
  });
});

describe('a provider that answers strangely', () => {
  it('with two codings in two headers: passes, and the hold ends', async () => {
    answerRaw(
      `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: identity\r\nContent-Encoding: identity\r\nContent-Length: ${ANSWER.length}\r\n\r\n${ANSWER}`,
    );
    const got = await send(world).got;
    expect(got?.body.toString()).toBe(ANSWER);
    expect(world.ends()).toHaveLength(1);
  });

  it('with bytes over ASCII in a header and in the reason: passes as they came', async () => {
    answerRaw(
      `HTTP/1.1 200 Tr\xe8s bien\r\nX-Name: caf\xc3\xa9\r\nContent-Length: ${ANSWER.length}\r\n\r\n${ANSWER}`,
    );
    const got = await raw(CALL.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
    expect(got).toContain('caf\xc3\xa9');
    expect(got).toContain(ANSWER);
    expect(world.ends().map(({ data }) => data.cost_micros)).toEqual([ANSWER_COST]);
  });

  it('with a length and chunks: nothing that could be read in two ways goes on', async () => {
    answerRaw(
      `HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n${ANSWER.length.toString(16)}\r\n${ANSWER}\r\n0\r\n\r\n`,
    );
    const got = await raw(CALL.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
    expect(/content-length: 3/i.test(got) && got.includes(ANSWER)).toBe(false);
    expect(world.ends()).toHaveLength(1);
  });

  it('with more tokens than can be written down: the answer is whole, the usage is unpriced', async () => {
    // Each line costs 6e15 micros, which a JSON integer holds, and both together do not.
    const huge = ANSWER.replace('1000', '5000000000')
      .replace('500,', '5000000000,')
      .replace(/500}/, '5000000000}');
    world.answer = (_request, response) => response.end(huge);
    world.rates = world.dearRates();
    const got = await send(world).got;
    expect(got).toMatchObject({ status: 200, broken: false });
    expect(got?.body.toString()).toBe(huge);
    expect(world.ends().map(({ data }) => data)).toEqual([
      expect.objectContaining({ outcome: 'completed', cost_micros: 0 }),
    ]);
    expect(world.usages()[0]?.data.lines).toEqual([
      expect.objectContaining({ unpriced: true }),
      expect.objectContaining({ unpriced: true }),
    ]);
  });

  describe.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
  ] as const)('in %s', (coding, pack) => {
    it.each([
      ['with garbage behind it', [pack(ANSWER), Buffer.from('garbage'), Buffer.from('more')], ANSWER_COST],
      ['cut short', [pack(ANSWER).subarray(0, 20)], 0],
      ['damaged', [pack(ANSWER).fill(7, 9, 30), Buffer.from('garbage')], 0],
      ['that is nothing of the kind', [Buffer.from('garbage'), Buffer.from('more')], 0],
      ['without a byte', [], 0],
    ])('%s: passes as it came, and the hold ends', async (_, chunks, cost) => {
      world.answer = (_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': coding });
        const [first, ...others] = chunks;
        if (first) response.write(first);
        setTimeout(() => {
          for (const chunk of others) response.write(chunk);
          response.end();
        }, 30);
      };
      const got = await send(world).got;
      expect(got).toMatchObject({ status: 200, broken: false });
      expect(got?.body).toEqual(Buffer.concat(chunks));
      expect(world.ends().map(({ data }) => data)).toEqual([
        expect.objectContaining({ outcome: 'completed', cost_micros: cost }),
      ]);
      expect(world.openCalls()).toBe(0);
    });
  });

  it('with early hints first: the answer after them counts', async () => {
    answerRaw(
      `HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: ${ANSWER.length}\r\n\r\n${ANSWER}`,
    );
    expect((await send(world).got)?.body.toString()).toBe(ANSWER);
    expect(world.ends().map(({ data }) => data.cost_micros)).toEqual([ANSWER_COST]);
  });
});

describe('a connection that is used again', () => {
  it('never carries what an aborted call left', async () => {
    const first = Promise.withResolvers<http.ServerResponse>();
    world.answer = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: {}\n\n');
      first.resolve(response);
    };
    const { leave } = send(world, { method: 'GET', path: '/proxy/openai/v1/models' });
    const abandoned = await first.promise;
    leave();
    await once(abandoned, 'close');
    world.answer = (_request, response) => response.end(ANSWER);
    expect((await send(world).got)?.body.toString()).toBe(ANSWER);
  });
});

describe('our key', () => {
  it.each([
    [
      'as the model',
      '/proxy/openai/v1/chat/completions',
      'POST',
      JSON.stringify({ ...CHAT, model: KEY }),
      400,
    ],
    ['as a part of the path', `/proxy/openai/v1/models/${KEY}`, 'GET', '', 404],
    ['in a parameter, encoded', `/proxy/openai/v1/models?x=${KEY.replace('_', '%5F')}`, 'GET', '', 200],
  ])('%s never reaches the provider, a log line or a rate miss', async (_, path, method, body, status) => {
    const got = await send(world, { path, method, body }).got;
    expect(got?.status).toBe(status);
    const told = decodeURIComponent(JSON.stringify([world.seen, world.logged, world.rateMisses]));
    expect(told).not.toContain(KEY);
    expect(JSON.stringify(world.logged)).not.toContain(REAL_SECRET);
  });
});
