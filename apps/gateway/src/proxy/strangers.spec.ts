import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ERRORS, type ErrorCode } from '@vendo/errors';
import { migrateRegistry } from '@vendo/registry';
import { createLogger, createPool, SystemClock } from '@vendo/runtime';
import { createTestDatabase, type TestDatabase } from '@vendo/testing';
import { nanoid } from 'nanoid';
import type pg from 'pg';
import { CachedCallers } from '../callers/cached.callers.js';
import { PostgresRegistrySource } from '../callers/postgres.registry-source.js';
import { CHAT_JSON, json } from './memory.proxy-answers.js';
import { type Got, send } from './memory.proxy-client.js';
import { ProxyWorld } from './memory.proxy-world.js';

/** A tenant with one app, whose connection is bound, and another that is not. */
interface Household {
  tenantId: string;
  appId: string;
  key: string;
  bound: string;
  unbound: string;
}

let database: TestDatabase;
let pool: pg.Pool;
let callers: CachedCallers;
let world: ProxyWorld;
let own: Household;
let neighbour: Household;

beforeAll(async () => {
  database = await createTestDatabase();
  await migrateRegistry(database.url);
  pool = createPool(database.url, { app: 'strangers spec' });
  callers = new CachedCallers(
    new PostgresRegistrySource(pool),
    new SystemClock(),
    createLogger('spec', 'silent'),
  );
  [own, neighbour] = [await household(), await household()];
  await callers.start();
  world = await new ProxyWorld().start();
  world.registry = callers;
  world.answer = json(200, CHAT_JSON);
});
beforeEach(() => {
  for (const told of [world.seen, world.reserved, world.spooled]) told.length = 0;
});
afterAll(async () => {
  await world.close();
  await callers.stop();
  await pool.end();
  await database.drop();
});

async function household(): Promise<Household> {
  const [tenantId, appId] = [randomUUID(), randomUUID()];
  await pool.query("insert into registry.tenants (id, name) values ($1, 'T')", [tenantId]);
  await pool.query("insert into registry.apps (id, tenant_id, display_name) values ($1, $2, 'A')", [
    appId,
    tenantId,
  ]);
  const [bound, unbound] = [await connection(tenantId), await connection(tenantId)];
  await pool.query(
    "insert into registry.bindings (id, tenant_id, app_id, provider_slug, connection_id) values ($1, $2, $3, 'openai', $4)",
    [randomUUID(), tenantId, appId, bound],
  );
  return { tenantId, appId, bound, unbound, key: await issue({ tenantId, appId }, {}) };
}

async function connection(tenantId: string): Promise<string> {
  const id = randomUUID();
  await pool.query(
    "insert into registry.connections (id, tenant_id, provider, profile, sealed_credential) values ($1, $2, 'openai', 'byok_static', '\\x01')",
    [id, tenantId],
  );
  return id;
}

async function issue(
  { tenantId, appId }: Pick<Household, 'tenantId' | 'appId'>,
  { revokedAt = null, expiresAt = null }: { revokedAt?: Date | null; expiresAt?: Date | null },
): Promise<string> {
  const plaintext = `vendo_sk_${nanoid(32)}`;
  await pool.query(
    `insert into registry.keys (id, tenant_id, scope, app_id, key_hash, prefix, revoked_at, expires_at)
     values ($1, $2, 'app', $3, $4, $5, $6, $7)`,
    [
      randomUUID(),
      tenantId,
      appId,
      createHash('sha256').update(plaintext).digest(),
      plaintext.slice(0, 13),
      revokedAt,
      expiresAt,
    ],
  );
  return plaintext;
}

async function call(key: string, headers: Record<string, string> = {}): Promise<Got> {
  const got = await send(world, { headers: { authorization: `Bearer ${key}`, ...headers } }).got;
  if (!got) throw new Error('the gateway broke the connection');
  return got;
}

/** The error as it is documented, and nothing that was done for the call. */
async function expectRefused(got: Got, code: ErrorCode): Promise<void> {
  const { status, message } = ERRORS[code];
  expect([got.status, got.headers['vendo-error-code']]).toEqual([status, code]);
  expect(JSON.parse(got.body.toString())).toEqual({ error: { code, message } });
  await world.until(() => world.openCalls() === 0 && world.bodyBytes() === 0, 'the end of the call');
  expect([world.seen, world.reserved, world.spooled]).toEqual([[], [], []]);
}

const A_MINUTE_AGO = new Date(Date.now() - 60_000);

describe('a key', () => {
  it('that is good is served', async () => {
    expect((await call(own.key)).status).toBe(200);
    expect(world.reserved).toMatchObject([{ tenant_id: own.tenantId }]);
  });

  it('that was revoked is refused', async () => {
    await expectRefused(await call(await issue(own, { revokedAt: A_MINUTE_AGO })), 'app_revoked');
  });

  it('that has expired is refused', async () => {
    await expectRefused(await call(await issue(own, { expiresAt: A_MINUTE_AGO })), 'app_expired');
  });

  it('that was revoked and has expired is a revoked one', async () => {
    const both = { revokedAt: A_MINUTE_AGO, expiresAt: A_MINUTE_AGO };
    await expectRefused(await call(await issue(own, both)), 'app_revoked');
  });

  it('that nobody has is refused', async () => {
    await expectRefused(await call(`vendo_sk_${nanoid(32)}`), 'app_unknown');
  });
});

describe('a connection that the client names', () => {
  const named = (id: string): Promise<Got> => call(own.key, { 'x-vendo-connection': id });

  it('is used where it is bound', async () => {
    expect((await named(own.bound)).status).toBe(200);
  });

  it('is refused with the same bytes where it is unbound, unknown, of another tenant or no id at all', async () => {
    // The neighbour's own call has it in the cache.
    expect((await call(neighbour.key)).status).toBe(200);
    for (const told of [world.seen, world.reserved, world.spooled]) told.length = 0;
    const answers: unknown[] = [];
    for (const id of [randomUUID(), own.unbound, neighbour.bound, neighbour.unbound, 'x', `'; --`]) {
      const got = await named(id);
      await expectRefused(got, 'binding_missing');
      const { date: _date, ...headers } = got.headers;
      answers.push({ status: got.status, headers, body: got.body.toString() });
    }
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
  });
});
