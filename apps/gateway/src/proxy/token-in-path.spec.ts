import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { VendoError } from '@vendo/errors';
import { json } from './memory.proxy-answers.js';
import { type Sent, send } from './memory.proxy-client.js';
import { KEY, ProxyWorld, REAL_SECRET } from './memory.proxy-world.js';

const ANSWERED = '{"ok":true,"result":{}}';
const fixture = (name: string) =>
  readFileSync(join(import.meta.dirname, '..', 'providers', 'telegram', 'fixtures', name), 'utf8');

let world: ProxyWorld;
beforeEach(async () => {
  world = await new ProxyWorld().start();
  world.answer = json(200, ANSWERED);
});
afterEach(() => world.close());

/** A call whose token's place has our key in it, and no header does. */
function inPath(method: string, sent: Sent = {}, token = KEY): Sent {
  const path = `/proxy/telegram/bot${token}/${method}`;
  return {
    path,
    body: '{"chat_id":1,"text":"hi"}',
    ...sent,
    headers: { authorization: '', ...sent.headers },
  };
}

const asked = () => world.seen.map(({ method, url }) => [method, url]);

describe('a call to Telegram', () => {
  it.each([
    ['our key', inPath('sendMessage')],
    ['our key behind digits', inPath('sendMessage', {}, `123456:${KEY}`)],
    ['our key behind digits, encoded', inPath('sendMessage', {}, `123456%3A${KEY}`)],
    ['a bearer, and a token of the client', inPath('sendMessage', { headers: bearer() }, '42:AAclient')],
    ['a bearer, and nothing', inPath('sendMessage', { headers: bearer() }, '')],
    ['our key, in another case of the method', inPath('SENDmessage')],
  ])('with %s in its path is forwarded with the real token in that place, and free', async (_, sent) => {
    expect(await send(world, sent).got).toMatchObject({ status: 200, body: Buffer.from(ANSWERED) });
    expect(asked()).toEqual([['POST', `/bot${REAL_SECRET}/sendMessage`]]);
    expect(world.seen[0]?.body).toBe('{"chat_id":1,"text":"hi"}');
    expect(inspect(world.seen, { depth: null })).not.toMatch(/vendo_sk_|AAclient/);
    expect([world.reserved, world.spooled]).toEqual([[], []]);
  });

  it('gets a file, whose answer says nothing of its token', async () => {
    world.answer = (_request, response) => {
      response.writeHead(302, {
        location: `/file/bot${REAL_SECRET}/photos/file_8.jpg`,
        'x-asked': `/file/bot${REAL_SECRET}/photos/file_7.jpg`,
        'x-other': 'stays',
      });
      response.end('bytes');
    };
    const sent = { method: 'GET', path: `/proxy/telegram/file/bot${KEY}/photos/file_7.jpg`, body: '' };
    const got = await send(world, { ...sent, headers: { authorization: '' } }).got;
    expect(asked()).toEqual([['GET', `/file/bot${REAL_SECRET}/photos/file_7.jpg`]]);
    expect(got).toMatchObject({ status: 302, headers: { 'x-other': 'stays' } });
    expect(JSON.stringify(got?.headers)).not.toContain(REAL_SECRET);
  });

  it.each([
    [429, 'too-many-requests.json'],
    [400, 'migrated.json'],
  ])('that Telegram answers with %i gets %s, byte for byte', async (status, name) => {
    world.answer = json(status, fixture(name));
    const got = await send(world, inPath('sendMessage')).got;
    expect([got?.status, got?.body.toString()]).toEqual([status, fixture(name)]);
    expect(world.spooled).toEqual([]);
  });

  it('is forwarded while its file comes, beyond what fits into a body', async () => {
    const file = Buffer.alloc(150_000, 'x');
    const headers = { 'content-type': 'multipart/form-data; boundary=b' };
    expect(await send(world, inPath('sendPhoto', { body: file, headers })).got).toMatchObject({
      status: 200,
    });
    expect(world.seen[0]?.body).toHaveLength(file.length);
    expect(await send(world, inPath('sendMessage', { body: file })).got).toMatchObject({ status: 413 });
  });

  it('with two different keys of ours is refused', async () => {
    const other = `${KEY.slice(0, -1)}X`;
    const sent = inPath('getMe', { headers: { authorization: `Bearer ${other}` } });
    expect(await send(world, sent).got).toMatchObject({ status: 401 });
  });
});

describe('whatever becomes of a call, no log line, event, rate miss, metric or error of ours has its token', () => {
  it.each<[what: string, status: number | null, sent: Sent, prepare?: () => void]>([
    ['answered', 200, inPath('sendMessage')],
    ['blocked', 404, inPath('setWebhook')],
    ['blocked, with our key elsewhere in the path', 404, inPath(`getMe/${KEY}`)],
    ['with a path that climbs', 400, inPath('../getMe')],
    ['for an unknown provider', 404, inPath('getMe', { path: `/proxy/nobody/bot${KEY}/getMe` })],
    ['with a key that nobody has', 401, inPath('getMe', {}, `${KEY.slice(0, -1)}X`)],
    ['with a body over the limit', 413, inPath('sendMessage', { body: 'x'.repeat(100_001) })],
    ['whose connection is not bound', 403, inPath('getMe'), () => refuse(new VendoError('binding_missing'))],
    ['that fails inside of us', 500, inPath('getMe'), () => refuse(new TypeError('a bug'))],
    ['that cannot be connected', 502, inPath('getMe'), () => Object.assign(world, { upstreamOrigin: DEAD })],
    ['that is not answered', 502, inPath('getMe'), () => breakOff('')],
    ['that is answered by nonsense', 502, inPath('getMe'), () => breakOff('nonsense\r\n\r\n')],
    [
      'that is not answered in time',
      504,
      inPath('getMe'),
      () => Object.assign(world, { answer: () => null }),
    ],
    [
      'that breaks off in the middle',
      200,
      inPath('getMe'),
      () => breakOff('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx'),
    ],
  ])('%s', async (_, status, sent, ...[prepare]) => {
    prepare?.();
    const got = await send(world, sent).got;
    expect(got?.status).toBe(status);
    await world.until(() => world.openCalls() === 0, 'the end of the call');
    expect(world.logged.length).toBeGreaterThan(0);
    const { logged, spooled, rateMisses } = world;
    const told = inspect([logged, spooled, rateMisses, got?.headers, got?.body.toString()], {
      depth: null,
      maxStringLength: null,
      showHidden: true,
    });
    for (const text of [told, await world.metricsText()]) {
      expect(text).not.toContain(KEY.slice(0, -1));
      expect(text).not.toContain(REAL_SECRET);
    }
  });
});

const DEAD = 'http://127.0.0.1:1';

function bearer() {
  return { authorization: `Bearer ${KEY}` };
}

function refuse(thrown: Error): void {
  world.beforeConnect = () => Promise.reject(thrown);
}

function breakOff(bytes: string): void {
  world.answer = (request) => void request.socket.end(bytes);
}
