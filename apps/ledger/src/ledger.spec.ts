import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { EventLog } from '@vendo/event-log';
import { encodeEvent, GATEWAY_TOPIC, NUMBER_HEADER, SPOOL_HEADER, shardOf } from '@vendo/events';
import { createPool, startApp } from '@vendo/runtime';
import { createTestDatabase, type TestDatabase } from '@vendo/testing';
import type pg from 'pg';
import { v4 as uuidv4, v7 as uuidv7 } from 'uuid';
import { audit } from './audit.js';
import { Ledger } from './ledger.js';
import { LedgerModule } from './ledger.module.js';
import { settled } from './writer/ledger-under-test.js';

const TOKEN = 'internal-token-of-the-spec';
let database: TestDatabase;
let pool: pg.Pool;
let app: NestFastifyApplication;
let url: string;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool(database.url, { app: 'spec' });
  app = await startLedger();
  url = await app.getUrl();
});

function startLedger(LEDGER_ADVERTISED_URL?: string): Promise<NestFastifyApplication> {
  return startApp({
    module: LedgerModule.from({
      DATABASE_URL: database.url,
      KAFKA_BROKERS: undefined,
      LEDGER_PORT: 0,
      LEDGER_HOST: '127.0.0.1',
      LEDGER_ADVERTISED_URL,
      VENDO_SPOOL_SILENCE_MS: 60_000,
      VENDO_INTERNAL_TOKEN: TOKEN,
      VENDO_LOG_LEVEL: 'silent',
    }),
    host: '127.0.0.1',
    port: 0,
  });
}

afterAll(async () => {
  await app.close();
  await pool.end();
  await database.drop();
});

// biome-ignore lint/suspicious/noExplicitAny: answers are asserted on, field by field
type Json = any;

async function call(
  method: string,
  path: string,
  body?: unknown,
  token = TOKEN,
  origin = url,
): Promise<{ status: number; body: Json }> {
  const response = await fetch(`${origin}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Json };
}

const spool = { id: uuidv7(), host: 'host-a' };
const tenant = uuidv4();
const subject = uuidv4();
const command = (amount: number, hold = uuidv7()) => ({
  hold_id: hold,
  tenant_id: tenant,
  subject,
  amount_micros: amount,
  rate_version: 3,
});

describe('the ledger over HTTP', () => {
  it.each([
    ['POST', '/internal/reserve'],
    ['POST', '/internal/beat'],
    ['POST', '/internal/credits'],
    ['PUT', '/internal/caps'],
    ['POST', '/internal/spools/adopt'],
    ['POST', '/internal/spools/write-off'],
    ['POST', '/internal/parked/ledger-1/replay'],
    ['POST', '/internal/jobs/lease'],
    ['GET', `/internal/tenants/${tenant}/holds`],
    ['GET', '/internal/spools'],
    ['GET', '/internal/parked'],
  ])('%s %s asks for the internal token', async (method, path) => {
    const answer = await call(
      method,
      path,
      method === 'GET' ? undefined : {},
      'a wrong token of some length',
    );
    expect(answer).toMatchObject({ status: 401, body: { error: { code: 'unauthorized' } } });
  });

  it('names the field that is wrong', async () => {
    const answer = await call('POST', '/internal/reserve', {
      spool,
      commands: [{ ...command(1), extra: 1 }],
    });
    expect(answer.status).toBe(400);
    expect(answer.body.error).toMatchObject({ code: 'invalid_request' });
    expect(answer.body.error.message).toContain('commands.0');
  });

  it('grants, caps, reserves, settles from the log, and lists what is open', async () => {
    const credit = {
      tenant_id: tenant,
      amount_micros: 1_000,
      source: 'grant',
      note: null,
      idempotency_key: 'k1',
    };
    const granted = await call('POST', '/internal/credits', credit);
    expect(granted).toMatchObject({
      status: 201,
      body: { amount_micros: 1_000, balance_micros: 1_000, seq: 1 },
    });
    expect(await call('POST', '/internal/credits', credit)).toEqual(granted);
    expect(await call('POST', '/internal/credits', { ...credit, amount_micros: 5 })).toMatchObject({
      status: 409,
      body: { error: { code: 'idempotency_conflict' } },
    });
    const caps = { tenant_id: tenant, subject, daily_micros: 700 };
    expect(await call('PUT', '/internal/caps', caps)).toEqual({
      status: 200,
      body: { daily_micros: 700, monthly_micros: null },
    });

    const commands = [command(400), command(400), command(300)];
    const { status, body } = await call('POST', '/internal/reserve', { spool, commands });
    expect(status).toBe(200);
    expect(body.answers).toMatchObject([
      { status: 'open', hold_id: commands[0]?.hold_id, rate_version: 3 },
      { status: 'refused', code: 'spend_cap_daily' },
      { status: 'open' },
    ]);
    expect(body.answers[1].retry_after).toBeGreaterThanOrEqual(1);
    expect(body.answers[1].retry_after).toBeLessThanOrEqual(86_400);

    const partition = shardOf(tenant);
    const extensions = { [SPOOL_HEADER]: spool.id, [NUMBER_HEADER]: '1' };
    const end = encodeEvent(settled(tenant, commands[0]?.hold_id ?? '', 250n), '/gateway', extensions);
    await app.get(EventLog).append(GATEWAY_TOPIC, partition, [end]);
    await until(async () => (await beat()).marks[spool.id]?.[String(partition)] === 1);
    expect((await beat()).consumed[String(partition)]).toBe(2);

    const { body: open } = await call('GET', `/internal/tenants/${tenant}/holds`);
    expect(open.holds).toMatchObject([
      { hold_id: commands[2]?.hold_id, amount_micros: 300, spool_id: spool.id },
    ]);
    expect(await audit(pool)).toMatchObject({ ok: true, balanceMicros: '750', heldMicros: '300' });
  });

  it('lists spools with what they hold, and nothing parked', async () => {
    await until(async () => (await call('GET', '/internal/spools')).body.spools.length === 1);
    const { body } = await call('GET', '/internal/spools');
    expect(body.spools).toMatchObject([
      {
        id: spool.id,
        host: 'host-a',
        owner: null,
        open_holds: 1,
        expired_holds: 0,
        expired_micros: 0,
        written_off_at: null,
        written_off_note: null,
      },
    ]);
    expect(await call('GET', '/internal/parked')).toEqual({ status: 200, body: { parked: [] } });
  });

  it('hands a spool to its adopter, and tells its writer', async () => {
    const written = { id: uuidv7(), host: 'host-b' };
    const asked = { spool: written, adopter: spool, expected_owner: null, proof: 'process_gone' };
    const taken = { status: 200, body: { adopted: true, owner: spool.id } };
    expect(await call('POST', '/internal/spools/adopt', asked)).toEqual(taken);
    const other = { ...asked, adopter: { id: uuidv7(), host: 'host-c' } };
    expect(await call('POST', '/internal/spools/adopt', other)).toMatchObject({
      status: 200,
      body: { adopted: false, owner: spool.id },
    });
    expect(await call('POST', '/internal/spools/adopt', { ...asked, adopter: written })).toMatchObject({
      status: 400,
      body: { error: { code: 'invalid_request', message: expect.stringContaining('adopter') } },
    });
    const beaten = await call('POST', '/internal/beat', { spool: written, ask: [] });
    expect(beaten).toMatchObject({ status: 200, body: { adopted: true } });
    expect((await beat()).adopted).toBe(false);
  });

  it('refuses to write off a spool that beats, and to replay what is not parked', async () => {
    const writeOff = { spool_id: spool.id, note: 'gone' };
    expect(await call('POST', '/internal/spools/write-off', writeOff)).toMatchObject({
      status: 409,
      body: { error: { code: 'spool_in_use' } },
    });
    expect(await call('POST', '/internal/parked/ledger-7/replay', {})).toMatchObject({
      status: 404,
      body: { error: { code: 'not_found' } },
    });
  });

  it('leases what jobs are due, of which there are none, and no more than a hundred at once', async () => {
    expect(await call('POST', '/internal/jobs/lease', { limit: 100 })).toEqual({
      status: 200,
      body: { jobs: [] },
    });
    expect(await call('POST', '/internal/jobs/lease', { limit: 101 })).toMatchObject({ status: 400 });
  });

  it('is healthy and counts', async () => {
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    const text = await (await fetch(`${url}/metrics`)).text();
    expect(text).toMatch(/ledger_reserves_total\{result="spend_cap_daily".*\} 1/);
    expect(text).toMatch(/ledger_open_holds.* 1/);
  });
});

describe('two ledgers over HTTP', () => {
  const advertised = 'http://other.ledger.example:8090';
  let other: NestFastifyApplication;
  let otherUrl: string;

  beforeAll(async () => {
    other = await startLedger(advertised);
    otherUrl = await other.getUrl();
    await until(async () => (await owned(url)).length === 8);
    await until(async () => (await owned(otherUrl)).length === 8);
  });

  afterAll(() => other.close());

  it('say who owns what, under the advertised url or the one that they listen on', async () => {
    await until(async () => {
      const own = (await owned(url)).map((shard) => [shard, url]);
      const others = (await owned(otherUrl)).map((shard) => [shard, advertised]);
      const owners = Object.fromEntries([...own, ...others]);
      const told = [(await beat(url)).owners, (await beat(otherUrl)).owners];
      // Keys that are numbers come in their order.
      return JSON.stringify(told) === JSON.stringify([owners, owners]) && Object.keys(owners).length === 16;
    });
  });

  it('answer a command of the other’s tenant with its owner, and the rest of the batch', async () => {
    const consumed = await owned(url);
    const tenantOf = (own: boolean): string => {
      for (;;) {
        const id = uuidv4();
        if (consumed.includes(String(shardOf(id))) === own) return id;
      }
    };
    const [mine, theirs] = [tenantOf(true), tenantOf(false)];
    const credit = { amount_micros: 1_000, source: 'grant', note: null, idempotency_key: 'k1' };
    expect(await call('POST', '/internal/credits', { ...credit, tenant_id: mine })).toMatchObject({
      status: 201,
    });
    const wrongOwner = {
      status: 421,
      body: {
        error: { code: 'wrong_owner', message: 'Another ledger owns this tenant.', owner: advertised },
      },
    };
    expect(await call('POST', '/internal/credits', { ...credit, tenant_id: theirs })).toEqual(wrongOwner);
    const caps = { tenant_id: theirs, subject, daily_micros: 1 };
    expect(await call('PUT', '/internal/caps', caps)).toEqual(wrongOwner);
    expect(await call('PUT', '/internal/caps', caps, TOKEN, otherUrl)).toMatchObject({ status: 200 });

    const commands = [mine, theirs, mine].map((tenant_id) => ({ ...command(10), tenant_id }));
    const { body } = await call('POST', '/internal/reserve', { spool, commands });
    expect(body.answers).toMatchObject([
      { status: 'open' },
      { status: 'moved', hold_id: commands[1]?.hold_id, owner: advertised },
      { status: 'open' },
    ]);
  });

  it('are healthy, count what they own, and hand everything over when one ends', async () => {
    const metric = async (origin: string) => (await fetch(`${origin}/metrics`)).text();
    for (const origin of [url, otherUrl]) {
      expect((await fetch(`${origin}/healthz`)).status).toBe(200);
      expect(await metric(origin)).toMatch(/ledger_owned_shards.* 8\n/);
    }
    expect(await metric(otherUrl)).toMatch(/ledger_takeovers_total\{how="free".*\} 8\n/);
    await other.get(Ledger).quiesce();
    await until(async () => (await owned(url)).length === 16);
    expect(await metric(url)).toMatch(/ledger_fenced_total.* 0\n/);
    expect(await audit(pool)).toMatchObject({ ok: true });
  });
});

/** The shards that a ledger speaks for. */
async function owned(origin: string): Promise<string[]> {
  return Object.keys((await beat(origin)).consumed ?? {});
}

async function beat(origin = url) {
  return (await call('POST', '/internal/beat', { spool, ask: [] }, TOKEN, origin)).body;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 200; turn++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error('it did not become so in 5 s');
}
