import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '@vendo/testing';
import pg from 'pg';
import { SecretsWatch } from './secrets-watch.js';

const SECRET = 'vendo_sk_abcdefghijklmnop';

describe('whoever watches over the secrets of a product', () => {
  let folder: string;
  let database: TestDatabase;
  let client: pg.Client;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'vendo-secrets-'));
    await mkdir(path.join(folder, 'product/logs'), { recursive: true });
    database = await createTestDatabase();
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await client.query('create schema log; create table log.records (headers jsonb, value bytea)');
  });
  afterAll(async () => {
    await client.end();
    await database.drop();
    await rm(folder, { recursive: true, force: true });
  });

  function watching(): SecretsWatch {
    const watch = new SecretsWatch();
    watch.learn('a key', SECRET);
    return watch;
  }

  it.each([
    ['product/logs/gateway.log', ['a key in product/logs/gateway.log']],
    ['product/spool/000001', ['a key in product/spool/000001']],
    ['product/secrets.json', []],
    ['product/postgres/base/1', []],
  ])('finds one in file %s: %j', async (file, findings) => {
    await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
    await writeFile(path.join(folder, file), `{"msg":"calling","key":"${SECRET}"}\n`);
    const watch = watching();
    await watch.lookInFolder(folder);
    await rm(path.join(folder, file));
    expect(watch.take()).toEqual(findings);
    expect(watch.take()).toEqual([]);
  });

  it.each([
    ['the headers', `insert into log.records values ('{"ce_key": "${SECRET}"}', '')`, 1],
    ['the bytes', `insert into log.records values ('{}', convert_to('{"key":"${SECRET}"}', 'UTF8'))`, 1],
    ['nothing', `insert into log.records values ('{"ce_type": "x"}', convert_to('{}', 'UTF8'))`, 0],
  ])('finds one in %s of a stored event', async (_, sql, times) => {
    await client.query(sql);
    const watch = watching();
    await watch.lookInDatabase(database.url);
    await client.query('truncate log.records');
    expect(watch.take()).toEqual(Array(times).fill('a key in table log.records'));
  });

  it('lets the answer that issues a key say it, and no other answer', () => {
    const watch = new SecretsWatch();
    const issuing = JSON.stringify({ key: { id: '1', plaintext: SECRET } });
    watch.answered('POST /apps', undefined, issuing);
    expect(watch.take()).toEqual([]);
    watch.answered('GET /apps', undefined, JSON.stringify({ name: SECRET }));
    expect(watch.take()).toEqual(['a key in GET /apps']);
  });

  it('learns the credential of a connection from the request, and lets no answer repeat it', () => {
    const watch = new SecretsWatch();
    const sent = JSON.stringify({ provider: 'openai', credential: 'sk-of-a-customer' });
    watch.answered('POST /connections', sent, JSON.stringify({ connection: { hint: 'sk-of-a-customer' } }));
    expect(watch.take()).toEqual(['a credential in POST /connections']);
  });
});
