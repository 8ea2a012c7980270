import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Exchange } from './exchange.js';
import { SendQueues } from './send-queues.js';

/** More than the kernel takes for both ends of a connection, so that Node keeps the rest. */
const ANSWER = Buffer.alloc(33_554_432, 'x');

let server: http.Server;
let client: net.Socket;
let exchange: Exchange;
let received: number;
beforeEach(async () => {
  server = http.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  client = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  const [request, response] = (await once(server, 'request')) as [http.IncomingMessage, http.ServerResponse];
  exchange = new Exchange(request, response);
  received = 0;
  response.writeHead(200, { 'content-length': ANSWER.length + 1 });
});
afterEach(() => {
  client.destroy();
  server.close();
});

it('a client that takes nothing of an answer that has ended is still', async () => {
  exchange.response.write(ANSWER);
  exchange.response.end('x');
  await new Promise<void>((still) => exchange.onStill(50, new SendQueues(), still));
});

it('a client that takes nothing of an answer that breaks off is still', async () => {
  exchange.response.write(ANSWER);
  exchange.breakOff(null);
  await new Promise<void>((still) => exchange.onStill(50, new SendQueues(), still));
});

it.each([
  ['nothing', null, 0],
  ['the last bytes', Buffer.from('y'), 1],
])('a broken answer reaches its client up to where it broke, with %s waiting', async (_, last, more) => {
  let head = 0;
  client.on('data', (chunk: Buffer) => {
    head ||= chunk.indexOf('\r\n\r\n') + 4;
    received += chunk.length;
  });
  exchange.response.write(ANSWER.subarray(1));
  exchange.breakOff(last);
  await once(client, 'end');
  expect(received - head).toBe(ANSWER.length - 1 + more);
  if (!exchange.response.destroyed) await once(exchange.response, 'close');
});
