import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '@vendo/testing';
import { atBoot } from './at-boot.js';
import { ConfigError } from './config.js';
import { createPool } from './postgres.js';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

/** What an app does first, with this URL. */
async function begin(url: string, withinMs?: number): Promise<unknown> {
  const pool = createPool(url, { app: 'spec', max: 1 });
  try {
    return (await atBoot(() => pool.query('select 1 as one'), withinMs)).rows;
  } finally {
    await pool.end();
  }
}

function changed(change: (url: URL) => void): string {
  const url = new URL(database.url);
  change(url);
  return url.href;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('the first connection to Postgres', () => {
  it('waits for one that comes up later', async () => {
    const port = await freePort();
    const begun = begin(changed((url) => (url.host = `127.0.0.1:${port}`)));
    await new Promise((resolve) => setTimeout(resolve, 600));
    const target = new URL(database.url);
    const relay = createServer((inner) => {
      const outer = connect(Number(target.port), target.hostname);
      inner.pipe(outer).pipe(inner);
      for (const socket of [inner, outer]) socket.on('error', () => undefined);
    }).listen(port, '127.0.0.1');
    await expect(begun).resolves.toEqual([{ one: 1 }]);
    relay.close();
  });

  it.each([
    ['a wrong user', (url: URL) => (url.username = 'nobody_here')],
    ['an unknown database', (url: URL) => (url.pathname = '/no_such_database')],
  ])('refuses %s at once, in one line without a secret', async (_, change) => {
    const url = changed((given) => {
      given.password = 'a-secret';
      change(given);
    });
    const failed = begin(url);
    await expect(failed).rejects.toThrow(ConfigError);
    await expect(failed).rejects.toThrow(/^DATABASE_URL: (?!.*a-secret)[^\n]+$/);
  });

  it('gives up in one line when nothing ever answers', async () => {
    const url = changed((given) => (given.port = '1'));
    await expect(begin(url, 300)).rejects.toThrow(
      /^DATABASE_URL: Postgres does not answer after \d+ s: [^\n]+$/,
    );
  });

  it('hands on at once what waiting does not mend', async () => {
    let tries = 0;
    const failed = atBoot(async () => {
      tries += 1;
      throw new TypeError('a fault of ours');
    });
    await expect(failed).rejects.toThrow(TypeError);
    expect(tries).toBe(1);
  });
});
