import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '@vendo/testing';
import { createPool } from './postgres.js';

let database: TestDatabase;
let relay: Server;
const sockets: Socket[] = [];
let silent = false;

/** Postgres behind a wire that can go dead without being cut. */
beforeAll(async () => {
  database = await createTestDatabase();
  const { hostname, port } = new URL(database.url);
  relay = createServer((inner) => {
    const outer = connect(Number(port), hostname);
    sockets.push(inner, outer);
    inner.on('data', (bytes) => silent || outer.write(bytes));
    outer.on('data', (bytes) => silent || inner.write(bytes));
    for (const socket of [inner, outer]) socket.on('error', () => undefined);
    inner.on('close', () => outer.destroy());
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => relay.close(resolve));
  await database.drop();
});

it('gives up a query whose server has vanished without a word, and the next one has a new connection', async () => {
  const url = new URL(database.url);
  url.host = `127.0.0.1:${(relay.address() as AddressInfo).port}`;
  const pool = createPool(url.href, { app: 'spec', max: 1, answerWithinMs: 200 });
  expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  silent = true;
  await expect(pool.query('select 1')).rejects.toThrow(/timeout/i);
  silent = false;
  expect((await pool.query('select 2 as two')).rows).toEqual([{ two: 2 }]);
  await pool.end();
});
