import { describe, expect, it } from '@jest/globals';
import { APPS, type AppName, environmentOf, type Instance, type Wiring } from './settings.js';

const PORTS = { gateway: 8080, projector: 8091, ledger: 8090, sandbox: 8092 };

function first(app: AppName): Instance {
  return { app, name: app, port: PORTS[app], dataFolder: '/data' };
}

const WIRING: Wiring = {
  databaseUrl: 'postgres://vendo@127.0.0.1:5555/vendo',
  kafkaBrokers: undefined,
  instances: APPS.map(first),
  secrets: { adminToken: 'the-admin-token', internalToken: 'the-internal-token', encryptionKey: 'the-key' },
  compileCache: '/compiled',
};

describe('environmentOf', () => {
  it.each(APPS)('keeps the rest of the shell from the %s', (app) => {
    const shell = {
      PATH: '/bin',
      AWS_SECRET_ACCESS_KEY: 'x',
      OPENAI_API_KEY: 'sk-real',
      NODE_OPTIONS: '--inspect',
    };
    const environment = environmentOf(first(app), shell, WIRING);
    expect(environment.PATH).toBe('/bin');
    expect(Object.keys(environment)).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/AWS|^OPENAI|NODE_OPTIONS/)]),
    );
  });

  it.each([
    ['gateway', ['adminToken', 'internalToken', 'encryptionKey']],
    ['ledger', ['internalToken']],
    ['projector', []],
    ['sandbox', []],
  ] as const)('gives the %s the secrets that it needs: %j', (app, names) => {
    const values = Object.values(environmentOf(first(app), {}, WIRING));
    const known = Object.entries(WIRING.secrets).filter(([, secret]) => values.includes(secret));
    expect(known.map(([name]) => name)).toEqual(names);
  });

  it('gives pool keys and upstreams to the gateway alone', () => {
    const shell = { POOL_OPENAI_API_KEY: 'sk-pool', UPSTREAM_OPENAI_URL: 'http://127.0.0.1:1' };
    expect(environmentOf(first('gateway'), shell, WIRING)).toMatchObject(shell);
    for (const app of ['ledger', 'projector', 'sandbox'] as const)
      expect(environmentOf(first(app), shell, WIRING)).not.toHaveProperty('POOL_OPENAI_API_KEY');
  });

  it('lets no variable of the shell replace the wiring', () =>
    expect(
      environmentOf(
        first('gateway'),
        { DATABASE_URL: 'postgres://elsewhere/x', LEDGER_URL: 'http://evil' },
        WIRING,
      ),
    ).toMatchObject({ DATABASE_URL: WIRING.databaseUrl, LEDGER_URL: 'http://127.0.0.1:8090' }));

  it('gives a gateway the addresses of all ledgers, and each process its own port and folder', () => {
    const second: Instance = { app: 'gateway', name: 'gateway-2', port: 8180, dataFolder: '/data/gateway-2' };
    const instances = [
      ...WIRING.instances,
      second,
      { ...first('ledger'), name: 'ledger-2' as const, port: 8190 },
    ];
    expect(environmentOf(second, {}, { ...WIRING, instances })).toMatchObject({
      GATEWAY_PORT: '8180',
      VENDO_DATA_DIR: '/data/gateway-2',
      LEDGER_URL: 'http://127.0.0.1:8090,http://127.0.0.1:8190',
    });
  });

  it('names a Kafka only where there is one', () => {
    expect(environmentOf(first('ledger'), {}, WIRING)).not.toHaveProperty('KAFKA_BROKERS');
    expect(environmentOf(first('ledger'), {}, { ...WIRING, kafkaBrokers: '127.0.0.1:9092' })).toHaveProperty(
      'KAFKA_BROKERS',
      '127.0.0.1:9092',
    );
  });
});
