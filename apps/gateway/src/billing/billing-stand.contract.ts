import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach } from '@jest/globals';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { VendoError, VendoErrorFilter } from '@vendo/errors';
import { migrateReadModels, ReadModelsModule, storeBalances } from '@vendo/read-models';
import { RegistryModule } from '@vendo/registry';
import { createPool, RuntimeModule } from '@vendo/runtime';
import { createTestDatabase, type TestDatabase } from '@vendo/testing';
import type pg from 'pg';
import { type Caller, Callers } from '../callers/callers.js';
import { Identities, type Identity } from '../identities/identities.js';
import { conformity } from '../openapi/conforms.contract.js';
import { OpenApiModule } from '../openapi/openapi.module.js';
import { OperatorModule } from '../operator/operator.module.js';
import { LedgerFake, portFakes } from '../operator/operator-stand.contract.js';
import { BillingModule } from './billing.module.js';

export const TENANT = randomUUID();
export const APP_KEY = 'vendo_sk_app';
export const CONNECTION_KEY = 'vendo_sk_connection';
const APP_ID = randomUUID();
export const APP: Caller = {
  keyId: randomUUID(),
  tenantId: TENANT,
  appId: APP_ID,
  connectionId: null,
  capSubject: APP_ID,
};
export const CONNECTION: Caller = { ...APP, keyId: randomUUID(), appId: null, connectionId: randomUUID() };
const KEYS: Record<string, Caller | VendoError> = {
  [APP_KEY]: APP,
  [CONNECTION_KEY]: CONNECTION,
  vendo_sk_revoked: new VendoError('app_revoked'),
  vendo_sk_expired: new VendoError('app_expired'),
  vendo_sk_outage: new VendoError('billing_unavailable'),
};

const callers: Pick<Callers, 'identify'> = {
  async identify(key) {
    const known = KEYS[key] ?? new VendoError('app_unknown');
    if (known instanceof VendoError) throw known;
    return known;
  },
};

class CallersFake {
  static module = {
    module: CallersFake,
    providers: [{ provide: Callers, useValue: callers }],
    exports: [Callers],
  };
}

/** Tokens that are good, and whose they are. */
const USERS: Record<string, Identity> = {
  'alice.good.token': { subject: 'alice', email: 'alice@example.com' },
  'bob.good.token': { subject: 'bob', email: null },
};

class IdentitiesFake extends Identities {
  static module = {
    module: IdentitiesFake,
    providers: [{ provide: Identities, useClass: IdentitiesFake }],
    exports: [Identities],
  };

  async identify(token: string): Promise<Identity> {
    const user = USERS[token];
    if (!user) throw new VendoError(token === 'the.keys.away' ? 'billing_unavailable' : 'app_unknown');
    return user;
  }
}

/** The billing API on real read models and a real registry, behind fakes of callers, identities, ledger and vault; opened before a file's specs, closed after them. */
export function billingStand() {
  const ledger = new LedgerFake();
  const registered: string[] = [];
  let database: TestDatabase;
  let pool: pg.Pool;
  let app: NestFastifyApplication;
  let conforms: ReturnType<typeof conformity>;
  /** Another one for each test, so that none is refused for the requests of the others. */
  let remoteAddress: string;
  let addresses = 0;

  beforeAll(async () => {
    database = await createTestDatabase();
    pool = createPool(database.url, { app: 'billing spec', settings: { search_path: 'read' } });
    await migrateReadModels(pool);
    const readModels = ReadModelsModule.from({ databaseUrl: database.url });
    const operator = OperatorModule.from({ adminToken: 'an admin token', providers: ['openai'] }, [
      RegistryModule.from({ databaseUrl: database.url }),
      readModels,
      portFakes(ledger),
    ]);
    const module = await Test.createTestingModule({
      imports: [
        RuntimeModule.forApp('spec', 'silent'),
        BillingModule.from(
          {
            publicUrl: 'https://vendo.run',
            domain: 'gateway.example',
            requestsPerMinute: { balance: 60, cli: 30 },
          },
          [CallersFake.module, IdentitiesFake.module, readModels, operator],
        ),
        OpenApiModule,
      ],
    }).compile();
    const adapter = new FastifyAdapter();
    adapter.getInstance().addHook('onRoute', ({ method, url }) => {
      for (const each of [method].flat()) registered.push(`${each.toLowerCase()} ${url}`);
    });
    app = module.createNestApplication<NestFastifyApplication>(adapter);
    app.useGlobalFilters(new VendoErrorFilter(() => undefined));
    await app.init();
    await app.getHttpAdapter().getInstance().ready();
    conforms = conformity(app);
  }, 60_000);

  afterAll(async () => {
    await app?.close();
    await pool?.end();
    await database?.drop();
  });

  beforeEach(async () => {
    addresses += 1;
    remoteAddress = `10.0.0.${addresses}`;
    ledger.away = false;
    await pool.query(
      'truncate read.usage_events, read.usage_hourly, read.usage_calls_hourly, read.wallet_balances, read.spend_windows',
    );
  });

  async function get(path: string, headers: Record<string, string> = { authorization: `Bearer ${APP_KEY}` }) {
    return request('GET', path, headers);
  }

  async function request(
    method: 'GET' | 'PUT' | 'OPTIONS',
    path: string,
    headers: Record<string, string>,
    payload?: object | string,
  ) {
    const answer = await app.inject({
      method,
      url: path,
      headers,
      remoteAddress,
      ...(payload ? { payload } : {}),
    });
    const body = answer.body === '' ? null : (JSON.parse(answer.body) as unknown);
    conforms(method, path, answer.statusCode, body);
    return { status: answer.statusCode, headers: answer.headers, body, text: answer.body };
  }

  async function wallet(balance_micros: number, held_micros: number): Promise<void> {
    const row = { tenant_id: TENANT, shard: 1, balance_micros, held_micros, seq: '7', position: '9' };
    await withClient((client) => storeBalances(client, [{ ...row, at: new Date().toISOString() }]));
  }

  async function withClient(work: (client: pg.PoolClient) => Promise<void>): Promise<void> {
    const client = await pool.connect();
    try {
      await work(client);
    } finally {
      client.release();
    }
  }

  return {
    ledger,
    /** Every route that Fastify was given: method and path, with `:name` for its parameters. */
    registered,
    get,
    /** Past the check that what is answered is documented. */
    inject: (url: string) => app.inject({ url, remoteAddress }),
    request,
    wallet,
    withClient,
    /** For what reaches the database past the API. */
    query: async (sql: string, values: unknown[] = []) =>
      (await pool.query<Record<string, unknown>>(sql, values)).rows,
    /** From another client address than any request before. */
    moveOn: (): void => {
      addresses += 1;
      remoteAddress = `10.0.0.${addresses}`;
    },
  };
}
