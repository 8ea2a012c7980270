import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect } from '@jest/globals';
import type { DynamicModule } from '@nestjs/common';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { VendoError, VendoErrorFilter } from '@vendo/errors';
import {
  type Caps,
  type GrantCredit,
  LedgerClient,
  type OpenHold,
  type OverdueJob,
  type ParkedRecord,
  type SetCaps,
  type SpoolState,
  type WriteOff,
} from '@vendo/ledger-api';
import { migrateReadModels, ReadModelsModule } from '@vendo/read-models';
import { RegistryModule } from '@vendo/registry';
import { createPool, RuntimeModule } from '@vendo/runtime';
import { createTestDatabase, type TestDatabase } from '@vendo/testing';
import type pg from 'pg';
import { CredentialVault } from '../credentials/credential-vault.js';
import { conformity } from '../openapi/conforms.contract.js';
import { OpenApiModule } from '../openapi/openapi.module.js';
import { OperatorModule } from './operator.module.js';

export const ADMIN = 'the-admin-token-of-this-spec';
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
export const PLAINTEXT = /^vendo_sk_[A-Za-z0-9_-]{32}$/;
export const uuid: unknown = expect.stringMatching(UUID_V7);

const AT = '2026-01-02T03:04:05.678Z';

/** What the ledger says of every tenant: one hold, named as the tenant. */
export const openHold = (tenantId: string): OpenHold => ({
  hold_id: tenantId,
  subject: tenantId,
  amount_micros: 5,
  windows: { daily: '2026-01-02', monthly: '2026-01' },
  spool_id: tenantId,
  rate_version: 1,
  reserved_at: AT,
});

export const SPOOL: SpoolState = {
  id: '019b0000-0000-7000-8000-000000000001',
  host: 'gateway',
  beat_at: AT,
  owner: null,
  open_holds: 0,
  expired_holds: 0,
  expired_micros: 0,
  written_off_at: null,
  written_off_note: null,
};

export const OVERDUE: OverdueJob = {
  hold_id: '019b0000-0000-7000-8000-000000000002',
  tenant_id: '019b0000-0000-7000-8000-000000000003',
  provider: 'assemblyai',
  model: 'best',
  upstream_id: 'tr-1',
  hold_micros: 200_000,
  started_at: AT,
  expired_at: '2026-01-03T03:04:05.678Z',
  abandoned_at: null,
};

export const PARKED: ParkedRecord = {
  id: 'ledger-1',
  topic: 'gateway.events',
  partition: 0,
  offset: '5',
  tenant_id: null,
  hold_id: null,
  reason: 'bad',
  parked_at: AT,
};

/** The ledger's side of the operator's commands; it remembers keys and caps, and can be told to be away. */
export class LedgerFake {
  caps = new Map<string, Caps>();
  credits = new Map<
    string,
    { body: string; entry: { id: string; amount_micros: number; balance_micros: number; seq: number } }
  >();
  /** By id, how each is doing; any other one is silent. */
  spoolsToWriteOff = new Map<string, 'silent' | 'beating' | 'unknown'>();
  replayed: string[] = [];
  /** Why the next replay fails. */
  unreadable: string | null = null;
  away = false;

  async grantCredit(credit: GrantCredit) {
    this.answer();
    const key = `${credit.tenant_id} ${credit.idempotency_key}`;
    const body = JSON.stringify(credit);
    const known = this.credits.get(key);
    if (known && known.body !== body) throw new VendoError('idempotency_conflict');
    const { amount_micros } = credit;
    const entry = known?.entry ?? { id: randomUUID(), amount_micros, balance_micros: amount_micros, seq: 1 };
    this.credits.set(key, { body, entry });
    return entry;
  }

  async setCaps({ subject, daily_micros, monthly_micros }: SetCaps): Promise<Caps> {
    this.answer();
    const before = this.caps.get(subject) ?? { daily_micros: null, monthly_micros: null };
    const after = {
      daily_micros: daily_micros === undefined ? before.daily_micros : daily_micros,
      monthly_micros: monthly_micros === undefined ? before.monthly_micros : monthly_micros,
    };
    this.caps.set(subject, after);
    return after;
  }

  async openHolds(tenantId: string) {
    return [openHold(tenantId)];
  }

  async spools() {
    return [SPOOL];
  }

  async parked() {
    return [PARKED];
  }

  async overdueJobs() {
    return [OVERDUE];
  }

  async writeOff({ spool_id, note }: WriteOff): Promise<SpoolState> {
    this.answer();
    const how = this.spoolsToWriteOff.get(spool_id);
    if (how === 'unknown') throw new VendoError('not_found');
    if (how === 'beating') throw new VendoError('spool_in_use');
    return {
      ...SPOOL,
      id: spool_id,
      expired_micros: 100,
      written_off_at: '2026-01-01T00:00:00.000Z',
      written_off_note: note,
    };
  }

  async replay(id: string) {
    this.answer();
    if (this.unreadable !== null) throw new VendoError('still_parked', this.unreadable);
    this.replayed.push(id);
  }

  private answer(): void {
    if (this.away) throw new VendoError('billing_unavailable');
  }
}

/** Not a cipher; enough to see that what is stored is what the vault made of it. */
const vault = { seal: (secret: string) => Buffer.from([...secret].reverse().join('')) };

export function portFakes(ledger: LedgerFake): DynamicModule {
  const providers = [
    { provide: LedgerClient, useValue: ledger },
    { provide: CredentialVault, useValue: vault },
  ];
  return { module: class PortFakes {}, providers, exports: providers };
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
type Row = Record<string, unknown>;

/** The operator API on a real registry and real read models, behind fakes of the ledger and the vault; opened before a file's specs, closed after them. */
export function operatorStand() {
  const ledger = new LedgerFake();
  let database: TestDatabase;
  let pool: pg.Pool;
  let app: NestFastifyApplication;
  let conforms: ReturnType<typeof conformity>;
  let unexpected: unknown[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    pool = createPool(database.url, { app: 'operator spec' });
    await migrateReadModels(pool);
    const imports = [
      RegistryModule.from({ databaseUrl: database.url }),
      ReadModelsModule.from({ databaseUrl: database.url }),
      portFakes(ledger),
    ];
    const module = await Test.createTestingModule({
      imports: [
        RuntimeModule.forApp('spec', 'silent'),
        OperatorModule.from({ adminToken: ADMIN, providers: ['openai', 'anthropic', 'composio'] }, imports),
        OpenApiModule,
      ],
    }).compile();
    app = module.createNestApplication<NestFastifyApplication>(new FastifyAdapter());
    app.useGlobalFilters(new VendoErrorFilter((thrown) => unexpected.push(thrown)));
    await app.init();
    await app.getHttpAdapter().getInstance().ready();
    conforms = conformity(app);
  }, 20_000);

  afterAll(async () => {
    await app?.close();
    await pool?.end();
    await database?.drop();
  });

  beforeEach(() => {
    unexpected = [];
    ledger.away = false;
  });

  async function call(
    method: Method,
    path: string,
    payload?: object | null,
    headers: Record<string, string> = {},
  ) {
    const json = payload === undefined ? {} : { 'content-type': 'application/json' };
    const answer = await app.inject({
      method,
      url: `/api/admin${path}`,
      headers: { authorization: `Bearer ${ADMIN}`, ...json, ...headers },
      ...(payload === undefined ? {} : { payload: JSON.stringify(payload) }),
    });
    expect(unexpected).toEqual([]);
    const body = answer.body ? (JSON.parse(answer.body) as unknown) : null;
    conforms(method, `/api/admin${path}`, answer.statusCode, body);
    return { status: answer.statusCode, body };
  }

  /** The id of what a call has just made. */
  async function made(path: string, payload: object, what: string): Promise<string> {
    const { status, body } = await call('POST', path, payload);
    expect(status).toBe(201);
    return (body as Record<string, { id: string }>)[what]?.id ?? '';
  }

  async function rows(sql: string, parameters: unknown[] = []): Promise<Row[]> {
    return (await pool.query<Row>(sql, parameters)).rows;
  }

  return {
    ledger,
    vault,
    call,
    rows,
    newTenant: () => made('/tenants', { name: 'Acme' }, 'tenant'),
    newApp: (tenant: string) => made(`/tenants/${tenant}/apps`, { display_name: 'Bot' }, 'app'),
    newConnection: (tenant: string, provider = 'openai') =>
      made(
        `/tenants/${tenant}/connections`,
        { provider, profile: 'byok_static', credential: 'sk-real' },
        'connection',
      ),
    /** What the audit says about a subject, oldest first. */
    audit: (subject: string) =>
      rows('select action, before, after from registry.audit where subject = $1 order by id', [subject]),
    /** For what reaches the database past the API. */
    async withClient(work: (client: pg.PoolClient) => Promise<unknown>): Promise<void> {
      const client = await pool.connect();
      try {
        await work(client);
      } finally {
        client.release();
      }
    },
  };
}

/** An answer that is an error of this status and code. */
export const refused = (status: number, code: string, message: unknown = expect.any(String)) => ({
  status,
  body: { error: { code, message } },
});
