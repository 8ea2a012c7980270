import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';

const ROOT = path.join(import.meta.dirname, '..', '..');
const COMPOSE_TEXT = readFileSync(path.join(ROOT, 'docker-compose.yml'), 'utf8');
const DOCKERFILE = readFileSync(path.join(ROOT, 'Dockerfile'), 'utf8');

interface Service {
  image?: string;
  build?: string;
  command?: string[];
  environment: Record<string, string | number>;
  ports?: string[];
  volumes?: string[];
  healthcheck?: { test: string[] };
  depends_on?: Record<string, { condition: string }>;
  read_only?: boolean;
  cap_drop?: string[];
  security_opt?: string[];
  logging?: { driver: string };
  user?: string;
  stop_grace_period?: string;
}
const { services, volumes } = parse(COMPOSE_TEXT, { merge: true }) as {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
};
const SERVICES = Object.entries(services);
const IMAGE = 'vendo-gateway:local';
const APPS = SERVICES.filter(([, { image }]) => image === IMAGE);

function service(name: string): Service {
  const found = services[name];
  if (!found) throw new Error(`docker-compose.yml has no service ${name}`);
  return found;
}

/** The names in the schema of an app's environment. */
function settingsOf(app: string): string[] {
  const source = readFileSync(path.join(ROOT, 'apps', app, 'src', 'config.ts'), 'utf8');
  return [...source.matchAll(/^ {2}([A-Z][A-Z\d_]+):/gm)].map(([, name = '']) => name);
}

describe('docker-compose.yml', () => {
  it('runs two gateways, two ledgers, a projector, a sandbox, Postgres and Kafka', () =>
    expect(Object.keys(services).sort()).toEqual([
      'gateway-1',
      'gateway-2',
      'kafka',
      'ledger-1',
      'ledger-2',
      'postgres',
      'projector',
      'sandbox',
    ]));

  it('publishes the two gateways and nothing else', () => {
    const published = SERVICES.filter(([, { ports }]) => ports);
    expect(
      published.map(([name, { ports }]) => [name, ports?.map((port) => port.split(':').at(-1))]),
    ).toEqual([
      ['gateway-1', ['8080']],
      ['gateway-2', ['8080']],
    ]);
  });

  it.each(SERVICES)('%s has a health check', (_, { healthcheck }) =>
    expect(healthcheck?.test[0]).toMatch(/^CMD/),
  );

  it.each([
    ['gateway-1', 'GATEWAY_PORT'],
    ['gateway-2', 'GATEWAY_PORT'],
    ['ledger-1', 'LEDGER_PORT'],
    ['ledger-2', 'LEDGER_PORT'],
    ['projector', 'PROJECTOR_PORT'],
    ['sandbox', 'SANDBOX_PORT'],
  ])('the health check of %s asks the port that %s names', (name, variable) => {
    const { healthcheck, environment } = service(name);
    expect(healthcheck?.test.join(' ')).toContain(`http://127.0.0.1:${environment[variable]}/healthz`);
    expect(environment[variable.replace('PORT', 'HOST')]).toBe('0.0.0.0');
  });

  it('tells the gateways of both ledgers, each under the address that it advertises', () => {
    const ledgers = ['ledger-1', 'ledger-2'].map((name) => [name, service(name).environment] as const);
    const advertised = ledgers.map(([, environment]) => environment.LEDGER_ADVERTISED_URL);
    expect(advertised).toEqual(
      ledgers.map(([name, environment]) => `http://${name}:${environment.LEDGER_PORT}`),
    );
    for (const gateway of ['gateway-1', 'gateway-2'])
      expect(service(gateway).environment.LEDGER_URL).toBe(advertised.join(','));
  });

  it('names the port of the sandbox as the gateways know it', () => {
    const { environment } = service('gateway-1');
    expect(environment.VENDO_SANDBOX_URL).toBe(
      `http://sandbox:${service('sandbox').environment.SANDBOX_PORT}`,
    );
  });

  it.each(SERVICES.filter(([, { depends_on }]) => depends_on))(
    '%s waits until what it needs is healthy',
    (_, { depends_on = {} }) => {
      for (const { condition } of Object.values(depends_on)) expect(condition).toBe('service_healthy');
      expect(Object.keys(depends_on).filter((name) => !services[name])).toEqual([]);
    },
  );

  it('takes every secret from the environment and has no default for one', () => {
    const secrets = SERVICES.flatMap(([name, { environment }]) =>
      Object.entries(environment)
        .filter(([variable]) => /TOKEN|PASSWORD|ENCRYPTION_KEY|DATABASE_URL/.test(variable))
        .map(([variable, value]) => [`${name} ${variable}`, String(value)] as const),
    );
    expect(secrets.length).toBeGreaterThan(6);
    expect(secrets.filter(([, value]) => !/\$\{\w+:\?[^}]*\}/.test(value))).toEqual([]);
  });

  it.each(['gateway', 'ledger', 'projector', 'sandbox'])('lets every setting of the %s be set', (app) => {
    const read = settingsOf(app);
    expect(read).toContain('VENDO_LOG_LEVEL');
    const [, { environment } = service('nobody')] =
      APPS.find(([, { command = [] }]) => command.at(-1)?.endsWith(`dist/${app}.js`)) ?? [];
    expect(read.filter((variable) => !Object.hasOwn(environment, variable))).toEqual([]);
  });

  it('spends no real money unless a key of the pool is set', () => {
    const { environment } = service('gateway-1');
    const pool = Object.entries(environment).filter(([variable]) => /^(POOL|UPSTREAM)_/.test(variable));
    for (const [variable, value] of pool) expect(value).toBe(`\${${variable}:-}`);
  });

  it('gives each gateway a spool of its own on a named volume, and time to empty it', () => {
    const [first, second] = [service('gateway-1'), service('gateway-2')];
    expect(first.volumes).toEqual(['gateway-1-data:/data']);
    expect(second.volumes).toEqual(['gateway-2-data:/data']);
    expect(first.environment.VENDO_DATA_DIR).toBe('/data');
    expect([first.stop_grace_period, second.stop_grace_period]).toEqual(['40s', '40s']);
  });

  it('declares every volume that it mounts', () =>
    expect(
      SERVICES.flatMap(([, { volumes: mounts = [] }]) => mounts.map((mount) => mount.split(':')[0])).sort(),
    ).toEqual(Object.keys(volumes).sort()));

  it.each(SERVICES)(
    '%s has no capability, gains no rights and keeps a bounded log',
    (_, { cap_drop, security_opt, logging }) => {
      expect({ cap_drop, security_opt, logging }).toEqual({
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
        logging: { driver: 'local' },
      });
    },
  );

  it('builds the one image of all apps once', () =>
    expect(SERVICES.filter(([, { build }]) => build).map(([name, { image }]) => [name, image])).toEqual([
      ['gateway-1', IMAGE],
    ]));

  it.each(APPS)(
    '%s runs an app of the image on a read-only file system',
    (_, { read_only, command = [] }) => {
      expect(read_only).toBe(true);
      expect(command.at(-1)).toMatch(/^dist\/(gateway|ledger|projector|sandbox)\.js$/);
    },
  );
});

describe('Dockerfile', () => {
  it('starts every stage from the same slim Node 24', () =>
    expect([...DOCKERFILE.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image)).toEqual([
      'node:24-slim',
      'node:24-slim',
      'node:24-slim',
    ]));

  it('installs from the lock, without what only developers need', () => {
    expect(DOCKERFILE).toContain('npm ci --omit=dev --omit=optional');
    expect(DOCKERFILE).not.toMatch(/npm (i|install)\b/);
  });

  it('runs as a user without rights', () => expect(DOCKERFILE.split('FROM').at(-1)).toMatch(/^USER node$/m));

  it('needs no frontend image from a registry', () => expect(DOCKERFILE).not.toMatch(/^# ?syntax/m));
});
