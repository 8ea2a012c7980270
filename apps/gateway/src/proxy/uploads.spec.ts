import { once } from 'node:events';
import http from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { VendoError } from '@vendo/errors';
import { json } from './memory.proxy-answers.js';
import { send } from './memory.proxy-client.js';
import { KEY, ProxyWorld } from './memory.proxy-world.js';

const PATH = '/proxy/muapi/api/v1/upload_file';
const LIMIT = 200_000;
/** More than all buffers on the way hold. */
const HUGE = 64 * 1_048_576;

let world: ProxyWorld;
/** Uploads as they reach the provider. */
let arrived: {
  request: http.IncomingMessage;
  response: http.ServerResponse;
  bytes: number;
  broken: boolean;
}[];

beforeEach(async () => {
  world = new ProxyWorld();
  world.maxUploadBytes = LIMIT;
  // A provider that reads nothing gives no answer either.
  world.upstreamTimeoutMs = 20_000;
  await world.start();
  arrived = [];
});
afterEach(() => world.close());

/** The provider takes uploads as they come, and answers when `answers` says so. */
function takeUploads({ reads = true, answers = true } = {}): void {
  world.arrives = (request, response) => {
    const upload = { request, response, bytes: 0, broken: false };
    arrived.push(upload);
    if (reads)
      request.on('data', (chunk: Buffer) => {
        upload.bytes += chunk.length;
      });
    request.on('error', () => undefined);
    request.on('close', () => {
      upload.broken = !request.complete;
    });
    if (answers) request.on('end', () => json(200, '{"url":"https://cdn.example/a"}')(request, response));
  };
}

/** A client that sends in its own time. */
class Sender {
  readonly request: http.ClientRequest;
  readonly answer: Promise<{ status: number; headers: http.IncomingHttpHeaders; body: string } | null>;

  constructor(headers: http.OutgoingHttpHeaders = {}, agent: http.Agent | false = false) {
    this.request = http.request({
      host: '127.0.0.1',
      port: world.gatewayPort,
      agent,
      method: 'POST',
      path: PATH,
      headers: {
        authorization: `Bearer ${KEY}`,
        'content-type': 'multipart/form-data; boundary=x',
        ...headers,
      },
    });
    const { promise, resolve } = Promise.withResolvers<Awaited<typeof this.answer>>();
    this.answer = promise;
    this.request.on('error', () => resolve(null));
    this.request.on('response', async (response) => {
      let body = '';
      for await (const chunk of response) body += chunk;
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
    });
    this.request.flushHeaders();
  }

  send(bytes: number): boolean {
    return this.request.write(Buffer.alloc(bytes, 'x'));
  }
}

/** The agent's one connection takes another upload. */
async function expectServesOn(agent: http.Agent): Promise<void> {
  const next = new Sender({ 'content-length': 1 }, agent);
  next.request.end('x');
  expect(await next.answer).toMatchObject({ status: 200 });
  expect(next.request.reusedSocket).toBe(true);
  agent.destroy();
}

const eventually = async (ready: () => boolean): Promise<void> => {
  for (let looks = 0; !ready(); looks += 1) {
    if (looks > 500) throw new Error('it did not come to pass');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};

describe('an upload', () => {
  it('reaches the provider while it comes, with its length, and is charged nothing', async () => {
    takeUploads();
    const sender = new Sender({ 'content-length': 100_000 });
    sender.send(60_000);
    await eventually(() => arrived[0]?.bytes === 60_000);
    sender.send(40_000);
    sender.request.end();
    expect(await sender.answer).toMatchObject({ status: 200, body: '{"url":"https://cdn.example/a"}' });
    expect(arrived.map(({ bytes, broken }) => [bytes, broken])).toEqual([[100_000, false]]);
    const { headers } = arrived[0]?.request ?? {};
    expect(headers).toMatchObject({
      'content-length': '100000',
      'content-type': 'multipart/form-data; boundary=x',
    });
    expect(headers).not.toHaveProperty('transfer-encoding');
    expect([world.reserved, world.spooled, world.bodyBytes()]).toEqual([[], [], 0]);
  });

  it('without a length has none at the provider either', async () => {
    takeUploads();
    const sender = new Sender();
    sender.send(4);
    await eventually(() => arrived[0]?.bytes === 4);
    sender.send(6);
    sender.request.end();
    expect(await sender.answer).toMatchObject({ status: 200 });
    expect(arrived[0]?.request.headers).toMatchObject({ 'transfer-encoding': 'chunked' });
    expect(arrived[0]?.request.headers).not.toHaveProperty('content-length');
    expect(arrived[0]?.bytes).toBe(10);
  });

  it('of nothing is forwarded', async () => {
    takeUploads();
    const sender = new Sender({ 'content-length': 0 });
    sender.request.end();
    expect(await sender.answer).toMatchObject({ status: 200 });
  });

  it('waits while the provider does not read, and arrives whole once it does', async () => {
    world.maxUploadBytes = HUGE;
    await world.restart();
    takeUploads({ reads: false });
    const sender = new Sender({ 'content-length': HUGE });
    const CHUNK = 65_536;
    let sent = 0;
    const sendOn = (): void => {
      while (sent < HUGE) {
        sent += CHUNK;
        if (!sender.send(CHUNK)) return void sender.request.once('drain', sendOn);
      }
      sender.request.end();
    };
    sendOn();
    // The client stands still when it could send nothing between two looks: the buffers on the way are full.
    for (let before = -1; before !== sent; ) {
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(sent).toBeLessThan(HUGE / 2);

    const [upload] = arrived;
    upload?.request.on('data', (chunk: Buffer) => {
      upload.bytes += chunk.length;
    });
    expect(await sender.answer).toMatchObject({ status: 200 });
    expect(upload?.bytes).toBe(HUGE);
  });

  it('that says it is too large is refused before anything is sent', async () => {
    takeUploads();
    const sender = new Sender({ 'content-length': LIMIT + 1 });
    const answer = await sender.answer;
    expect(answer).toMatchObject({ status: 413, headers: { 'vendo-error-code': 'body_too_large' } });
    expect(arrived).toEqual([]);
  });

  it('that grows too large is refused in the middle, and the provider sees it break off', async () => {
    takeUploads();
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const sender = new Sender({}, agent);
    const closed = once(sender.request, 'close');
    sender.send(150_000);
    await eventually(() => arrived[0]?.bytes === 150_000);
    sender.send(50_001);
    const answer = await sender.answer;
    expect(answer).toMatchObject({ status: 413, headers: { 'vendo-error-code': 'body_too_large' } });
    await eventually(() => arrived[0]?.broken === true);
    expect(arrived[0]?.bytes).toBeLessThanOrEqual(LIMIT);
    await world.until(() => world.openCalls() === 0, 'the end of the call');
    // What still comes is read, so that a client that sends first and reads then gets the answer as well.
    sender.send(8_000_000);
    sender.request.end();
    await closed;
    await expectServesOn(agent);
  });

  it('whose client leaves in the middle breaks off at the provider', async () => {
    takeUploads();
    const sender = new Sender({ 'content-length': 100_000 });
    sender.send(60_000);
    await eventually(() => arrived[0]?.bytes === 60_000);
    sender.request.destroy();
    await eventually(() => arrived[0]?.broken === true);
    await world.until(() => world.openCalls() === 0, 'the end of the call');
    expect(world.logged).toContainEqual(expect.objectContaining({ outcome: 'client_aborted' }));
  });

  it('that the provider refuses in the middle gets that answer, and the rest is read', async () => {
    world.maxUploadBytes = HUGE;
    await world.restart();
    takeUploads({ answers: false });
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const sender = new Sender({ 'content-length': 8_060_000 }, agent);
    const closed = once(sender.request, 'close');
    sender.send(60_000);
    await eventually(() => arrived[0]?.bytes === 60_000);
    const { request, response } = arrived[0] ?? {};
    if (request && response) json(401, '{"detail":"no"}')(request, response);
    expect(await sender.answer).toMatchObject({ status: 401, body: '{"detail":"no"}' });
    sender.send(8_000_000);
    sender.request.end();
    await closed;
    takeUploads();
    await expectServesOn(agent);
  });

  it('whose provider dies in the middle is told so', async () => {
    takeUploads({ answers: false });
    const sender = new Sender({ 'content-length': 100_000 });
    sender.send(60_000);
    await eventually(() => arrived[0]?.bytes === 60_000);
    arrived[0]?.request.socket.destroy();
    expect(await sender.answer).toMatchObject({ status: 502 });
    sender.request.destroy();
  });

  it('that is refused before it is forwarded is read to its end, so that the connection serves on', async () => {
    world.maxUploadBytes = HUGE;
    await world.restart();
    takeUploads();
    world.beforeConnect = async () => {
      throw new VendoError('binding_missing');
    };
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const first = new Sender({ 'content-length': 8_000_000 }, agent);
    first.request.end(Buffer.alloc(8_000_000));
    const [answer] = await Promise.all([first.answer, once(first.request, 'close')]);
    expect(answer).toMatchObject({ status: 403 });
    world.beforeConnect = async () => undefined;
    await expectServesOn(agent);
  });
});

describe('a free route that names objects of the account', () => {
  const POLL = { method: 'GET', path: '/proxy/muapi/api/v1/predictions/r-1/result' };
  const HEADERS = { 'x-account-balance': '12.5', 'x-muapi-cost-usd': '0.025', 'x-request-id': 'q' };

  it('finds none on the shared account that no answer has named', async () => {
    world.connection = { ...world.connection, profile: 'vendo_managed_pool', sealedCredential: null };
    const got = await send(world, POLL).got;
    expect(got).toMatchObject({ status: 404, headers: { 'vendo-error-code': 'object_not_found' } });
    expect(world.seen).toEqual([]);
  });

  it('is open with a credential of its own, free, and says nothing of the wallet', async () => {
    world.answer = json(200, '{"id":"r-1","cost":{"amount_usd":0.025}}', HEADERS);
    const got = await send(world, POLL).got;
    expect(got).toMatchObject({ status: 200, headers: { 'x-request-id': 'q' } });
    expect(Object.keys(got?.headers ?? {}).filter((name) => /balance|muapi/.test(name))).toEqual([]);
    expect([world.reserved, world.spooled]).toEqual([[], []]);
  });
});
