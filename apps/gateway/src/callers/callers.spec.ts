// Over 400 lines: one stand, a real Postgres that fails on demand, carries every promise of the port.
import { createHash, randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { migrateRegistry } from '@vendo/registry';
import { createLogger, createPool, SystemClock } from '@vendo/runtime';
import { createTestDatabase, type TestDatabase } from '@vendo/testing';
import { nanoid } from 'nanoid';
import type pg from 'pg';
import { CachedCallers } from './cached.callers.js';
import { PostgresRegistrySource } from './postgres.registry-source.js';

/** The system's clock, moved forward by hand. */
class MovedClock extends SystemClock {
  offsetMs = 0;

  override monotonicMs(): number {
    return super.monotonicMs() + this.offsetMs;
  }

  override wallMs(): number {
    return super.wallMs() + this.offsetMs;
  }
}

/** The real source, which can be cut off from its database, and counts its reads. */
class CutSource extends PostgresRegistrySource {
  cut = false;
  reads = 0;
  /** Runs after a key was read and before the reader hears of it. */
  afterKey: () => Promise<void> = async () => undefined;

  override async key(hash: string) {
    this.reads += 1;
    this.refuse();
    const key = await super.key(hash);
    await this.afterKey();
    return key;
  }

  override bindings(...asked: Parameters<PostgresRegistrySource['bindings']>) {
    this.refuse();
    return super.bindings(...asked);
  }

  override async connection(id: string) {
    this.refuse();
    return super.connection(id);
  }

  override async poll(since: string | null) {
    this.refuse();
    return super.poll(since);
  }

  private refuse(): void {
    if (this.cut) throw new Error('connection refused');
  }
}

let database: TestDatabase;
let pool: pg.Pool;
let clock: MovedClock;
let source: CutSource;
let callers: CachedCallers;

beforeAll(async () => {
  database = await createTestDatabase();
  await migrateRegistry(database.url);
  pool = createPool(database.url, { app: 'callers spec' });
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

beforeEach(async () => {
  clock = new MovedClock();
  source = new CutSource(pool);
  callers = new CachedCallers(source, clock, createLogger('spec', 'silent'));
  await callers.start();
});

afterEach(async () => {
  source.cut = false;
  await callers.stop();
});

async function tenant(): Promise<string> {
  const id = randomUUID();
  await pool.query("insert into registry.tenants (id, name) values ($1, 'T')", [id]);
  return id;
}

async function key(
  tenantId: string,
  owner: { appId?: string; connectionId?: string },
  expiresAt: Date | null = null,
) {
  const plaintext = `vendo_sk_${nanoid(32)}`;
  const { appId = null, connectionId = null } = owner;
  const id = randomUUID();
  await pool.query(
    `insert into registry.keys (id, tenant_id, scope, app_id, connection_id, key_hash, prefix, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [
      id,
      tenantId,
      appId ? 'app' : 'connection',
      appId,
      connectionId,
      hashOf(plaintext),
      plaintext.slice(0, 13),
      expiresAt,
    ],
  );
  return { id, plaintext };
}

async function app(tenantId: string): Promise<string> {
  const id = randomUUID();
  await pool.query("insert into registry.apps (id, tenant_id, display_name) values ($1, $2, 'A')", [
    id,
    tenantId,
  ]);
  return id;
}

async function connection(tenantId: string, provider = 'openai'): Promise<string> {
  const id = randomUUID();
  await pool.query(
    "insert into registry.connections (id, tenant_id, provider, profile, sealed_credential) values ($1, $2, $3, 'byok_static', '\\x01')",
    [id, tenantId, provider],
  );
  return id;
}

async function bind(
  tenantId: string,
  appId: string,
  connectionId: string,
  provider = 'openai',
): Promise<void> {
  await pool.query(
    'insert into registry.bindings (id, tenant_id, app_id, provider_slug, connection_id) values ($1, $2, $3, $4, $5)',
    [randomUUID(), tenantId, appId, provider, connectionId],
  );
}

/** A tenant with an app, its key, and one bound connection. */
async function household() {
  const tenantId = await tenant();
  const appId = await app(tenantId);
  const connectionId = await connection(tenantId);
  await bind(tenantId, appId, connectionId);
  return { tenantId, appId, connectionId, key: await key(tenantId, { appId }) };
}

function hashOf(plaintext: string): Buffer {
  return createHash('sha256').update(plaintext).digest();
}

const revoke = (id: string) => pool.query('update registry.keys set revoked_at = now() where id = $1', [id]);
const setStatus = (id: string, status: string) =>
  pool.query('update registry.connections set status = $2 where id = $1', [id, status]);
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => 'ok',
    (thrown) => thrown.code ?? thrown,
  );

async function within1s(ask: () => Promise<unknown>, wanted: string): Promise<void> {
  const began = performance.now();
  while ((await code(ask())) !== wanted) {
    if (performance.now() - began > 1_000) throw new Error(`not ${wanted} within 1 s`);
    await clock.sleep(20);
  }
}

describe('who calls', () => {
  it('is the app of an app key, and the key itself of a connection key', async () => {
    const { tenantId, appId, connectionId, key: appKey } = await household();
    const own = await key(tenantId, { connectionId });
    expect(await callers.identify(appKey.plaintext, 'metered')).toEqual({
      ...{ keyId: appKey.id, tenantId, appId, connectionId: null, capSubject: appId },
    });
    expect(await callers.identify(own.plaintext, 'metered')).toEqual({
      ...{ keyId: own.id, tenantId, appId: null, connectionId, capSubject: own.id },
    });
  });

  it.each(['', 'vendo_sk_short', `vendo_sk_${'x'.repeat(32)}`, `sk-${'x'.repeat(38)}`])(
    'is nobody with the key %p',
    async (presented) => expect(await code(callers.identify(presented, 'metered'))).toBe('app_unknown'),
  );

  it('is nobody with an expired key', async () => {
    const { tenantId, appId } = await household();
    const expiring = await key(tenantId, { appId }, new Date(Date.now() + 60_000));
    expect(await code(callers.identify(expiring.plaintext, 'metered'))).toBe('ok');
    clock.offsetMs = 61_000;
    expect(await code(callers.identify(expiring.plaintext, 'metered'))).toBe('app_expired');
  });

  it('is known again without a read, and read once however many ask at the same time', async () => {
    const { key: own } = await household();
    await Promise.all(Array.from({ length: 50 }, () => callers.identify(own.plaintext, 'metered')));
    await callers.identify(own.plaintext, 'metered');
    expect(source.reads).toBe(1);
  });

  it('is not kept when unknown: a key issued a moment later works at once', async () => {
    const { tenantId, appId } = await household();
    const plaintext = `vendo_sk_${nanoid(32)}`;
    expect(await code(callers.identify(plaintext, 'metered'))).toBe('app_unknown');
    await pool.query(
      "insert into registry.keys (id, tenant_id, scope, app_id, key_hash, prefix) values ($1, $2, 'app', $3, $4, 'p')",
      [randomUUID(), tenantId, appId, hashOf(plaintext)],
    );
    expect(await code(callers.identify(plaintext, 'metered'))).toBe('ok');
  });
});

describe('a change', () => {
  it('of a key holds within 1 s', async () => {
    const { key: own } = await household();
    await callers.identify(own.plaintext, 'metered');
    await revoke(own.id);
    await within1s(() => callers.identify(own.plaintext, 'metered'), 'app_revoked');
  });

  it('that began over 1 s before its commit is seen all the same', async () => {
    const { key: own } = await household();
    await callers.identify(own.plaintext, 'metered');
    const slow = await pool.connect();
    await slow.query('begin');
    await slow.query('update registry.keys set revoked_at = now() where id = $1', [own.id]);
    await clock.sleep(1_100);
    expect(await code(callers.identify(own.plaintext, 'metered'))).toBe('ok');
    await slow.query('commit');
    slow.release();
    await within1s(() => callers.identify(own.plaintext, 'metered'), 'app_revoked');
  });

  it('that is seen while its row is being read makes the read void, also where it cannot be repeated', async () => {
    const { key: own } = await household();
    source.afterKey = async () => {
      source.afterKey = async () => undefined;
      await revoke(own.id);
      await clock.sleep(600);
      source.cut = true;
    };
    expect(await code(callers.identify(own.plaintext, 'metered'))).toBe('billing_unavailable');
    source.cut = false;
    expect(await code(callers.identify(own.plaintext, 'metered'))).toBe('app_revoked');
  });

  it('evicts once, though every poll of the next 30 s finds it again', async () => {
    const { key: own } = await household();
    await clock.sleep(550);
    await callers.identify(own.plaintext, 'metered');
    await clock.sleep(600);
    await callers.identify(own.plaintext, 'metered');
    expect(source.reads).toBe(1);
  });

  it('that no poll has told is read after 60 s', async () => {
    const { key: own } = await household();
    await callers.identify(own.plaintext, 'metered');
    clock.offsetMs = 60_500;
    await clock.sleep(700);
    await callers.identify(own.plaintext, 'metered');
    expect(source.reads).toBe(2);
  });

  it('of prices makes a new book, and leaves the old one as it was', async () => {
    const old = callers.rates();
    await pool.query(`with counter as (update registry.rate_version set version = version + 1 returning version)
      insert into registry.margins (id, integration, margin_pct, effective_from, version)
      select gen_random_uuid(), 'openai', 7.5, now(), version from counter`);
    await within1s(async () => {
      if (callers.rates().version === old.version) throw { code: 'old' };
    }, 'ok');
    expect(callers.rates().version).toBe(old.version + 1);
  });
});

describe('the connection of a call', () => {
  it('is that of the oldest binding, or the bound one that is asked for', async () => {
    const { tenantId, appId, connectionId, key: own } = await household();
    const second = await connection(tenantId);
    await bind(tenantId, appId, second);
    const caller = await callers.identify(own.plaintext, 'metered');
    expect(await callers.connect(caller, 'openai', null, 'metered')).toMatchObject({ id: connectionId });
    expect(await callers.connect(caller, 'openai', second, 'metered')).toMatchObject({ id: second });
  });

  it('that is oldest and out of order fails the call, and never slides to the next', async () => {
    const wanted = [
      ['revoked', 'connection_revoked'],
      ['needs_reauth', 'connection_needs_reauth'],
      ['error', 'connection_needs_reauth'],
    ] as const;
    await Promise.all(
      wanted.map(async ([status, refusal]) => {
        const { tenantId, appId, connectionId, key: own } = await household();
        await bind(tenantId, appId, await connection(tenantId));
        const caller = await callers.identify(own.plaintext, 'metered');
        await callers.connect(caller, 'openai', null, 'metered');
        await setStatus(connectionId, status);
        await within1s(() => callers.connect(caller, 'openai', null, 'metered'), refusal);
      }),
    );
  });

  it('is the oldest that suits the call, passing over those that were revoked', async () => {
    const { tenantId, appId, connectionId, key: own } = await household();
    const [second, third] = [await connection(tenantId), await connection(tenantId)];
    await bind(tenantId, appId, second);
    await bind(tenantId, appId, third);
    const caller = await callers.identify(own.plaintext, 'metered');
    const connect = (wanted: readonly string[], requested: string | null = null) =>
      callers.connect(caller, 'openai', requested, 'metered', ({ id }) => wanted.includes(id));
    expect(await connect([second, third])).toMatchObject({ id: second });
    expect(await code(connect([]))).toBe('binding_missing');
    expect(await code(connect([second], third))).toBe('binding_missing');
    await setStatus(second, 'needs_reauth');
    await within1s(() => connect([second, third]), 'connection_needs_reauth');
    expect(await connect([third])).toMatchObject({ id: third });
    await setStatus(connectionId, 'revoked');
    await within1s(() => connect([]), 'connection_revoked');
    expect(await connect([connectionId, third])).toMatchObject({ id: third });
  });

  it('that is unbound, unknown, foreign or of another provider is the same missing binding', async () => {
    const [own, other] = [await household(), await household()];
    const unbound = await connection(own.tenantId);
    const caller = await callers.identify(own.key.plaintext, 'metered');
    const errors = await Promise.all(
      [unbound, other.connectionId, randomUUID(), "'; drop table x", ''].map((id) =>
        callers
          .connect(caller, 'openai', id, 'metered')
          .catch((thrown) => JSON.stringify([thrown.code, thrown.message])),
      ),
    );
    expect(new Set(errors).size).toBe(1);
    expect(errors[0]).toContain('binding_missing');
    expect(await code(callers.connect(caller, 'anthropic', null, 'metered'))).toBe('binding_missing');
  });

  it('bound a moment ago, or unbound, holds within 1 s', async () => {
    const { tenantId, appId, key: own } = await household();
    const caller = await callers.identify(own.plaintext, 'metered');
    expect(await code(callers.connect(caller, 'anthropic', null, 'metered'))).toBe('binding_missing');
    await bind(tenantId, appId, await connection(tenantId, 'anthropic'), 'anthropic');
    await within1s(() => callers.connect(caller, 'anthropic', null, 'metered'), 'ok');
    await pool.query(
      "update registry.bindings set deleted_at = now() where app_id = $1 and provider_slug = 'anthropic'",
      [appId],
    );
    await within1s(() => callers.connect(caller, 'anthropic', null, 'metered'), 'binding_missing');
  });

  it('of a connection key is its own, whatever is asked for, and for its provider only', async () => {
    const { tenantId, connectionId } = await household();
    const own = await key(tenantId, { connectionId });
    const caller = await callers.identify(own.plaintext, 'metered');
    expect(await callers.connect(caller, 'openai', randomUUID(), 'metered')).toMatchObject({
      id: connectionId,
    });
    expect(await code(callers.connect(caller, 'anthropic', null, 'metered'))).toBe('binding_missing');
  });
});

describe('without the database', () => {
  /** Nobody can connect any more, and whoever was connected is thrown out. */
  async function stopDatabase() {
    await onServer('allow_connections false');
    await onServer();
  }

  const startDatabase = () => onServer('allow_connections true');

  async function onServer(setting?: string) {
    const server = createPool(process.env.TEST_POSTGRES_URL ?? '', { app: 'callers spec server', max: 1 });
    const name = new URL(database.url).pathname.slice(1);
    if (setting) await server.query(`alter database ${name} ${setting}`);
    else
      await server.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [name]);
    await server.end();
  }

  it('metered calls are refused after 1 s, free ones go on for 10 minutes on what is cached', async () => {
    const { key: own } = await household();
    const stranger = await household();
    const ask = (freshness: 'metered' | 'free') => async () => {
      const caller = await callers.identify(own.plaintext, freshness);
      return callers.connect(caller, 'openai', null, freshness);
    };
    await ask('metered')();
    await stopDatabase();
    await clock.sleep(1_100);
    expect(await code(ask('metered')())).toBe('billing_unavailable');
    expect(await code(ask('free')())).toBe('ok');
    expect(await code(callers.identify(stranger.key.plaintext, 'free'))).toBe('billing_unavailable');
    clock.offsetMs = 590_000;
    expect(await code(ask('free')())).toBe('ok');
    clock.offsetMs = 600_000;
    expect(await code(ask('free')())).toBe('billing_unavailable');
    await startDatabase();
    await within1s(ask('metered'), 'ok');
  });

  it('a revocation that happened meanwhile holds as soon as it is back', async () => {
    const { key: own } = await household();
    await callers.identify(own.plaintext, 'metered');
    source.cut = true;
    await clock.sleep(300);
    await revoke(own.id);
    expect(await code(callers.identify(own.plaintext, 'free'))).toBe('ok');
    source.cut = false;
    await within1s(() => callers.identify(own.plaintext, 'free'), 'app_revoked');
  });

  it('entries are read per call while only the poll fails', async () => {
    const { key: own } = await household();
    await callers.identify(own.plaintext, 'metered');
    source.poll = async () => {
      throw new Error('no poll');
    };
    await clock.sleep(1_200);
    await revoke(own.id);
    expect(await code(callers.identify(own.plaintext, 'metered'))).toBe('app_revoked');
  });
});

describe('rate misses', () => {
  it('are counted per hour, tenant, provider, model and meter, across an outage', async () => {
    const tenantId = await tenant();
    const miss = { tenantId, provider: 'openai', model: 'new\0model' };
    callers.reportRateMiss({ ...miss, meter: null });
    callers.reportRateMiss({ ...miss, meter: null });
    source.addRateMisses = async () => {
      throw new Error('cut');
    };
    await clock.sleep(1_100);
    source.addRateMisses = PostgresRegistrySource.prototype.addRateMisses;
    callers.reportRateMiss({ ...miss, meter: 'output_tokens' });
    callers.reportRateMiss({ ...miss, meter: null });
    await callers.stop();
    const { rows } = await pool.query(
      "select model, meter, count::int, date_trunc('hour', hour) = hour as whole from registry.rate_misses where tenant_id = $1 order by meter",
      [tenantId],
    );
    expect(rows).toEqual([
      { model: 'newmodel', meter: '', count: 3, whole: true },
      { model: 'newmodel', meter: 'output_tokens', count: 1, whole: true },
    ]);
  });
});

it('has started when it knows the prices, not before', async () => {
  const late = new CutSource(pool);
  late.cut = true;
  const starting = new CachedCallers(late, clock, createLogger('spec', 'silent'));
  let started = false;
  const start = starting.start().then(() => {
    started = true;
  });
  await clock.sleep(600);
  expect(started).toBe(false);
  late.cut = false;
  await start;
  expect(starting.rates().version).toBeGreaterThanOrEqual(0);
  await starting.stop();
});
